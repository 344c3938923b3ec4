"""Closed surfaces from stacked loops: the one construction that every parametric part is made with.

A loft joins loops of equal length by quads and closes both ends. Edges carry bevels of `BEVEL` LDU that catch light.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from paad.synth.parts.polygon import convex_pieces, cut_corners, inset, triangulate
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


def rectangle(section: Section, shrink: float = 0.0, cut: float = BEVEL) -> Float64:
    """Loop [8, 3] of a horizontal rectangle with its corners cut; sides never cross, however large the shrink."""
    y, x0, x1, z0, z1 = section
    hx, hz = max((x1 - x0) / 2 - shrink, 0.15), max((z1 - z0) / 2 - shrink, 0.15)
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
    rounded = cut_corners(np.asarray(profile, dtype=float), bevel)
    inner = inset(rounded, bevel * 0.9)

    def at(x: float, points: Float64) -> Float64:
        return np.column_stack([np.full(len(points), x), points[:, 1], points[:, 0]])

    first = [at(x0, inner), at(x0 + bevel, rounded)] if bevels[0] else [at(x0, rounded)]
    last = [at(x1 - bevel, rounded), at(x1, inner)] if bevels[1] else [at(x1, rounded)]
    body = loft([*first, *last], 0)
    if not solid:
        return body
    solids = [np.concatenate([at(x0, p), at(x1, p)]) for p in convex_pieces(np.asarray(profile, dtype=float))]
    return Shape(body.vertices, body.faces, tuple(solids))


def slab(outline: Profile, height: float, wall: float = 0.0, roof: float = 4.0) -> Shape:
    """A slab of any (x, z) outline from y = 0 down to ``height``, hollow from below when ``wall`` is given."""
    shape = extrude(outline, 0, height)
    if wall:
        profile = np.asarray(outline, dtype=float)
        rim, hollow = cut_corners(profile, BEVEL), cut_corners(inset(profile, wall), BEVEL)
        top = inset(rim, BEVEL * 0.9)
        levels = [(0.0, top), (BEVEL, rim), (height - BEVEL, rim), (height, top), (height, hollow), (roof, hollow)]
        body = loft([np.column_stack([np.full(len(p), y), p[:, 1], p[:, 0]]) for y, p in levels], 0)
        shape = Shape(body.vertices, body.faces, shape.solids)
    # extrude works in (z, y) along x: its x becomes y, its z becomes x and its y becomes z.
    return shape.moved(np.array([[0, 0, 1.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))


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
