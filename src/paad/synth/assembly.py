"""Which bricks of a model hold together, and which get in each other's way.

Bricks join where a stud sits in an underside, a clip around a bar, or two halves of a hinge share their pivot. Bodies
are compared as convex solids: a hollow underside counts as filled except for the studs that it takes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paad.synth.model import Brick, BrickModel
from paad.synth.parts import canonical, part_mesh, part_shape
from paad.synth.parts.shape import STUD_HEIGHT, Shape
from paad.types import Bool, Float64

DEPTH_TOLERANCE = 0.35
"""Solids may sink this far into each other, LDU: bevels, round parts as polygons, a clip's grip on its bar."""
TOUCH_TOLERANCE = 0.5
STUD_OFF_CENTRE = 1.0


@dataclass(frozen=True)
class _Solid:
    points: Float64  # [N, 3]
    planes: Float64  # [P, 4]: n·p + d <= 0 inside
    low: Float64
    high: Float64


@dataclass(frozen=True)
class _Placed:
    shape: Shape
    solids: tuple[_Solid, ...]
    low: Float64
    high: Float64


def _planes(points: Float64) -> Float64:
    from scipy.spatial import ConvexHull

    planes = ConvexHull(points).equations
    _, first = np.unique(np.round(planes, 3), axis=0, return_index=True)
    return np.asarray(planes[first])


@functools.cache
def _local(part: str, library: Path | None) -> tuple[Shape, tuple[Float64, ...]]:
    """Shape and hull planes of a part at its origin; one known to the library only is its hull, without joints."""
    if canonical(part) is not None:
        shape = part_shape(part)
    else:
        mesh = part_mesh(part, library)
        points = np.unique(mesh.vertices.astype(np.float64), axis=0)
        shape = Shape(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), (points,))
    return shape, tuple(_planes(points) for points in shape.solids)


def _place(brick: Brick, library: Path | None) -> _Placed:
    shape, planes = _local(brick.part, library)
    bare = Shape(
        shape.vertices[:0],
        shape.faces[:0],
        shape.solids,
        shape.studs,
        shape.sockets,
        shape.bars,
        shape.clips,
        shape.pivots,
    )
    moved = bare.moved(brick.transform)
    inverse = np.linalg.inv(brick.transform)
    solids = []
    for points, local in zip(moved.solids, planes):
        world = local @ inverse
        world /= np.linalg.norm(world[:, :3], axis=1, keepdims=True)
        solids.append(_Solid(points, world, points.min(0), points.max(0)))
    low, high = np.min([s.low for s in solids], 0), np.max([s.high for s in solids], 0)
    return _Placed(moved, tuple(solids), low - STUD_HEIGHT, high + STUD_HEIGHT)


def _near(placed: list[_Placed], margin: float) -> list[tuple[int, int]]:
    low = np.array([p.low for p in placed]) - margin
    high = np.array([p.high for p in placed])
    apart = (low[:, None] > high[None]).any(2) | (low[None] > high[:, None]).any(2)
    i, j = np.nonzero(np.triu(~apart, 1))
    return [(int(a), int(b)) for a, b in zip(i, j)]


def _gap(a: _Solid, b: _Solid) -> float:
    """A lower bound of the distance between two convex solids; negative where no face of either separates them."""
    outside = (a.planes[:, :3] @ b.points.T + a.planes[:, 3:]).min(1).max()
    return float(max(outside, (b.planes[:, :3] @ a.points.T + b.planes[:, 3:]).min(1).max()))


def _shared_volume(a: _Solid, b: _Solid) -> float:
    """Volume of the intersection of two convex solids, LDU³; 0 when it is thinner than the tolerance."""
    if (a.low > b.high - DEPTH_TOLERANCE).any() or (b.low > a.high - DEPTH_TOLERANCE).any():
        return 0.0
    if _gap(a, b) > -DEPTH_TOLERANCE:
        return 0.0
    from scipy.optimize import linprog
    from scipy.spatial import ConvexHull, HalfspaceIntersection

    planes = np.concatenate([a.planes, b.planes])
    rows = np.column_stack([planes[:, :3], np.ones(len(planes))])
    best = linprog([0, 0, 0, -1], A_ub=rows, b_ub=-planes[:, 3], bounds=[(None, None)] * 3 + [(0, None)])
    if not best.success or best.x[3] < DEPTH_TOLERANCE / 2:
        return 0.0
    return float(ConvexHull(HalfspaceIntersection(planes, best.x[:3]).intersections).volume)


def _held_studs(studs: Float64, sockets: Float64) -> Bool:
    """Whether each stud [S, 2, 3] sits in one of the sockets [K, 4, 3]: bool [S]."""
    if not len(studs) or not len(sockets):
        return np.zeros(len(studs), dtype=bool)
    offset = studs[:, None, 0] - sockets[None, :, 0]
    along = np.einsum("ikc,kc->ik", offset, sockets[:, 1])
    aligned = np.einsum("ic,kc->ik", studs[:, 1], sockets[:, 1]) > 0.999
    inside = aligned & (np.abs(along) < STUD_OFF_CENTRE)
    for half in (sockets[:, 2], sockets[:, 3]):
        reach = np.linalg.norm(half, axis=1)
        across = np.abs(np.einsum("ikc,kc->ik", offset, half / reach[:, None]))
        inside &= across < reach - 10.0 + STUD_OFF_CENTRE
    return np.asarray(inside.any(1))


def _clipped(bars: Float64, clips: Float64) -> bool:
    """Whether one of the clips [C, 2, 3] holds one of the bars [B, 2, 3]."""
    for start, end in bars:
        axis = (end - start) / np.linalg.norm(end - start)
        for centre, direction in clips:
            along = float((centre - start) @ axis)
            aside = np.linalg.norm(centre - start - along * axis)
            if abs(axis @ direction) > 0.999 and aside < 1.0 and -1 < along < np.linalg.norm(end - start) + 1:
                return True
    return False


def _hinged(a: Float64, b: Float64) -> bool:
    """Whether two parts share a pivot [P, 2, 3]."""
    return any(np.linalg.norm(p[0] - q[0]) < 1.0 and abs(p[1] @ q[1]) > 0.999 for p in a for q in b)


def _joined(a: Shape, b: Shape) -> bool:
    return bool(
        _held_studs(a.studs, b.sockets).any()
        or _held_studs(b.studs, a.sockets).any()
        or _clipped(a.bars, b.clips)
        or _clipped(b.bars, a.clips)
        or _hinged(a.pivots, b.pivots)
    )


def connected_components(model: BrickModel, library: Path | None = None, touching: bool = True) -> list[set[int]]:
    """Sets of brick indices that hold together, the largest first.

    ``touching=False`` counts only real joints (stud in underside, clip on bar, hinge); by default bricks whose bodies
    touch within `TOUCH_TOLERANCE` LDU also belong together: parts known only to an LDraw library have no joints.
    """
    placed = [_place(brick, library) for brick in model.bricks]
    root = list(range(len(placed)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, j in _near(placed, 2.0):
        if find(i) == find(j):
            continue
        a, b = placed[i], placed[j]
        if _joined(a.shape, b.shape) or (touching and _touch(a, b)):
            root[find(i)] = find(j)
    groups: dict[int, set[int]] = {}
    for i in range(len(placed)):
        groups.setdefault(find(i), set()).add(i)
    return sorted(groups.values(), key=lambda group: (-len(group), min(group)))


def _touch(a: _Placed, b: _Placed) -> bool:
    return any(_gap(s, t) < TOUCH_TOLERANCE for s in a.solids for t in b.solids)


def overlaps(model: BrickModel, library: Path | None = None) -> list[tuple[int, int, float]]:
    """Pairs of bricks that share space, and how much of it in LDU³ (a 1 × 1 plate has 3200).

    A stud may stand in an underside that takes it; anywhere else in another brick it counts like the body does.
    """
    placed = [_place(brick, library) for brick in model.bricks]
    found = []
    for i, j in _near(placed, 0.0):
        a, b = placed[i], placed[j]
        volume = sum(_shared_volume(s, t) for s in a.solids for t in b.solids)
        volume += _stray_studs(a.shape, b) + _stray_studs(b.shape, a)
        if volume > 1.0:
            found.append((i, j, volume))
    return found


def _stray_studs(shape: Shape, other: _Placed) -> float:
    """Volume that studs outside the other brick's undersides share with its body."""
    if not len(shape.studs):
        return 0.0
    loose = shape.studs[~_held_studs(shape.studs, other.shape.sockets)]
    reach = (loose[:, 0] + loose[:, 1] * 2 > other.low).all(1) & (loose[:, 0] + loose[:, 1] * 2 < other.high).all(1)
    return sum(_shared_volume(_stud_solid(stud), solid) for stud in loose[reach] for solid in other.solids)


def _stud_solid(stud: Float64) -> _Solid:
    """A stud as an octagonal prism that stays inside its cylinder."""
    centre, up = stud
    aside = np.cross(up, [1.0, 0, 0] if abs(up[0]) < 0.7 else [0, 1.0, 0])
    aside /= np.linalg.norm(aside)
    across = np.cross(up, aside)
    ring = [5.8 * (np.cos(t) * aside + np.sin(t) * across) for t in np.arange(8) * np.pi / 4]
    points = np.array([centre + r + up * h for h in (0.2, STUD_HEIGHT - 0.1) for r in ring])
    return _Solid(points, _planes(points), points.min(0), points.max(0))
