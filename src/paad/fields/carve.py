"""Where the object is: a grid carved by the silhouettes, its surface, normals and colours.

Space carving from silhouettes as in Szeliski, "Rapid octree construction from image sequences" (1993), on a plain
grid that is refined once: a coarse grid finds the object's box, a fine one its surface.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from paad.errors import DataError
from paad.render.threads import spread
from paad.types import Bool, Float32, Float64, PosedView

_COARSE = 48
_LEAST_POINTS = 1000
_MISSES_ALLOWED = 0.03
"""Share of the views in which a point may lie outside the mask: estimated masks lose a piece here and there."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points of a surface: ``xyz`` float64 [N, 3] world, ``rgb`` float32 [N, 3], ``spacing`` in scene units."""

    xyz: Float64
    rgb: Float32
    spacing: float


@njit(cache=True, nogil=True)
def _count_misses(
    start: int, stop: int, points: Any, projections: Any, masks: Any, sizes: Any, offsets: Any, seen: Any, missed: Any
) -> None:
    """Views ``seen`` [N] that have each point in the picture, and views ``missed`` [N] whose mask it falls beside."""
    for i in range(start, stop):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(projections.shape[0]):
            p = projections[k]
            depth = p[2, 0] * x + p[2, 1] * y + p[2, 2] * z + p[2, 3]
            if depth <= 0.0:
                continue
            u = math.floor((p[0, 0] * x + p[0, 1] * y + p[0, 2] * z + p[0, 3]) / depth)
            v = math.floor((p[1, 0] * x + p[1, 1] * y + p[1, 2] * z + p[1, 3]) / depth)
            if 0 <= u < sizes[k, 0] and 0 <= v < sizes[k, 1]:
                seen[i] += 1
                if masks[offsets[k] + v * sizes[k, 0] + u] == 0:
                    missed[i] += 1


def inside_silhouettes(
    points: Float64, views: Sequence[PosedView], masks: Sequence[Bool], misses: float = _MISSES_ALLOWED
) -> Bool:
    """Which points [N, 3] fall on the masks, in all views that have them in the picture but a share of ``misses``."""
    projections = np.stack([v.camera.matrix @ v.cam_from_world[:3] for v in views])
    sizes = np.array([(v.camera.width, v.camera.height) for v in views], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes[:, 0] * sizes[:, 1])[:-1]])
    flat = np.concatenate([m.ravel() for m in masks]).astype(np.uint8)
    seen, missed = np.zeros(len(points), np.int32), np.zeros(len(points), np.int32)
    spread(_count_misses, len(points), _LEAST_POINTS, points, projections, flat, sizes, offsets, seen, missed)
    enough = seen >= max(2, round(0.25 * len(views)))
    inside: Bool = enough & (missed <= misses * seen)
    return inside


def cell_centres(low: Float64, high: Float64, cells: int) -> tuple[Float64, float]:
    """Centres [X, Y, Z, 3] of cubic cells over a box, ``cells`` along its longest side, and their size."""
    size = float((high - low).max()) / cells
    counts = np.maximum(np.ceil((high - low) / size).astype(int), 1)
    axes = [low[i] + (np.arange(counts[i]) + 0.5) * size for i in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1), size


def carve(
    views: Sequence[PosedView], centre: Float64, radius: float, cells: int = 112
) -> tuple[SurfacePoints, Float64, Float64]:
    """Surface points of the visual hull, and the corners [3], [3] of its box in world coordinates.

    ``centre`` [3] and ``radius`` (scene units) bound where the object may be. Views without a mask are passed over.

    Raises:
        DataError: no mask at all, or nothing is left: the masks and poses do not belong together.
    """
    from scipy import ndimage  # only a fit waits for it

    masked = [v for v in views if v.mask is not None]
    if not masked:
        raise DataError("carving needs object masks; none of the views has one")
    masks = [ndimage.binary_dilation(np.asarray(v.mask) > 0.5, iterations=1) for v in masked]
    low, high = centre - radius, centre + radius
    for cells_now in (_COARSE, cells):
        grid, size = cell_centres(low, high, cells_now)
        solid = inside_silhouettes(grid.reshape(-1, 3), masked, masks).reshape(grid.shape[:3])
        if not solid.any():
            raise DataError(
                f"no point is inside the silhouettes of all {len(masked)} views; "
                "check that the masks show the object and that the poses are camera-to-world with OpenGL axes"
            )
        inside = grid[solid]
        low, high = inside.min(axis=0) - 1.5 * size, inside.max(axis=0) + 1.5 * size
    return _surface(grid, solid, size, masked), low, high


def _surface(grid: Float64, solid: Bool, size: float, views: Sequence[PosedView]) -> SurfacePoints:
    from scipy import ndimage

    padded = np.pad(solid, 1)
    shell = (solid & ~ndimage.binary_erosion(padded)[1:-1, 1:-1, 1:-1]).nonzero()
    smooth = ndimage.gaussian_filter(padded.astype(np.float32), 1.5)
    slopes = np.stack(np.gradient(smooth), axis=-1)[1:-1, 1:-1, 1:-1][shell]
    normals = -slopes / np.maximum(np.linalg.norm(slopes, axis=-1, keepdims=True), 1e-9)
    points = grid[shell]
    return SurfacePoints(points, surface_colours(points, normals.astype(np.float64), views), size)


def surface_colours(points: Float64, normals: Float64, views: Sequence[PosedView], best: int = 7) -> Float32:
    """Colours [N, 3] of surface points: the median over the ``best`` views that face each point most directly.

    A point that no view faces is grey. Occlusion is not tested: a point is seldom hidden from the views it faces.
    """
    facing = np.full((best, len(points)), 0.05, np.float32)
    colours = np.full((best, len(points), 3), np.nan, np.float32)
    for view in views:
        uv, z = view.camera.project(points, view.cam_from_world)
        eye = -view.cam_from_world[:3, :3].T @ view.cam_from_world[:3, 3]
        to_eye = eye - points
        cosine = np.einsum("ij,ij->i", normals, to_eye) / np.linalg.norm(to_eye, axis=1)
        x = np.clip(np.nan_to_num(uv[:, 0]), 0, view.camera.width - 1).astype(np.int64)
        y = np.clip(np.nan_to_num(uv[:, 1]), 0, view.camera.height - 1).astype(np.int64)
        cosine[(z <= 0) | (x != np.floor(uv[:, 0])) | (y != np.floor(uv[:, 1]))] = -1.0
        if view.mask is not None:
            cosine[view.mask[y, x] < 0.5] = -1.0
        slot = facing.argmin(axis=0)
        better = np.flatnonzero(cosine > facing[slot, np.arange(len(points))])
        facing[slot[better], better] = cosine[better]
        colours[slot[better], better] = view.image[y[better], x[better]].astype(np.float32) / 255.0
    seen = ~np.isnan(colours).all(axis=(0, 2))
    out = np.full((len(points), 3), 0.5, np.float32)
    out[seen] = np.nanmedian(colours[:, seen], axis=0)
    return out
