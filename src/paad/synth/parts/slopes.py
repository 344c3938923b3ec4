"""Slopes: straight, inverted, double, corner, steep and curved. The tall side is at +z; a slope falls toward -z."""

from __future__ import annotations

import itertools
from math import asin, cos, sin

import numpy as np

from paad.synth.parts.blocks import ROOF, WALL
from paad.synth.parts.kernel import Section, extrude, frustum, grid, studs
from paad.synth.parts.shape import Shape, socket, turned

LIP = 4.0
"""Height of the upright edge at the foot of a slope (at the top of an inverted one)."""


def _pocket(sections: list[Section], depth: float) -> list[Section]:
    """A pocket from the foot of a body upward by ``depth``, `WALL` away from every side."""
    foot = sections[-1]
    roof = foot[0] - depth
    upper = next(s for s in reversed(sections) if s[0] <= roof or s is sections[0])
    lower = next(s for s in reversed(sections) if s[0] > upper[0])
    t = (roof - upper[0]) / max(lower[0] - upper[0], 1e-9)
    ceiling = [a + (b - a) * t for a, b in zip(upper, lower)]
    out: list[Section] = []
    for y, (_, x0, x1, z0, z1) in ((foot[0], foot), (roof, ceiling)):
        out.append((y, x0 + WALL, x1 - WALL, z0 + WALL, max(z1 - WALL, z0 + WALL + 2)))
    return out


def slope(nx: int, depth: int, height: float = 24.0, flat: float = 20.0, studded: bool = True) -> Shape:
    """A slope ``nx`` studs wide (x) and ``depth`` studs long, of which ``flat`` LDU at +z stay level."""
    x, z0 = 10.0 * nx, 10.0 - 20.0 * depth
    top = max(flat, 0.6)
    sections: list[Section] = [
        (0, -x, x, 10 - top, 10),
        (height - LIP, -x, x, z0, 10),
        (height, -x, x, z0, 10),
    ]
    shape = frustum(sections, _pocket(sections, height - ROOF if flat > 12 else height * 0.6))
    if studded:
        shape = shape + studs(grid(nx), [0.0])
    return shape + socket(-x, x, z0, 10, height)


def inverted(nx: int, depth: int) -> Shape:
    """A slope upside down: full size on top, one stud deep at its foot; studs everywhere on top."""
    x, z0 = 10.0 * nx, 10.0 - 20.0 * depth
    sections: list[Section] = [(0, -x, x, z0, 10), (LIP, -x, x, z0, 10), (24, -x, x, -10, 10)]
    pocket: list[Section] = [(y, -x + WALL, x - WALL, -10 + WALL, 10 - WALL) for y in (24, ROOF)]
    zs = [-20.0 * k for k in range(depth)]
    return frustum(sections, pocket) + studs(grid(nx), zs) + socket(-x, x, -10, 10, 24)


def double(nx: int) -> Shape:
    """A roof ridge along x, two studs deep."""
    x = 10.0 * nx
    sections: list[Section] = [(0, -x, x, -0.3, 0.3), (20, -x, x, -20, 20), (24, -x, x, -20, 20)]
    pocket: list[Section] = [(24, -x + 4, x - 4, -16, 16), (10, -x + 4, x - 4, -4, 4)]
    return frustum(sections, pocket) + socket(-x, x, -20, 20, 24)


def corner() -> Shape:
    """45° outer corner: falls toward -z and +x; one stud."""
    sections: list[Section] = [(0, -10, 10, -10, 10), (20, -10, 30, -30, 10), (24, -10, 30, -30, 10)]
    pocket: list[Section] = [(24, -6, 26, -26, 6), (5, -6, 7, -7, 6)]
    return frustum(sections, pocket) + studs([0.0], [0.0]) + socket(-10, 30, -30, 10, 24)


def inverted_corner() -> Shape:
    """45° outer corner upside down, four studs on top."""
    sections: list[Section] = [(0, -10, 30, -30, 10), (4, -10, 30, -30, 10), (24, -10, 10, -10, 10)]
    pocket: list[Section] = [(24, -6, 6, -6, 6), (4, -6, 6, -6, 6)]
    return frustum(sections, pocket) + studs([0.0, 20.0], [-20.0, 0.0]) + socket(-10, 10, -10, 10, 24)


def pyramid() -> Shape:
    """75° on all four sides, 2 × 2 at the foot, two bricks high, one stud."""
    sections: list[Section] = [(0, -10, 10, -10, 10), (44, -20, 20, -20, 20), (48, -20, 20, -20, 20)]
    pocket: list[Section] = [(48, -16, 16, -16, 16), (6, -6, 6, -6, 6)]
    return frustum(sections, pocket) + studs([0.0], [0.0]) + socket(-20, 20, -20, 20, 48)


def cheese(nx: int) -> Shape:
    """31° slope two plates high; its origin is at the foot, the tall edge at +z."""
    x = 10.0 * nx
    sections: list[Section] = [(-15.6, -x, x, 8.4, 10), (-4, -x, x, -10, 10), (0, -x, x, -10, 10)]
    pocket: list[Section] = [(0, -x + 4, x - 4, -6, 6), (-3, -x + 4, x - 4, -6, 6)]
    return frustum(sections, pocket, 0.5) + socket(-x, x, -10, 10, 0)


def _arc(length: float, drop: float, steps: int = 9) -> list[tuple[float, float]]:
    """Points (run, fall) of a circle's arc that starts level and has fallen by ``drop`` after ``length``."""
    radius = (length * length + drop * drop) / (2 * drop)
    last = asin(min(length / radius, 1.0))
    return [(radius * sin(last * k / steps), radius * (1 - cos(last * k / steps))) for k in range(steps + 1)]


Steps = list[tuple[float, float]]
"""The underside of a curved slope from -z to +z: (z where a level ends, its height y)."""


def curved(nx: int, length: float, top: float, steps: Steps) -> Shape:
    """A curved slope, centred: level at +z, falling in a circle's arc to a lip of 4 LDU at -z.

    Its underside climbs in steps, so that it lies over a stair of plates.
    """
    half = length / 2
    arc = [(half - run, top + fall) for run, fall in _arc(length, steps[0][1] - LIP - top)]
    return _stair_shell(nx, arc, [(-half, steps[0][1]), *steps])


def double_curved(nx: int, length: float, top: float, steps: Steps) -> Shape:
    """A curved slope that falls to both sides, centred."""
    half = length / 2
    arc = [(-run, top + fall) for run, fall in _arc(half, steps[0][1] - LIP - top)]
    both = [(-z, y) for z, y in reversed(arc[1:])] + arc
    return _stair_shell(nx, both, [(-half, steps[0][1]), *steps])


def _stair_shell(nx: int, upper: list[tuple[float, float]], steps: Steps) -> Shape:
    """Two side walls under ``upper`` (from +z to -z) and a thin roof with cross walls between them."""
    x, under, recessed = 10.0 * nx, [], []
    for (z0, _), (z1, y) in itertools.pairwise(steps):
        under += [(z0, y), (z1, y)]
        a, b = z0 + WALL - 0.5, z1 - WALL + 0.5
        ceiling = [
            min(np.interp(z, [p[0] for p in upper[::-1]], [p[1] for p in upper[::-1]]) + 3.5, y - 0.5) for z in (a, b)
        ]
        recessed += [(z0, y), (a, y), (a, ceiling[0]), (b, ceiling[1]), (b, y), (z1, y)]
    full = extrude(_distinct([*upper, *under]), -x, x)
    walls = [
        extrude(_distinct([*upper, *under]), a, b, bevels=bevels, solid=False)
        for a, b, bevels in ((-x, WALL - x, (True, False)), (x - WALL, x, (False, True)))
    ]
    roof = extrude(_distinct([*upper, *recessed]), WALL - x, x - WALL, bevels=(False, False), solid=False)
    surface = walls[0] + walls[1] + roof
    shape = Shape(surface.vertices, surface.faces, full.solids)
    for (z0, _), (z1, y) in itertools.pairwise(steps):
        shape = shape + socket(-x, x, z0, z1, y)
    return shape


def _distinct(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    kept = [p for k, p in enumerate(points) if abs(p[0] - points[k - 1][0]) + abs(p[1] - points[k - 1][1]) > 1e-6]
    return kept


def inverted_curve(nx: int) -> Shape:
    """A curved slope upside down, two studs long: its top rises by a plate toward -z, its belly too, in an arc."""
    x = 10.0 * nx
    belly = [(30 - run, 16 - fall) for run, fall in _arc(40, 12)]
    outline = [*belly, (-10, 0), (10, 0), (10, 8), (30, 8)]
    shape = extrude(_distinct(outline), -x, x) + studs(grid(nx), [0.0]) + studs(grid(nx), [20.0], 8.0)
    return shape + socket(-x, x, 10, 30, 16)


def mirrored(shape: Shape) -> Shape:
    """Left for right."""
    flip = turned("x", 0)
    flip[0, 0] = -1.0
    return shape.moved(flip)
