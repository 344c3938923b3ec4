"""Missing: parts gone while the rest still holds together; on an object of one piece, a corner cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from paad.synth.defects import Damage, Spot
from paad.synth.render_surface import Surface, concatenate, corner_normals, triangle_areas
from paad.types import Float32, Float64

Holds = Callable[[frozenset[int]], bool]
"""Whether the object without these parts still holds together."""


def remove_parts(
    parts: Sequence[Surface], holds: Holds, area: float, spot: Spot, rng: np.random.Generator
) -> Damage | None:
    """Take away the part at ``spot`` or, where it carries others, one near it; then neighbours until about ``area``.

    Args:
        area: the projected area to reach, world units squared; a convex body's is a quarter of its surface.
    """
    centres = np.array([p.corners.reshape(-1, 3).mean(axis=0) for p in parts], np.float64)
    shown = np.array([shown_area(p) for p in parts])
    distance = np.linalg.norm(centres - spot.point, axis=1)
    distance[spot.part] = 0.0
    # Near in place and in size: a factor of e in area counts as much as a third of the object's radius.
    cost = distance + 0.25 * np.abs(np.log(np.maximum(shown, 1e-9) / area)) + rng.uniform(0.0, 0.05, len(parts))
    first = next((int(i) for i in np.argsort(cost) if holds(frozenset((int(i),)))), None)
    if first is None:
        return None
    gone = frozenset((first,))
    total = shown[first]
    near = np.argsort(np.linalg.norm(centres - centres[first], axis=1))
    for index in map(int, near[1:8]):
        if total + shown[index] <= 1.2 * area and len(gone) < 4 and holds(gone | {index}):
            gone |= {index}
            total += shown[index]
    rest = concatenate([p for i, p in enumerate(parts) if i not in gone])
    touched = np.concatenate([parts[i].corners.reshape(-1, 3) for i in sorted(gone)])
    return Damage("Missing", rest, touched, gone=gone, facts={"parts": sorted(gone)})


def shown_area(part: Surface) -> float:
    """The mean projected area of a part's box (Cauchy: a quarter of its surface), world units squared."""
    size = np.ptp(part.corners.reshape(-1, 3), axis=0).astype(float)
    return float(size[0] * size[1] + size[1] * size[2] + size[2] * size[0]) / 2.0


def chip(surface: Surface, area: float, spot: Spot, rng: np.random.Generator) -> Damage | None:
    """Cut off what lies beyond a plane near an outermost place, and close the cut.

    All that was beyond the plane is pressed onto it: the flat face that a saw would leave.
    """
    points = surface.corners.reshape(-1, 3).astype(np.float64)
    outward = spot.point / max(float(np.linalg.norm(spot.point)), 1e-9) + rng.normal(0.0, 0.3, 3)
    outward /= np.linalg.norm(outward)
    height = points @ outward
    # Lower the plane until the area it takes off is about twice the wanted projected one.
    order = np.linspace(height.max(), np.quantile(height, 0.5), 60)[1:]
    heights, areas = height.reshape(-1, 3).max(axis=1), triangle_areas(surface.corners)
    level = next((float(h) for h in order if areas[heights > h].sum() >= 2.0 * area), float(order[-1]))
    cut = slice_triangles(surface, outward, level)
    beyond = (cut.corners.astype(np.float64) @ outward).max(axis=1) > level + 1e-7
    if not beyond.any() or beyond.all():
        return None
    removed = cut.take(beyond)
    over = (removed.corners.astype(np.float64) @ outward - level)[..., None] * outward
    pressed = (removed.corners - over).astype(np.float32)
    keep = triangle_areas(pressed) > 1e-12
    flat = corner_normals(pressed[keep]) * 0.0 + outward.astype(np.float32)
    lid = Surface(pressed[keep], flat, removed.colours[keep], removed.part[keep], removed.finish[keep])
    return Damage(
        "Missing",
        concatenate([cut.take(~beyond), lid]),
        removed.corners.reshape(-1, 3),
        facts={"plane": [*map(float, outward), level]},
    )


def slice_triangles(surface: Surface, normal: Float64, level: float) -> Surface:
    """The same surface with every triangle that the plane ``normal @ x = level`` crosses split along it."""
    side = surface.corners.astype(np.float64) @ normal - level
    crossed = (side.max(axis=1) > 1e-9) & (side.min(axis=1) < -1e-9)
    if not crossed.any():
        return surface
    s, chosen = side[crossed], surface.take(crossed)
    above = s > 0.0
    # Turn each triangle so that corner 0 is alone on its side.
    lone = np.where(above.sum(axis=1) == 1, above.argmax(axis=1), (~above).argmax(axis=1))
    turn = (lone[:, None] + np.arange(3)) % 3
    rows = np.arange(len(s))[:, None]
    d = s[rows, turn]
    t1, t2 = d[:, 0] / (d[:, 0] - d[:, 1]), d[:, 0] / (d[:, 0] - d[:, 2])

    def split(values: Float32) -> Float32:
        v = values[rows, turn].astype(np.float64)
        p, q = (v[:, 0] + t[:, None] * (v[:, k] - v[:, 0]) for k, t in ((1, t1), (2, t2)))
        made = [(v[:, 0], p, q), (p, v[:, 1], v[:, 2]), (p, v[:, 2], q)]
        return np.concatenate([np.stack(m, axis=1) for m in made]).astype(np.float32)

    pieces = Surface(
        split(chosen.corners),
        split(chosen.normals),
        np.tile(chosen.colours, (3, 1)),
        np.tile(chosen.part, 3),
        np.tile(chosen.finish, 3),
    )
    return concatenate([surface.take(~crossed), pieces])
