"""Closed surfaces from stacked loops: the one construction that every parametric part is made with.

A loft joins loops of equal length by quads and closes both ends. Edges carry bevels of `BEVEL` LDU that catch light.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from paad.synth.parts.shape import STUD_HEIGHT, STUD_RADIUS, Index, Shape, joints
from paad.types import Float64

BEVEL = 0.7
ROUND_SEGMENTS = 24
STUD_SEGMENTS = 18

Section = tuple[float, float, float, float, float]
"""A rectangle of a loft: y, x0, x1, z0, z1."""
Profile = Sequence[tuple[float, float]]


def loft(loops: Sequence[Float64], outer: int | None = None, ring: bool = False) -> Shape:
    """Join loops [N, 3] in order and cap both ends, or join the last to the first when ``ring``.

    The first ``outer`` loops (all by default) also become solids, one for each stretch between neighbours or one for
    all where that is convex; they must be convex loops. ``outer=0``: no solid.
    """
    count, size = len(loops), len(loops[0])
    index = np.arange(count * size).reshape(count, size)
    faces = []
    for k in range(count if ring else count - 1):
        a, b = index[k], index[(k + 1) % count]
        a1, b1 = np.roll(a, -1), np.roll(b, -1)
        faces += [np.stack([a, a1, b1], 1), np.stack([a, b1, b], 1)]
    if not ring:
        faces += [index[0][triangulate(loops[0])][:, ::-1], index[-1][triangulate(loops[-1])]]
    vertices, triangles = np.concatenate(loops), np.concatenate(faces)
    if signed_volume(vertices, triangles) < 0:
        triangles = triangles[:, ::-1]
    used = list(loops[: count if outer is None else outer])
    return Shape(vertices, triangles, tuple(_convex_stretches(used)))


def signed_volume(vertices: Float64, faces: Index) -> float:
    """Volume inside a closed surface, positive when its faces look outward."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _convex_stretches(loops: list[Float64]) -> list[Float64]:
    """Cut a stack of convex loops into as few convex solids as a greedy pass finds."""
    from scipy.spatial import ConvexHull, QhullError

    solids: list[Float64] = []
    volume = 0.0
    for a, b in itertools.pairwise(loops):
        piece = np.concatenate([a, b])
        try:
            own = float(ConvexHull(piece).volume)
        except QhullError:  # a bevel's flat rim has no volume
            continue
        if solids:
            joined = np.concatenate([solids[-1], piece])
            if ConvexHull(joined).volume < (volume + own) * 1.002 + 1:
                solids[-1], volume = joined, volume + own
                continue
        solids.append(piece)
        volume = own
    return solids


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


def rectangle(section: Section, inset: float = 0.0, cut: float = BEVEL) -> Float64:
    """Loop [8, 3] of a horizontal rectangle with its corners cut; sides never cross, however large the inset."""
    y, x0, x1, z0, z1 = section
    hx, hz = max((x1 - x0) / 2 - inset, 0.15), max((z1 - z0) / 2 - inset, 0.15)
    cx, cz, cut = (x0 + x1) / 2, (z0 + z1) / 2, min(cut, hx / 2, hz / 2)
    corners = [(hx, hz - cut), (hx - cut, hz), (-hx + cut, hz), (-hx, hz - cut)]
    corners += [(-a, -b) for a, b in corners]
    return np.array([(cx + a, y, cz + b) for a, b in corners])


def frustum(sections: Sequence[Section], pocket: Sequence[Section] = (), bevel: float = BEVEL) -> Shape:
    """A body through rectangles from top to bottom, all edges bevelled, with an open ``pocket`` from below.

    ``pocket`` lists rectangles from the rim upward. The body may be waisted.
    """
    loops = [rectangle(sections[0], bevel)]
    for k, here in enumerate(sections):
        for other in ([sections[k - 1]] if k else []) + ([sections[k + 1]] if k + 1 < len(sections) else []):
            rise = abs(other[0] - here[0])
            share = min(bevel / max(rise, 1e-9), 0.3) if rise else bevel / 40
            loops.append(rectangle(_between(here, other, share)))
    loops.append(rectangle(sections[-1], bevel))
    outer = len(loops)
    loops += [rectangle(section, 0.0, 0.5) for section in pocket]
    return loft(loops, outer)


def _between(a: Section, b: Section, share: float) -> Section:
    y, x0, x1, z0, z1 = (p + (q - p) * share for p, q in zip(a, b))
    return (y, x0, x1, z0, z1)


def revolve(outer: Profile, inner: Profile = (), segments: int = ROUND_SEGMENTS, solid: bool = True) -> Shape:
    """Turn a profile of (radius, y) around the y axis; ``inner`` goes on into a hollow from below, roof last."""
    angle = (np.arange(segments) + 0.5) * (2 * np.pi / segments)
    circle = np.stack([np.cos(angle), np.zeros(segments), np.sin(angle)], 1)
    loops = [circle * max(r, 0.05) + [0.0, y, 0.0] for r, y in [*outer, *inner]]
    return loft(loops, len(outer) if solid else 0)


def tube(
    outer: float, inner: float, y0: float, y1: float, segments: int = ROUND_SEGMENTS, solid: bool = False
) -> Shape:
    """An upright pipe between two heights, open at both ends; solid as the full cylinder when asked."""
    angle = (np.arange(segments) + 0.5) * (2 * np.pi / segments)
    circle = np.stack([np.cos(angle), np.zeros(segments), np.sin(angle)], 1)
    loops = [circle * r + [0.0, y, 0.0] for r, y in ((outer, y0), (outer, y1), (inner, y1), (inner, y0))]
    return loft(loops, 2 if solid else 0, ring=True)


def cylinder(radius: float, y0: float, y1: float, bevel: float = BEVEL, segments: int = ROUND_SEGMENTS) -> Shape:
    """An upright round bar with bevelled ends; ``y0`` is above ``y1`` (smaller)."""
    r = radius - bevel
    return revolve([(r, y0), (radius, y0 + bevel), (radius, y1 - bevel), (r, y1)], segments=segments)


def extrude(
    profile: Profile,
    x0: float,
    x1: float,
    bevel: float = BEVEL,
    solid: bool = True,
    bevels: tuple[bool, bool] = (True, True),
) -> Shape:
    """Push a polygon of (z, y) points, convex or not, along x; sharp outer corners and the rims are bevelled.

    ``bevels``: whether the rims at ``x0`` and at ``x1`` are; not where another piece goes on.
    """
    rounded = _cut_corners(np.asarray(profile, dtype=float), bevel)
    inner = _inset(rounded, bevel * 0.9)

    def at(x: float, points: Float64) -> Float64:
        return np.column_stack([np.full(len(points), x), points[:, 1], points[:, 0]])

    first = [at(x0, inner), at(x0 + bevel, rounded)] if bevels[0] else [at(x0, rounded)]
    last = [at(x1 - bevel, rounded), at(x1, inner)] if bevels[1] else [at(x1, rounded)]
    body = loft([*first, *last], 0)
    if not solid:
        return body
    solids = [np.concatenate([at(x0, p), at(x1, p)]) for p in _convex_pieces(np.asarray(profile, dtype=float))]
    return Shape(body.vertices, body.faces, tuple(solids))


def slab(outline: Profile, height: float) -> Shape:
    """A slab of any (x, z) outline from y = 0 down to ``height``."""
    lying = extrude(outline, 0, height)
    # extrude works in (z, y) along x: its x becomes y, its z becomes x and its y becomes z.
    return lying.moved(np.array([[0, 0, 1.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))


def _orientation(points: Float64) -> float:
    x, y = points.T
    return float(np.sign(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def _cut_corners(points: Float64, cut: float) -> Float64:
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


def _inset(points: Float64, distance: float) -> Float64:
    """Every edge moved inward by ``distance``, corners mitred, no corner by more than twice that."""
    sign = _orientation(points)
    edge = np.roll(points, -1, 0) - points
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    normal = sign * np.column_stack([-edge[:, 1], edge[:, 0]])
    before = np.roll(normal, 1, 0)
    both = normal + before
    scale = 2 * distance / np.maximum(np.sum(both * both, 1), 1.0)
    return np.asarray(points + both * scale[:, None])


def _convex_pieces(points: Float64) -> list[Float64]:
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


def stud(x: float = 0.0, y: float = 0.0, z: float = 0.0, hollow: bool = False) -> Shape:
    """An upright stud whose base is at (x, y, z), with its joint; ``hollow`` as on round plates."""
    r, h = STUD_RADIUS, STUD_HEIGHT
    rim = [(r, 0.6), (r, -h + 0.5), (r - 0.5, -h)]
    shape = revolve(rim, [(4.0, -h), (4.0, -0.5)] if hollow else [], STUD_SEGMENTS, solid=False)
    return Shape(shape.vertices + np.array([x, y, z]), shape.faces) + joints(studs=[[[x, y, z], [0, -1, 0]]])


def studs(xs: Sequence[float], zs: Sequence[float], y: float = 0.0) -> Shape:
    """Studs on every (x, z) of a grid at height ``y``."""
    shapes = [stud(x, y, z) for x in xs for z in zs]
    return sum(shapes[1:], shapes[0])


def grid(n: int) -> list[float]:
    """Stud places of a part ``n`` studs long, centred: [-10, 10] for 2."""
    return [20.0 * i - 10.0 * (n - 1) for i in range(n)]
