"""Exact masks: which pixels show another surface on the damaged specimen than on the good one.

Both specimens are sampled without noise at the centres of a fine grid inside every pixel. A sample is changed where
the ray meets something else: another depth, another orientation, another colour, or nothing. A pixel is marked when
any of its samples is changed. Shadows and reflections that a defect throws on an unchanged surface are not marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.geometry.camera import Camera
from paad.geometry.se3 import inverse
from paad.synth.defects import Damage
from paad.synth.render_scene import Scene, ray_directions
from paad.synth.render_surface import Surface, pictured
from paad.synth.render_wavefront import Window
from paad.types import Bool, Float32, Float64

DEPTH_STEP = 5e-4
"""World units (0.06 % of the object's radius; a fifth of a pixel at 800 px): a nearer or farther surface is another."""
NORMAL_STEP_DEG = 3.0
COLOUR_STEP = 3.0 / 255.0
"""Of sRGB as a picture shows it: less than this is not a visible stain."""


@dataclass(frozen=True)
class Buffers:
    """Noise-free facts of the pixels of one view; [h, w] arrays, zero (part: -1) where no object is met.

    Attributes:
        triangle: int64 index into the surface (-1: none).
        part: int32 index of the brick.
        distance: float32 distance along the ray, world units.
        depth: float32 z-depth in the camera's frame, world units.
        normal: float32 [h, w, 3] shading normal, world frame.
        albedo: float32 [h, w, 3] base colour, linear RGB.
    """

    triangle: NDArray[np.int64]
    part: NDArray[np.int32]
    distance: Float32
    depth: Float32
    normal: Float32
    albedo: Float32


def buffers(scene: Scene, camera: Camera, cam_from_world: Float64, window: Window | None = None) -> Buffers:
    """What the centre ray of each pixel of ``window`` (default: the whole picture) meets."""
    triangle, distance = scene.hits(camera, cam_from_world, window)
    rays = ray_directions(camera, window)
    hit = triangle >= 0
    world_from_cam = inverse(cam_from_world)
    points = (rays[hit] * distance[hit, None]) @ world_from_cam[:3, :3].T + world_from_cam[:3, 3]
    weights = _barycentric(scene.surface, triangle[hit], points)
    part = np.full(triangle.shape, -1, np.int32)
    part[hit] = scene.surface.part[triangle[hit]]
    normal = _spread(weights, scene.surface.normals[triangle[hit]], hit)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-12)
    albedo = np.zeros((*hit.shape, 3), np.float32)
    albedo[hit] = scene.surface.colours[triangle[hit]]
    return Buffers(triangle, part, distance, (distance * rays[..., 2]).astype(np.float32), normal, albedo)


def differs(good: Buffers, bad: Buffers, reshaped: bool = True) -> Bool:
    """Where two specimens' buffers of the same view show another surface, bool [h, w].

    ``reshaped=False``: the two have the same shape, so that only colours are compared, at one and the same place. A
    ray that slips through a seam between the finer triangles of a stain would else look like a hole.
    """
    seen = (good.part >= 0) & (bad.part >= 0)
    turned = (good.normal * bad.normal).sum(axis=-1) < np.cos(np.radians(NORMAL_STEP_DEG))
    recoloured = np.abs(pictured(good.albedo) - pictured(bad.albedo)).max(axis=-1) > COLOUR_STEP
    moved = np.abs(good.distance - bad.distance) > DEPTH_STEP
    if not reshaped:
        return np.asarray(seen & recoloured & ~moved)
    return np.asarray(((good.part >= 0) != (bad.part >= 0)) | (seen & (moved | turned | recoloured)))


def change_mask(good: Scene, bad: Scene, damage: Damage, camera: Camera, cam_from_world: Float64, samples: int) -> Bool:
    """The mask [H, W] of a damaged specimen seen by ``camera``; ``samples`` along each side of a pixel.

    Only pixels near the damage are sampled. Where whole parts are gone, only what showed one of them can have
    changed; where something grew, only what shows it now. So a ray that slips through a seam marks nothing.
    """
    mask = np.zeros((camera.height, camera.width), bool)
    window = window_of(damage.touched, camera, cam_from_world, margin=1)
    if window is None:
        return mask
    x0, y0, x1, y1 = window
    fine = camera.resized(camera.width * samples, camera.height * samples)
    fine_window = (x0 * samples, y0 * samples, x1 * samples, y1 * samples)
    before, after = (buffers(scene, fine, cam_from_world, fine_window) for scene in (good, bad))
    changed = differs(before, after, damage.reshaped)
    if damage.gone:
        changed &= np.isin(before.part, sorted(damage.gone))
    if damage.grown_from is not None:
        changed &= after.triangle >= damage.grown_from
    mask[y0:y1, x0:x1] = changed.reshape(y1 - y0, samples, x1 - x0, samples).any(axis=(1, 3))
    return mask


def window_of(points: Float32, camera: Camera, cam_from_world: Float64, margin: int) -> Window | None:
    """The smallest window of whole pixels that holds the projection of ``points`` and ``margin`` pixels more.

    None where nothing of it lies in the picture; the whole picture where a point is beside or behind the camera.
    """
    if not len(points):
        return None
    pixels, depth = camera.project(points, cam_from_world)
    if depth.min() <= 1e-3:
        return (0, 0, camera.width, camera.height)
    low, high = np.floor(pixels.min(axis=0)) - margin, np.ceil(pixels.max(axis=0)) + margin
    x0, y0 = (int(max(v, 0)) for v in low)
    x1, y1 = int(min(high[0], camera.width)), int(min(high[1], camera.height))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _barycentric(surface: Surface, triangle: NDArray[np.int64], points: Float64) -> Float64:
    """Weights [N, 3] of the corners of ``triangle`` [N] at ``points`` [N, 3] on them, clipped to the triangle."""
    a, b, c = (surface.corners[triangle, k].astype(np.float64) for k in range(3))
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = ((u * v).sum(axis=1) for u, v in ((ab, ab), (ab, ac), (ac, ac)))
    d20, d21 = (ap * ab).sum(axis=1), (ap * ac).sum(axis=1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    weights = np.clip(np.stack([1.0 - v - w, v, w], axis=1), 0.0, 1.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _spread(weights: Float64, corner_values: Float32, hit: Bool) -> Float32:
    """Interpolated values of the met pixels, in a picture [h, w, 3]."""
    image = np.zeros((*hit.shape, 3), np.float32)
    image[hit] = (weights[..., None] * corner_values).sum(axis=1)
    return image
