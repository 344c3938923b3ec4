"""Burrs: flash, spikes and ragged lumps grown on a part's edges, in the part's own colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.synth.defects import Damage, Spot, tangents
from paad.synth.render_surface import Surface, concatenate, corner_normals, triangle_areas
from paad.types import Float32, Float64

SHAPES = ("flash", "spikes", "ragged")
_CREASE_DEG = 25.0


@dataclass(frozen=True)
class Edges:
    """Convex creases of a part: ends [E, 2, 3] and the unit direction out of the part [E, 3]."""

    ends: Float64
    outward: Float64


def burr(surface: Surface, area: float, spot: Spot, rng: np.random.Generator) -> Damage | None:
    """Grow a burr of about ``area`` (world units squared, seen from its side) on the edge nearest to ``spot``.

    A part without sharp edges gets it at ``spot`` itself, as where a mould's halves met on a smooth body; there it is
    short, since it is straight and the body need not be. None where nothing grew.
    """
    part = surface.take(surface.part == spot.part)
    edges = convex_edges(part)
    shape = str(rng.choice(SHAPES))
    height = float(np.clip(np.sqrt(area / rng.uniform(2.0, 5.0)), 0.012, 0.16))
    if len(edges.ends):
        path, outward = _path(edges, spot.point, length=area / height * 1.4, step=height / 5.0)
    else:
        along = tangents(spot.normal, rng)[0]
        path = spot.point + np.linspace(-height, height, 11)[:, None] * along
        outward = np.tile(spot.normal, (11, 1))
    grow = {"flash": _flash, "spikes": _spikes, "ragged": _ragged}[shape]
    corners = grow(path, outward, height, rng).astype(np.float32)
    corners = corners[triangle_areas(corners) > 1e-10]
    if not len(corners):
        return None
    n = len(corners)
    tone = np.float32(1.0 + rng.uniform(-0.12, 0.12))
    colour = np.clip(surface.colours[spot.triangle] * tone, 0.0, 1.0)
    grown = Surface(
        corners,
        corner_normals(corners),
        np.broadcast_to(colour, (n, 3)).astype(np.float32),
        np.full(n, spot.part, np.int32),
        np.full(n, surface.finish[spot.triangle], np.int32),
    )
    facts = {"shape": shape, "part": spot.part, "height": round(height, 4), "length": round(_length(path), 4)}
    return Damage("Burrs", concatenate([surface, grown]), corners.reshape(-1, 3), grown_from=len(surface), facts=facts)


def convex_edges(part: Surface) -> Edges:
    """Edges where two triangles of a part meet at more than 25 degrees, bulging outwards."""
    keys = np.round(part.corners.astype(np.float64) * 1e5).astype(np.int64).reshape(-1, 3)
    _, index = np.unique(keys, axis=0, return_inverse=True)
    triangles = index.reshape(-1, 3)
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    face = np.tile(np.arange(len(triangles)), 3)
    corner = np.repeat(np.arange(3), len(triangles))
    ordered = np.sort(pairs, axis=1)
    order = np.lexsort((ordered[:, 1], ordered[:, 0]))
    same = (ordered[order[1:]] == ordered[order[:-1]]).all(axis=1)
    first, second = order[:-1][same], order[1:][same]
    normals = corner_normals(part.corners)[:, 0].astype(np.float64)
    n1, n2 = normals[face[first]], normals[face[second]]
    a = part.corners[face[first], corner[first]].astype(np.float64)
    b = part.corners[face[first], (corner[first] + 1) % 3].astype(np.float64)
    opposite = part.corners[face[second], (corner[second] + 2) % 3].astype(np.float64)
    sharp = (n1 * n2).sum(axis=1) < np.cos(np.radians(_CREASE_DEG))
    convex = ((opposite - a) * n1).sum(axis=1) < -1e-6
    keep = sharp & convex
    outward = n1[keep] + n2[keep]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True).clip(1e-12)
    return Edges(np.stack([a[keep], b[keep]], axis=1), outward)


def _path(edges: Edges, start: Float64, length: float, step: float) -> tuple[Float64, Float64]:
    """Points [N, 3] along the crease nearest to ``start``, about ``length`` long, and outward directions [N, 3].

    At an edge's end the path goes on along the neighbour that turns least, if that is under 60 degrees.
    """
    d = edges.ends[:, 1] - edges.ends[:, 0]
    t = np.clip(((start - edges.ends[:, 0]) * d).sum(axis=1) / (d * d).sum(axis=1).clip(1e-30), 0.0, 1.0)
    at = edges.ends[:, 0] + t[:, None] * d
    nearest = int(np.linalg.norm(at - start, axis=1).argmin())
    halves = [_walk(edges, nearest, at[nearest], end, 0.5 * length, step) for end in (0, 1)]
    points = np.concatenate([halves[0][0][:0:-1], halves[1][0]])
    outward = np.concatenate([halves[0][1][:0:-1], halves[1][1]])
    return points, outward


def _walk(edges: Edges, edge: int, at: Float64, end: int, length: float, step: float) -> tuple[Float64, Float64]:
    """Points every ``step`` from ``at`` towards ``end`` (0 or 1) of an edge and beyond, until ``length`` is used up."""
    points, outward = [at], [edges.outward[edge]]
    left, used = length, {edge}
    while left > 0.0:
        goal = edges.ends[edge, end]
        way = goal - points[-1]
        distance = float(np.linalg.norm(way))
        n = max(1, int(np.ceil(min(distance, left) / step)))
        share = min(1.0, left / max(distance, 1e-12))
        begin = points[-1]
        points += [begin + way * share * (i + 1) / n for i in range(n)]
        outward += [edges.outward[edge]] * n
        left -= distance
        follow = _next(edges, goal, way / max(distance, 1e-12), used)
        if follow is None:
            break
        edge, end = follow
        used.add(edge)
    return np.array(points), np.array(outward)


def _next(edges: Edges, at: Float64, heading: Float64, used: set[int]) -> tuple[int, int] | None:
    """The unused edge that leaves ``at`` with the least turn, and the number of its far end."""
    best, found = np.cos(np.radians(60.0)), None
    for near in (0, 1):
        touching = np.flatnonzero(np.linalg.norm(edges.ends[:, near] - at, axis=1) < 1e-4)
        for index in map(int, touching):
            way = edges.ends[index, 1 - near] - edges.ends[index, near]
            cosine = float(way @ heading) / max(float(np.linalg.norm(way)), 1e-12)
            if index not in used and cosine > best:
                best, found = cosine, (index, 1 - near)
    return found


def _flash(path: Float64, outward: Float64, height: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """A thin ragged fin along the path, as where two halves of a mould do not close."""
    n = len(path)
    rough = np.convolve(rng.uniform(0.25, 1.0, n + 4), [0.25, 0.5, 0.25], "same")[2:-2]
    taper = np.minimum(1.0, np.minimum(np.arange(n), np.arange(n)[::-1]) / max(1.0, 0.15 * n))
    tall = height * rough * (0.15 + 0.85 * taper)
    lean = _sideways(path, outward)
    drift = np.cumsum(rng.normal(0.0, 0.12, n))[:, None] * lean * height * 0.3
    tip = path + outward * tall[:, None] + drift
    low = path - outward * 0.1 * height
    return _prism(low - lean * 0.09 * height, low + lean * 0.09 * height, tip)


def _spikes(path: Float64, outward: Float64, height: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """Bent thorns at random places of the path."""
    count = max(3, len(path) // 3)
    chosen = np.sort(rng.integers(0, len(path), count))
    lean = _sideways(path, outward)
    along = np.cross(outward, lean)
    made = []
    for i in map(int, chosen):
        tall = height * float(rng.uniform(0.5, 1.35))
        wide = height * float(rng.uniform(0.12, 0.3))
        angle = np.arange(5) * 2.0 * np.pi / 5.0
        ring = (
            path[i]
            - 0.1 * height * outward[i]
            + wide * (np.cos(angle)[:, None] * lean[i] + np.sin(angle)[:, None] * along[i])
        )
        tip = path[i] + tall * (outward[i] + rng.normal(0.0, 0.25) * lean[i] + rng.normal(0.0, 0.3) * along[i])
        made.append(np.stack([ring, np.roll(ring, -1, axis=0), np.broadcast_to(tip, ring.shape)], axis=1))
    return np.concatenate(made)


def _ragged(path: Float64, outward: Float64, height: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """Irregular lumps along the path, like torn plastic."""
    count = max(3, len(path) // 2)
    lean = _sideways(path, outward)
    made = []
    for i in map(int, np.sort(rng.integers(0, len(path), count))):
        size = height * float(rng.uniform(0.25, 0.75))
        centre = path[i] + 0.35 * size * outward[i] + rng.normal(0.0, 0.15) * size * lean[i]
        turned = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        lump = _ICOSAHEDRON * rng.uniform(0.55, 1.15, (12, 1)) * np.array([1.0, 0.8, 0.65]) * size
        made.append((centre + lump @ turned)[_ICOSAHEDRON_FACES])
    return np.concatenate(made)


def _sideways(path: Float64, outward: Float64) -> Float64:
    """Unit directions [N, 3] across the path and across ``outward``."""
    along = np.gradient(path, axis=0) if len(path) > 1 else np.eye(3)[None, 0]
    side = np.cross(along, outward)
    return np.asarray(side / np.linalg.norm(side, axis=1, keepdims=True).clip(1e-12))


def _prism(left: Float64, right: Float64, tip: Float64) -> NDArray[np.floating]:
    """Triangles of a strip with a triangular cross-section, closed at both ends."""
    made = [np.stack([tip[:1], left[:1], right[:1]], axis=1), np.stack([tip[-1:], right[-1:], left[-1:]], axis=1)]
    for a, b in ((left, tip), (tip, right)):
        made.append(np.stack([a[:-1], a[1:], b[:-1]], axis=1))
        made.append(np.stack([a[1:], b[1:], b[:-1]], axis=1))
    return np.concatenate(made)


def _length(path: Float64) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def _icosahedron() -> tuple[Float32, NDArray[np.int64]]:
    g = (1.0 + 5.0**0.5) / 2.0
    v = np.array([(s1, s2 * g, 0.0) for s1 in (-1, 1) for s2 in (-1, 1)])
    v = np.concatenate([v, np.roll(v, 1, axis=1), np.roll(v, 2, axis=1)])
    v /= np.linalg.norm(v[0])
    near = np.linalg.norm(v[:, None] - v[None], axis=2)
    edge = near < 1.1
    faces = [
        (i, j, k) if np.dot(np.cross(v[j] - v[i], v[k] - v[i]), v[i]) > 0 else (i, k, j)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if edge[i, j] and edge[j, k] and edge[i, k]
    ]
    return v.astype(np.float32), np.array(faces)


_ICOSAHEDRON, _ICOSAHEDRON_FACES = _icosahedron()
