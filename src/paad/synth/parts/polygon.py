"""Plane polygons [N, 2], convex or not: triangles, convex pieces, cut corners and insets."""

from __future__ import annotations

import numpy as np

from paad.synth.parts.shape import Index
from paad.types import Float64


def triangulate(loop: Float64) -> Index:
    """Triangles [N - 2, 3] of a simple planar polygon [N, 2 or 3], wound as it is; ears are cut off one by one."""
    flat = loop if loop.shape[1] == 2 else _in_plane(loop)
    x, y = flat[:, 0], flat[:, 1]
    sign = np.sign(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) or 1.0

    def turn(i: int, j: int, k: int) -> float:
        cross = (x[j] - x[i]) * (y[k] - y[i]) - (y[j] - y[i]) * (x[k] - x[i])
        return float(sign * cross)

    left = list(range(len(flat)))
    triangles = []
    while len(left) > 3:
        for at in range(len(left)):
            i, j, k = left[at - 1], left[at], left[(at + 1) % len(left)]
            inside = (m for m in left if m not in (i, j, k))
            if turn(i, j, k) > 0 and not any(min(turn(i, j, m), turn(j, k, m), turn(k, i, m)) >= 0 for m in inside):
                break
        else:  # only slivers are left: cut the flattest
            at = min(range(len(left)), key=lambda a: abs(turn(left[a - 1], left[a], left[(a + 1) % len(left)])))
            i, j, k = left[at - 1], left[at], left[(at + 1) % len(left)]
        triangles.append((i, j, k))
        left.pop(at)
    return np.array([*triangles, tuple(left)])


def _in_plane(loop: Float64) -> Float64:
    centred = loop - loop.mean(0)
    area = np.cross(centred, np.roll(centred, -1, 0)).sum(0)
    drop = int(np.argmax(np.abs(area)))
    axes = [(drop + 1) % 3, (drop + 2) % 3]
    return np.asarray(centred[:, axes])


def _orientation(points: Float64) -> float:
    """1 for counter-clockwise (x right, y up), -1 for clockwise."""
    x, y = points.T
    return float(np.sign(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def cut_corners(points: Float64, cut: float) -> Float64:
    """Outer corners sharper than 30° replaced by two points ``cut`` away from them; inner corners stay."""
    out = []
    sign = _orientation(points)
    for before, here, after in zip(np.roll(points, 1, 0), points, np.roll(points, -1, 0)):
        a, b = here - before, after - here
        la, lb = np.linalg.norm(a), np.linalg.norm(b)
        bend = np.degrees(np.arctan2(sign * (a[0] * b[1] - a[1] * b[0]), a @ b))
        if bend > 30:
            out += [here - a * min(cut / la, 0.3), here + b * min(cut / lb, 0.3)]
        else:
            out.append(here)
    return np.array(out)


def inset(points: Float64, distance: float) -> Float64:
    """Every edge moved inward by ``distance``, corners mitred, no corner by more than twice that."""
    sign = _orientation(points)
    edge = np.roll(points, -1, 0) - points
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    normal = sign * np.column_stack([-edge[:, 1], edge[:, 0]])
    before = np.roll(normal, 1, 0)
    both = normal + before
    scale = 2 * distance / np.maximum(np.sum(both * both, 1), 1.0)
    return np.asarray(points + both * scale[:, None])


def convex_pieces(points: Float64) -> list[Float64]:
    """Cut a polygon into convex pieces: its triangles, merged while the union stays convex."""
    pieces = [list(t) for t in triangulate(points)]
    merged = True
    while merged:
        merged = False
        for i in range(len(pieces)):
            for j in range(i + 1, len(pieces)):
                joined = _join(points, pieces[i], pieces[j])
                if joined is not None:
                    pieces[i], merged = joined, True
                    del pieces[j]
                    break
            if merged:
                break
    return [points[p] for p in pieces]


def _join(points: Float64, a: list[int], b: list[int]) -> list[int] | None:
    """The union of two counter-wound pieces along a common edge, if it is convex."""
    if len(set(a) & set(b)) < 2:
        return None
    from scipy.spatial import ConvexHull

    both = sorted(set(a) | set(b))
    hull = ConvexHull(points[both])
    if hull.volume > (_area(points[a]) + _area(points[b])) * 1.001:
        return None
    return [both[k] for k in hull.vertices]


def _area(points: Float64) -> float:
    x, y = points.T
    return abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2
