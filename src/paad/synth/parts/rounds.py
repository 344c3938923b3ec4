"""Round parts: round bricks, plates and tiles, cones, domes, dishes, quarter cylinders and arches."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from paad.synth.parts.blocks import understuds
from paad.synth.parts.kernel import BEVEL, Profile, cylinder, extrude, grid, revolve, slab, stud, studs
from paad.synth.parts.shape import Shape, joints, socket, turned


def _round(outer: Profile, hollow: float, roof: float) -> Shape:
    """A turned body, open below: ``hollow`` is the radius of its pocket, ``roof`` the height y where that ends."""
    foot = outer[-1][1]
    return revolve(outer, [(hollow, foot), (hollow, roof)])


def _bevelled(radius: float, y0: float, y1: float, bevel: float = BEVEL) -> list[tuple[float, float]]:
    return [(radius - bevel, y0), (radius, y0 + bevel), (radius, y1 - bevel), (radius - bevel, y1)]


def round_1x1(height: float) -> Shape:
    """Round brick or plate on one stud: a cylinder over a narrower foot, with an open stud."""
    waist = height - (4 if height > 10 else 3)
    outer = [(9.3, 0), (10, 0.7), (10, waist - 0.5), (9.5, waist), (8, waist + 0.2), (8, height - 0.4), (7.6, height)]
    return _round(outer, 6, 3) + stud(hollow=True) + socket(-10, 10, -10, 10, height)


def round_tile() -> Shape:
    """Round tile on one stud."""
    return _round(_bevelled(10, 0, 8, 0.6), 6.5, 4) + socket(-10, 10, -10, 10, 8)


def round_2x2(height: float, studded: bool = True) -> Shape:
    """Round brick or plate on two by two studs, with four studs or one in the middle."""
    shape = _round(_bevelled(20, 0, height), 16, 4) + understuds(2, 2, 4, height)[0]
    shape = shape + (studs(grid(2), grid(2)) if studded else stud(hollow=True))
    return shape + socket(-20, 20, -20, 20, height)


def round_tile_2x2() -> Shape:
    """Round tile on two by two studs."""
    body = _round(_bevelled(20, 0, 8, 0.6), 16, 4) + understuds(2, 2, 4, 8)[0]
    return body + socket(-20, 20, -20, 20, 8)


def round_plate_4x4() -> Shape:
    """Round plate on four by four studs; the corners have none."""
    shape = _round(_bevelled(40, 0, 8), 36, 4)
    places = [(x, z) for x in grid(4) for z in grid(4) if abs(x) + abs(z) < 60]
    return sum((stud(x, 0, z) for x, z in places), shape) + socket(-40, 40, -40, 40, 8)


def cone(radius: float, top: float, height: float, foot: float) -> Shape:
    """A cone with one stud; upright for the last ``foot`` LDU."""
    outer = [(top - 0.6, 0), (top, 0.7), (radius, height - foot), (radius, height - 0.5), (radius - 0.5, height)]
    hollow = radius - 4 if radius > 12 else 6.0
    half = radius
    shape = revolve(outer, [(hollow, height), (min(hollow, top - 2), height * 0.4)])
    return shape + stud(hollow=True) + socket(-half, half, -half, half, height)


def dome_2x2() -> Shape:
    """2 × 2 round brick with a half-ball top."""
    arc = [(20 * sin(t), 20 * (1 - cos(t))) for t in np.linspace(0.42, pi / 2, 9)]
    body = revolve([(7.0, 0), (7.8, 0.7), *arc, (20, 23.3), (19.3, 24)], [(16, 24), (16, 20), (9, 12)])
    return body + stud(hollow=True) + socket(-20, 20, -20, 20, 24)


def dish(radius: float, height: float, rim: float) -> Shape:
    """A dish lying with its hollow down ("inverted"): closed on top but for a stud, and held by its middle."""
    steps = np.linspace(0, 1, 9)
    flat = 9.0
    top = [(flat + (radius - flat) * s, (height - rim) * s**1.6) for s in steps]
    below = [(flat - 2 + (radius - 2 - flat + 2) * s, 3.5 + (height - 3.5) * s**1.6) for s in steps[::-1]]
    bowl = revolve([*top, (radius, height - 0.3), (radius - 1, height)], below, 32, solid=False)
    core = cylinder(8, 3, height) if height > 10 else cylinder(8, 3, 8, 0.4)
    solid = revolve([*top, (radius, height)], segments=16)
    return Shape(bowl.vertices, bowl.faces, solid.solids) + core.bare() + stud(hollow=True) + _core_socket(height)


def _core_socket(height: float) -> Shape:
    return socket(-10, 10, -10, 10, 8.0 if height <= 10 else height)


def quarter_round(height: float = 24.0) -> Shape:
    """A quarter of a round wall, one stud thick, about the inner corner (-10, 10): studs at +x and at -z."""
    turn = np.linspace(0, pi / 2, 13)
    outer = [(10 - 40 * cos(t), -10 + 40 * sin(t)) for t in turn]
    inner = [(10 - 20 * cos(t), -10 + 20 * sin(t)) for t in turn[::-1]]
    body = slab([(x, z) for z, x in [*outer, *inner]], height)
    shape = body + stud(20, 0, 0) + stud(0, 0, -20)
    return shape + socket(10, 30, -10, 10, height) + socket(-10, 10, -30, -10, height)


def arch(length: int, opening: float, rise: float, height: float = 24.0) -> Shape:
    """1 × ``length`` arch along x with a stud's foot at either end; the opening is ``opening`` wide, ``rise`` high."""
    half = 10.0 * length
    bow = [(opening / 2 * cos(t), height - rise * sin(t)) for t in np.linspace(0, pi, 17)]
    outline = [(half, 0.0), (half, height), *bow, (-half, height), (-half, 0.0)]
    body = extrude(outline, -10, 10).moved(turned("y", 90))
    ends = [socket(-half, 20 - half, -10, 10, height), socket(half - 20, half, -10, 10, height)]
    return body + studs(grid(length), [0.0]) + ends[0] + ends[1]


def round_top() -> Shape:
    """1 × 1 × 2/3 brick with a half-round top; its origin is at the foot."""
    bow = [(10 * cos(t), -6 - 10 * sin(t)) for t in np.linspace(0, pi, 15)]
    return extrude([(10, 0), *bow, (-10, 0)], -10, 10) + socket(-10, 10, -10, 10, 0)


def bar(length: float) -> Shape:
    """An upright bar from y = 0 to ``length``, which any clip holds."""
    return cylinder(4, 0, length, 0.6, 16) + joints(bars=[[[0, 0, 0], [0, length, 0]]])


def antenna(length: float) -> Shape:
    """A thin rod on a round foot that sits on a stud; its tip is ``length`` LDU above the foot's top."""
    foot = revolve([(4, 0), (8, 1), (8, 7.6), (7.6, 8)], [(6, 8), (6, 4)], 18)
    rod = revolve([(2.5, -length), (4, 1.5 - length), (4, 0.5)], segments=14)
    return foot + rod + joints(bars=[[[0, -length, 0], [0, 0, 0]]]) + socket(-10, 10, -10, 10, 8)


def ball_brick() -> Shape:
    """A minifigure's head: a rounded barrel with a stud on top, on one stud."""
    outer = [(8, 0), (11, 1), (12.6, 4), (13, 8), (13, 16), (12.6, 20), (11, 23), (8, 24)]
    return _round(outer, 6, 4) + stud(hollow=True) + socket(-10, 10, -10, 10, 24)


def leaf() -> Shape:
    """A toothed leaf three studs long toward -z, lying flat, on a stud's root with a stud on top."""
    edge: list[tuple[float, float]]
    edge = [(10, 5), (6, 10), (-3, 10), (-8, 14), (-12, 22), (-19, 26), (-25, 22), (-23, 12), (-27, 11), (-31, 15)]
    edge += [(-33, 22), (-40, 26), (-45, 22), (-41, 13), (-37, 8), (-44, 5.5), (-50, 6), (-56, 9), (-63, 7), (-68, 4)]
    outline = [(z, -w) for z, w in edge] + [(z, w) for z, w in reversed(edge)]
    blade = extrude(outline, -3.0, 3.0, 0.8).moved(turned("z", 90, (0, 5, 0)))
    root = _round(_bevelled(9, 0, 8, 0.5), 6, 4)
    return blade + root + stud(hollow=True) + socket(-10, 10, -10, 10, 8)
