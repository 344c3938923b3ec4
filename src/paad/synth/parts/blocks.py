"""Bricks, plates and tiles on the stud grid, and their small relatives with studs on the side.

A part's origin is the middle of its top, studs left out, as in the LDraw library; the long side lies along x.
"""

from __future__ import annotations

from paad.synth.parts.kernel import BEVEL, Section, cylinder, extrude, frustum, grid, revolve, slab, stud, studs, tube
from paad.synth.parts.shape import Shape, moved_by, socket, turned

BRICK, PLATE = 24.0, 8.0
WALL, ROOF = 4.0, 4.0


def hollow_box(x0: float, x1: float, z0: float, z1: float, y0: float, y1: float) -> Shape:
    """A box open below, with its socket."""
    pocket = [(y, x0 + WALL, x1 - WALL, z0 + WALL, z1 - WALL) for y in (y1, y0 + ROOF)]
    return frustum([(y0, x0, x1, z0, z1), (y1, x0, x1, z0, z1)], pocket) + socket(x0, x1, z0, z1, y1)


def understuds(nx: int, nz: int, y0: float, y1: float) -> list[Shape]:
    """Tubes between four studs, or pins between two, hanging from ``y0`` to just above ``y1``; surface only."""
    xs = [20.0 * (i + 1) - 10.0 * nx for i in range(nx - 1)]
    zs = [20.0 * (i + 1) - 10.0 * nz for i in range(nz - 1)]
    if min(nx, nz) >= 2:
        return [tube(8, 6, y0 - 1, y1 - 0.2, 16).moved(moved_by(x, 0, z)) for x in xs for z in zs]
    places = [(x, 0.0) for x in xs] if nz == 1 else [(0.0, z) for z in zs]
    pin = cylinder(4, y0 - 1, y1 - 0.2, 0.4, 12).bare()
    return [pin.moved(moved_by(x, 0, z)) for x, z in places]


def body(nx: int, nz: int, height: float) -> Shape:
    """A box of nx × nz studs, hollow below, without studs on top."""
    hull = hollow_box(-10.0 * nx, 10.0 * nx, -10.0 * nz, 10.0 * nz, 0, height)
    return sum(understuds(nx, nz, ROOF, height), hull)


def brick(nx: int, nz: int, height: float = BRICK) -> Shape:
    """A brick (or, 8 high, a plate) of nx studs along x and nz along z."""
    return body(nx, nz, height) + studs(grid(nx), grid(nz))


def plate(nx: int, nz: int) -> Shape:
    """A plate of nx × nz studs."""
    return brick(nx, nz, PLATE)


def tile(nx: int, nz: int) -> Shape:
    """A plate without studs, with the groove around its foot."""
    x, z = 10.0 * nx, 10.0 * nz
    pocket = [(y, -x + WALL, x - WALL, -z + WALL, z - WALL) for y in (PLATE, ROOF)]
    rim = [(0, -x, x, -z, z), (6.6, -x, x, -z, z), (6.8, 1 - x, x - 1, 1 - z, z - 1), (8, 1 - x, x - 1, 1 - z, z - 1)]
    return frustum(rim, pocket, 0.5) + socket(-x, x, -z, z, PLATE)


def jumper(nx: int, nz: int) -> Shape:
    """A plate with one stud in the middle."""
    return body(nx, nz, PLATE) + stud()


def corner_plate(height: float = PLATE) -> Shape:
    """2 × 2 without one quarter: studs at the origin, at +x and at +z."""
    long = hollow_box(-10, 30, -10, 10, 0, height)
    short = hollow_box(-10, 10, 10, 30, 0, height)
    return long + short + stud() + stud(20) + stud(0, 0, 20)


def side_stud(x: float, y: float, z: float, degrees: float) -> Shape:
    """A stud on a vertical wall: 0 points to -z, 90 to -x, 180 to +z, 270 to +x; the base's middle at (x, y, z)."""
    lying = stud().moved(turned("x", 90))
    return lying.moved(turned("y", degrees, (x, y, z)))


def brick_with_side_studs(nx: int, xs: list[float], sides: list[float]) -> Shape:
    """A 1 × nx brick with studs 10 LDU below its top on the named sides (degrees of `side_stud`)."""
    shape = brick(nx, 1)
    for degrees in sides:
        for x in xs:
            reach = {0.0: (x, -10.0), 90.0: (-10.0, 0.0), 180.0: (x, 10.0), 270.0: (10.0, 0.0)}[degrees]
            shape = shape + side_stud(reach[0], 10, reach[1], degrees)
    return shape


def headlight() -> Shape:
    """1 × 1 brick whose front stud sits in a recess, so that it does not stand out by more than its own length."""
    back = frustum([(0, -10, 10, -6, 10), (24, -10, 10, -6, 10)], [(24, -6, 6, -2, 6), (4, -6, 6, -2, 6)])
    lip = frustum([(20, -10, 10, -10, -5), (24, -10, 10, -10, -5)])
    return back + lip + stud() + side_stud(0, 10, -6, 0) + socket(-10, 10, -10, 10, 24)


def bracket(nx: int, wall_studs: list[float], drop: float, up: bool) -> Shape:
    """A 1 × nx plate with a 4 thick wall on its -z side that carries studs: ``wall_studs`` are their heights y.

    The wall goes ``drop`` LDU down from the top of the plate, or up from its foot when ``up``.
    """
    x = 10.0 * nx
    shape = brick(nx, 1, PLATE)
    y0, y1 = (PLATE - drop, PLATE) if up else (0.0, drop)
    wall = frustum([(y0, -x, x, -14, -10), (y1, -x, x, -14, -10)], bevel=BEVEL)
    shape = shape + wall
    for y in wall_studs:
        for sx in grid(nx):
            shape = shape + side_stud(sx, y, -14, 0)
    return shape


def grille() -> Shape:
    """1 × 2 tile with ridges along its length."""
    base = frustum([(4, -20, 20, -10, 10), (8, -20, 20, -10, 10)], bevel=0.4)
    bars = [
        frustum([(0, -20, 20, z - 1.7, z + 1.7), (4.5, -20, 20, z - 1.7, z + 1.7)], bevel=0.4)
        for z in (-8.3, -2.8, 2.8, 8.3)
    ]
    return sum(bars, base) + socket(-20, 20, -10, 10, 8)


def tooth(vertical: bool) -> Shape:
    """1 × 1 plate with a pointed tooth: hanging down in front of -z, or lying ahead along -z."""
    base = body(1, 1, PLATE) + stud()
    if vertical:
        sections: list[Section] = [(0, -9, 9, -18, -9), (10, -10, 10, -18, -9.2), (17, -8, 8, -15.5, -9.4)]
        return base + frustum([*sections, (21, -5, 5, -13, -9.4), (24, -1.5, 1.5, -11, -9.4)])
    claw = [(-9.0, 0.0), (-9, 8), (-30, 8), (-30, 6), (-24, 3), (-17, 1), (-12, 0)]
    return base + extrude(claw, -5, 5, 1.2)


def tile_with_round_end() -> Shape:
    """1 × 1 tile with a half-round end toward -z."""
    from math import cos, pi, sin

    arc = [(10 * sin(t), -10 * cos(t)) for t in [pi / 2 - k * pi / 12 for k in range(13)]]
    return slab([(-10, 10), (10, 10), *arc], PLATE, WALL) + socket(-10, 10, -10, 10, PLATE)


def log_brick(nx: int) -> Shape:
    """1 × nx brick with two round bulges on both long sides."""
    x = 10.0 * nx
    core = frustum([(0, -x, x, -7, 7), (24, -x, x, -7, 7)], [(24, 4 - x, x - 4, -6, 6), (4, 4 - x, x - 4, -6, 6)])
    bulge = revolve([(4.5, -x), (6, 0.8 - x), (6, x - 0.8), (4.5, x)], segments=16).moved(turned("z", 90))
    sides = [bulge.moved(moved_by(0, y, z)) for y in (6, 18) for z in (-3.9, 3.9)]
    return sum(sides, core) + studs(grid(nx), [0.0]) + socket(-x, x, -10, 10, 24)
