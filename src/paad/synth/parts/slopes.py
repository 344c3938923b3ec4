"""Slopes: straight, inverted, double, corner, steep and curved. The tall side is at +z; a slope falls toward -z."""

from __future__ import annotations

from math import asin, cos, sin

from paad.synth.parts.blocks import ROOF, WALL
from paad.synth.parts.kernel import Section, frustum, grid, studs
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


def curved(nx: int, length: float, top: float, foot: float, lip: float, level: float = 0.0) -> Shape:
    """A curved slope, centred: level for ``level`` LDU at +z, then round down to ``lip`` above the foot at -z.

    ``top`` and ``foot`` are the heights y of the part's ends.
    """
    x, half = 10.0 * nx, length / 2
    sections: list[Section] = [
        (top + fall, -x, x, min(half - level - run, half - 0.6), half)
        for run, fall in _arc(length - level, foot - lip - top)
    ]
    return _with_curve(sections, foot, x, half, 0.55 * (foot - top))


def double_curved(nx: int, length: float, top: float, foot: float, lip: float) -> Shape:
    """A curved slope that falls to both sides, centred."""
    x, half = 10.0 * nx, length / 2
    sections: list[Section] = [
        (top + fall, -x, x, -max(run, 1.0), max(run, 1.0)) for run, fall in _arc(half, foot - lip - top)
    ]
    return _with_curve(sections, foot, x, half, 0.4 * (foot - top))


def _with_curve(sections: list[Section], foot: float, x: float, half: float, depth: float) -> Shape:
    sections = [*sections, (foot, -x, x, -half, half)]
    return frustum(sections, _pocket(sections, depth), crisp=False) + socket(-x, x, -half, half, foot)


def inverted_curve(nx: int, depth: int, height: float) -> Shape:
    """A curved slope upside down: studs all over its level top, its belly rounding up from the foot toward -z."""
    x, z0 = 10.0 * nx, 10.0 - 20.0 * depth
    belly: list[Section] = [(height - fall, -x, x, -10 - run, 10) for run, fall in _arc(-10 - z0, height - LIP)]
    sections: list[Section] = [(0, -x, x, z0, 10), *reversed(belly)]
    pocket: list[Section] = [(y, -x + WALL, x - WALL, -10 + WALL, 10 - WALL) for y in (height, ROOF)]
    shape = frustum(sections, pocket, crisp=False) + studs(grid(nx), [-20.0 * k for k in range(depth)])
    return shape + socket(-x, x, -10, 10, height)


def mirrored(shape: Shape) -> Shape:
    """Left for right."""
    flip = turned("x", 0)
    flip[0, 0] = -1.0
    return shape.moved(flip)
