"""The slow, readable twin of the masks' buffers: every triangle against every sample, without a ray tracer."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paad.geometry.camera import Camera
from paad.synth.masks import COLOUR_STEP, DEPTH_STEP, NORMAL_STEP_DEG
from paad.synth.render_surface import Surface, pictured
from paad.synth.render_wavefront import Window
from paad.types import Bool, Float32, Float64


def nearest(
    surface: Surface, camera: Camera, cam_from_world: Float64, window: Window, offsets: Float64
) -> tuple[NDArray[np.int64], Float64, Float64]:
    """The nearest triangle under each sample of a window, by the signs of three determinants and a depth comparison.

    Args:
        offsets: [S, 2] places of the samples inside a pixel, in [0, 1].

    Returns:
        triangle [h, w, S] (-1: none), distance along the ray [h, w, S] (inf: none), barycentric weights [h, w, S, 3].
    """
    x0, y0, x1, y1 = window
    corners = surface.corners.astype(np.float64) @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
    places = corners[..., :2] / corners[..., 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    low = np.floor(places.min(axis=1)).astype(np.int64)
    high = np.floor(places.max(axis=1)).astype(np.int64) + 1
    overlaps = (low[:, 0] < x1) & (high[:, 0] > x0) & (low[:, 1] < y1) & (high[:, 1] > y0)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    found: tuple[NDArray[np.int64], Float64, Float64] = _search(
        corners, np.flatnonzero(overlaps), low, high, np.array(window), offsets, intrinsics
    )
    return found


@njit(cache=True)  # type: ignore[misc]
def _search(
    corners: Float64,
    candidates: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    window: NDArray[np.int64],
    offsets: Float64,
    intrinsics: Float64,
) -> tuple[NDArray[np.int64], Float64, Float64]:
    """Loop over triangles, pixels of their boxes and samples; see :func:`nearest`."""
    x0, y0, x1, y1 = window
    fx, fy, cx, cy = intrinsics
    shape = (y1 - y0, x1 - x0, len(offsets))
    triangle = np.full(shape, -1, np.int64)
    distance = np.full(shape, np.inf)
    weights = np.zeros((shape[0], shape[1], shape[2], 3))
    for t in candidates:
        a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
        bc, ca, ab = np.cross(b, c), np.cross(c, a), np.cross(a, b)
        volume = a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2]
        for row in range(max(low[t, 1], y0), min(high[t, 1], y1)):
            for column in range(max(low[t, 0], x0), min(high[t, 0], x1)):
                for k in range(len(offsets)):
                    rx = (column + offsets[k, 0] - cx) / fx
                    ry = (row + offsets[k, 1] - cy) / fy
                    # The ray is inside the cone of the triangle where these have one sign; their shares are weights.
                    u = rx * bc[0] + ry * bc[1] + bc[2]
                    v = rx * ca[0] + ry * ca[1] + ca[2]
                    w = rx * ab[0] + ry * ab[1] + ab[2]
                    total = u + v + w
                    if total == 0.0 or not ((u >= 0 and v >= 0 and w >= 0) or (u <= 0 and v <= 0 and w <= 0)):
                        continue
                    r = volume / total * np.sqrt(rx * rx + ry * ry + 1.0)
                    i, j = row - y0, column - x0
                    if 0.0 < r < distance[i, j, k]:
                        distance[i, j, k], triangle[i, j, k] = r, t
                        weights[i, j, k, 0], weights[i, j, k, 1], weights[i, j, k, 2] = u / total, v / total, w / total
    return triangle, distance, weights


def changed_samples(
    good: Surface, bad: Surface, camera: Camera, cam_from_world: Float64, window: Window, offsets: Float64
) -> Bool:
    """Samples [h, w, S] of a window where two specimens show another surface; the definition of the masks."""
    (t1, d1, w1), (t2, d2, w2) = (nearest(s, camera, cam_from_world, window, offsets) for s in (good, bad))
    seen = (t1 >= 0) & (t2 >= 0)
    changed = (t1 >= 0) != (t2 >= 0)
    i, j = t1[seen], t2[seen]
    n1, n2 = _normals(good, i, w1[seen]), _normals(bad, j, w2[seen])
    turned = (n1 * n2).sum(axis=1) < np.cos(np.radians(NORMAL_STEP_DEG))
    recoloured = np.abs(pictured(good.colours[i]) - pictured(bad.colours[j])).max(axis=1) > COLOUR_STEP
    changed[seen] = (np.abs(d1[seen] - d2[seen]) > DEPTH_STEP) | turned | recoloured
    return np.asarray(changed)


def faults(mask: Bool, changed: Bool, window: Window, least: float = 0.5) -> tuple[int, int]:
    """Pixels that a mask [H, W] misses, and pixels that it marks more than 1 px from any change.

    Args:
        changed: [h, w, S] samples of ``window``; nothing changes outside of it.
        least: share of a pixel's samples that must be changed for it to count as missed.
    """
    x0, y0, x1, y1 = window
    share = np.zeros(mask.shape)
    share[y0:y1, x0:x1] = changed.mean(axis=-1)
    missed = int(((share >= least) & ~mask).sum())
    near = np.pad(share > 0.0, 1)
    around = np.any(
        [near[dy : dy + mask.shape[0], dx : dx + mask.shape[1]] for dy in range(3) for dx in range(3)], axis=0
    )
    return missed, int((mask & ~around).sum())


def _normals(surface: Surface, triangle: NDArray[np.int64], weights: Float64) -> Float32:
    normal = (weights[:, :, None] * surface.normals[triangle]).sum(axis=1)
    unit: Float32 = normal / np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
    return unit
