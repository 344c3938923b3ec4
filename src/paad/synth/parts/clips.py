"""Parts that join by other means than studs: clips, handles, bars' holders and hinges; and wedges."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin

import numpy as np

from paad.synth.parts.blocks import BRICK, PLATE, WALL, plate, tile
from paad.synth.parts.kernel import extrude, frustum, revolve, slab, stud
from paad.synth.parts.shape import Shape, joints, moved_by, socket, turned

GRIP, JAW = 4.0, 6.6
"""Radius of a bar, and of a clip around it."""


def jaws(half: float = 4.0) -> Shape:
    """A C-shaped clip around the x axis, open toward -z, with its joint."""
    angles = np.linspace(pi * 0.30, 2 * pi - pi * 0.30, 15)
    outer = [(-JAW * cos(t), JAW * sin(t)) for t in angles]
    inner = [(-(GRIP + 0.1) * cos(t), (GRIP + 0.1) * sin(t)) for t in angles[::-1]]
    return extrude([*outer, *inner], -half, half, 0.4) + joints(clips=[[[0, 0, 0], [1, 0, 0]]])


def handle(half: float) -> Shape:
    """A bar along x between two ears, held from +z."""
    rod = revolve([(GRIP - 0.4, -half), (GRIP, 0.4 - half), (GRIP, half - 0.4), (GRIP - 0.4, half)], segments=16)
    ear = revolve([(5.2, -1.5), (6, -0.8), (6, 0.8), (5.2, 1.5)], segments=16)
    shape = rod.moved(turned("z", 90))
    for side in (-1, 1):
        shape = shape + ear.moved(turned("z", 90, (side * (half - 1.5), 0, 0)))
        arm = frustum([(-1.8, -1.5, 1.5, 0, 13), (5.2, -1.5, 1.5, 0, 13)], bevel=0.4)
        shape = shape + arm.moved(moved_by(side * (half - 1.5)))
    return shape + joints(bars=[[[3.0 - half, 0, 0], [half - 3.0, 0, 0]]])


def plate_with(tool: Shape, nx: int, on_end: bool) -> Shape:
    """A 1 × nx plate that carries ``tool`` (a clip or handle along x) on its long side -z, or turned on its end +x."""
    if on_end:
        return plate(nx, 1) + tool.moved(turned("y", -90, (10.0 * nx + 10, 2, 0)))
    return plate(nx, 1) + tool.moved(moved_by(0, 2, -20))


def clip_stalk() -> Shape:
    """Jaws on a short neck that reaches back to z = 10."""
    neck = frustum([(-2.5, -4, 4, 5.5, 10.5), (5.5, -4, 4, 5.5, 10.5)], bevel=0.4)
    return jaws() + neck


def plate_with_upright_clip() -> Shape:
    """1 × 1 plate with a clip in front (-z) for an upright bar."""
    neck = frustum([(-3.6, -4, 4, 5.5, 10.5), (3.6, -4, 4, 5.5, 10.5)], bevel=0.4)
    tool = jaws().moved(turned("z", 90)) + neck
    return plate(1, 1) + tool.moved(moved_by(0, 4, -20))


def tile_with_clip() -> Shape:
    """1 × 1 tile with a clip on top for a bar along z."""
    upward = jaws().moved(turned("x", -90)).moved(turned("y", 90, (0, -6, 0)))
    return tile(1, 1) + frustum([(-1.5, -4, 4, -4, 4), (0.8, -4, 4, -4, 4)], bevel=0.3).bare() + upward


def hinge_base() -> Shape:
    """Lower half of the 1 × 2 hinge: two ears around a pivot along x, 10 LDU below the top, and a back wall at +z."""
    foot = frustum([(16.5, -20, 20, -10, 10), (24, -20, 20, -10, 10)], [(24, -16, 16, -6, 6), (20, -16, 16, -6, 6)])
    back = frustum([(2, -16.5, 16.5, 6.5, 10), (17, -16.5, 16.5, 6.5, 10)], bevel=0.5)
    ear = [(8 * sin(t), 10 - 8 * cos(t)) for t in np.linspace(-pi / 2, 0, 7)] + [(10, 2), (10, 17.5), (-8, 17.5)]
    shape = foot + back + extrude(ear, -20, -16.2, 0.5) + extrude(ear, 16.2, 20, 0.5)
    return shape + _pivot() + socket(-20, 20, -10, 10, 24)


def hinge_top() -> Shape:
    """Upper half of the 1 × 2 hinge: a lid on a round knuckle."""
    lid = frustum([(0, -20, 20, -10, 10), (2, -20, 20, -10, 10)], bevel=0.4)
    tongue = [(6 * cos(t), 10 + 6 * sin(t)) for t in np.linspace(0, pi, 11)] + [(-6, 1.5), (6, 1.5)]
    return lid + extrude(tongue, -15.8, 15.8, 0.5) + stud(-10) + stud(10) + _pivot()


def _pivot() -> Shape:
    return joints(pivots=[[[0, 10, 0], [1, 0, 0]]])


def wedge_plate(outline: Sequence[tuple[float, float]], places: Sequence[tuple[float, float]]) -> Shape:
    """A plate of any outline with studs at ``places`` (x, z), each of which also takes a stud from below."""
    shape = slab(outline, PLATE, WALL)
    for x, z in places:
        shape = shape + stud(x, 0, z) + socket(x - 10, x + 10, z - 10, z + 10, PLATE)
    return shape


def wing_right(length: int) -> Shape:
    """A wing two studs wide at +z, one at -z; its straight side, with the studs, is at +x."""
    z = 10.0 * length
    shape = wedge_plate([(-20, z), (0, -z), (20, -z), (20, z)], [(10, 20.0 * k - z + 10) for k in range(length)])
    return shape + socket(-20, 0, z - 20, z, PLATE)


def wing_both() -> Shape:
    """A wing four studs wide at +z, two at -z; four studs in the middle."""
    outline = [(-38.5, 20), (-20, -20), (20, -20), (38.5, 20)]
    return wedge_plate(outline, [(x, z) for x in (-10, 10) for z in (-10, 10)])


def cut_corner(n: int) -> Shape:
    """A plate of n × n studs whose corner at +x, -z is cut off."""
    half, cut = 10.0 * n, 20.0 if n == 2 else 10.0 * n + 10 * (n - 3) if n > 3 else 40.0
    outline = [(-half, half), (-half, -half), (half - cut, -half), (half, cut - half), (half, half)]
    grid = [20.0 * i - half + 10 for i in range(n)]
    return wedge_plate(outline, [(x, z) for x in grid for z in grid if x - z <= 2 * half - cut - 5])


def pointed_tile() -> Shape:
    """A 2 × 3 tile with a point at -z."""
    outline = [(-20, 30), (-20, -9), (0, -30), (20, -9), (20, 30)]
    return slab(outline, PLATE, WALL) + socket(-20, 20, -10, 30, PLATE)


def wedge_right() -> Shape:
    """A brick three studs long, two wide at +z and one at -z; its straight side, with the studs, is at +x."""
    shape = slab([(-20, 30), (0, -30), (20, -30), (20, 30)], BRICK, WALL)
    for z in (-20.0, 0.0, 20.0):
        shape = shape + stud(10, 0, z) + socket(0, 20, z - 10, z + 10, BRICK)
    return shape + socket(-20, 0, 10, 30, BRICK)
