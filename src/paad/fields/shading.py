"""Which way the Gaussians' surface faces, and how much of the light from each side reaches it past the object itself.

Under light that moves, what a place shows is its paint times the light that reaches it. Diffuse light from everywhere
is linear in the light's spherical harmonics, with coefficients that depend on the place alone: its normal, and what the
object hides from it (precomputed radiance transfer: Sloan, Kautz and Snyder, SIGGRAPH 2002). They are measured on the
field itself: normals from depths drawn from the training views, averaged by the blending weights, and shadows by depth
maps from lamps all around (Williams, "Casting curved shadows on curved surfaces", SIGGRAPH 1978).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from paad.geometry.camera import Camera
from paad.geometry.depth import surface_normals
from paad.render.draw import collected
from paad.render.splats import Splats
from paad.render.threads import spread
from paad.types import Float32, Float64

NORMAL, TRANSFER = slice(0, 3), slice(3, 19)
"""Columns of a shading: the unit normal, and the transfer of light of degree 0 to 3 (sixteen numbers)."""
COLUMNS = TRANSFER.stop
OPEN = float(np.pi * 0.28209479177387814)
"""The transfer of degree 0 where nothing is hidden."""
_LAMPS, _MAP_PX = 128, 96
_FAR = 20.0
"""Distance of the lamps in reaches of the object: their light is all but parallel."""
_TOLERANCE = 0.02
"""Share of the reach by which a place must lie behind another to be in its shadow."""
_LEAST_SIDE = 480
"""Longer side in pixels of the pictures that normals come from: parts a pixel wide have none."""
_MOST_VIEWS = 24
_SOLID = 0.9
_WHITE = np.ones(3, np.float32)


def shading_of(splats: Splats, views: Sequence[tuple[Float64, Camera]], low: Float64, high: Float64) -> Float32:
    """Normal and transfer of each Gaussian, float32 [N, COLUMNS]; zeros for those that no view shows.

    Args:
        splats: the object.
        views: poses [4, 4] and cameras from which its surface is seen.
        low, high: [3], corners of the box that holds it.
    """
    normals = _normals(splats, views)
    return np.concatenate([normals, _transfer(splats, normals, low, high)], axis=1)


def _normals(splats: Splats, views: Sequence[tuple[Float64, Camera]]) -> Float32:
    total = np.zeros((len(splats), 3), np.float32)
    for pose, camera in views[:: max(1, len(views) // _MOST_VIEWS)]:
        larger = camera.scaled(max(1.0, _LEAST_SIDE / max(camera.width, camera.height)))
        drawn = splats.drawn(pose, larger, _WHITE)
        normals = surface_normals(drawn.depth, drawn.alpha, larger, pose) * (drawn.alpha > _SOLID)[..., None]
        total += collected(drawn, np.moveaxis(normals, 2, 0))
    out: Float32 = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
    return out


def _transfer(splats: Splats, normals: Float32, low: Float64, high: Float64) -> Float32:
    """Integral of visibility times cosine times each harmonic [N, 16]."""
    # an inspection reads this module, and does without torch
    import torch

    from paad.render.twin import spherical_harmonics

    centre, reach = 0.5 * (low + high), 0.5 * float(np.linalg.norm(high - low))
    towards = all_around(_LAMPS)
    focal = 0.5 * _MAP_PX * _FAR
    camera = Camera(_MAP_PX, _MAP_PX, focal, focal, 0.5 * _MAP_PX, 0.5 * _MAP_PX)
    poses = np.stack([_seen_from(centre + _FAR * reach * d, -d) for d in towards])
    depths = np.empty((_LAMPS, _MAP_PX, _MAP_PX), np.float32)
    for depth, pose in zip(depths, poses, strict=True):
        drawn = splats.drawn(pose, camera, _WHITE)
        depth[:] = np.where(drawn.alpha > 0.5, drawn.depth / np.maximum(drawn.alpha, 1e-6), np.inf)
    harmonics = spherical_harmonics(torch.from_numpy(towards.astype(np.float32)), TRANSFER.stop - TRANSFER.start)
    out = np.zeros((len(splats), harmonics.shape[1]), np.float32)
    tolerance = np.float32(_TOLERANCE * reach)
    lamps = (towards.astype(np.float32), poses.astype(np.float32), depths, harmonics.numpy())
    spread(_add_up, len(out), 512, splats.means, normals, *lamps, np.float32(focal), tolerance, out)
    return out * np.float32(4.0 * np.pi / _LAMPS)


def all_around(count: int) -> Float64:
    """Unit vectors [count, 3], evenly spread (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z, turn = 1.0 - 2.0 * k / count, np.pi * (1.0 + np.sqrt(5.0)) * k
    ring = np.sqrt(1.0 - z * z)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)


def _seen_from(eye: Float64, forward: Float64) -> Float64:
    """A pose [4, 4] at ``eye`` [3] that looks along ``forward`` [3]."""
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    x = np.cross(up, forward)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(forward, x), forward])
    pose[:3, 3] = -pose[:3, :3] @ eye
    return pose


@njit(cache=True, nogil=True, error_model="numpy")
def _add_up(
    start: int,
    stop: int,
    means: Any,
    normals: Any,
    towards: Any,
    poses: Any,
    depths: Any,
    harmonics: Any,
    focal: Any,
    tolerance: Any,
    out: Any,
) -> None:
    side = depths.shape[1]
    half = np.float32(0.5 * side - 0.5)
    for i in range(start, stop):
        for lamp in range(len(towards)):
            cosine = np.float32(0.0)
            for a in range(3):
                cosine += normals[i, a] * towards[lamp, a]
            if cosine <= 0.0:
                continue
            place = np.empty(3, np.float32)
            for a in range(3):
                place[a] = poses[lamp, a, 3]
                for b in range(3):
                    place[a] += poses[lamp, a, b] * (means[i, b] + tolerance * normals[i, b])
            u, v = focal * place[0] / place[2] + half, focal * place[1] / place[2] + half
            x, y = int(np.floor(u)), int(np.floor(v))
            lit = np.float32(0.0)  # the share of the four pixels around that are not nearer to the lamp
            for dy in range(2):
                for dx in range(2):
                    weight = (u - x if dx else 1 - u + x) * (v - y if dy else 1 - v + y)
                    xx, yy = min(max(x + dx, 0), side - 1), min(max(y + dy, 0), side - 1)
                    if place[2] < depths[lamp, yy, xx] + tolerance:
                        lit += weight
            for k in range(harmonics.shape[1]):
                out[i, k] += lit * cosine * harmonics[lamp, k]
