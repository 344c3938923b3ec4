"""What a rendered depth map says about the surface: depth carried across the outline, and normals."""

from __future__ import annotations

import cv2
import numpy as np

from paad.geometry.camera import Camera
from paad.types import Float32, Float64

_SMOOTH_PX, _SAME_SURFACE = 2.0, 0.01
"""Of the bilateral filter: its standard deviation in pixels, and in depth as a share of the median depth."""


def filled_depth(depth: Float32, alpha: Float32) -> Float32:
    """Expected depth [H, W], carried 2 pixels beyond the silhouette; 0 where there is nothing near.

    ``depth`` [H, W] is weighted by the coverage ``alpha`` [H, W], as the rasterizers draw it.
    """
    total = cv2.blur(depth, (5, 5), borderType=cv2.BORDER_CONSTANT)
    weight = cv2.blur(alpha, (5, 5), borderType=cv2.BORDER_CONSTANT)
    # where the pixel itself is opaque its own depth counts, not its neighbours'
    own = alpha > 0.5
    out = np.where(own, depth / np.maximum(alpha, 1e-6), total / np.maximum(weight, 1e-6))
    return np.where(own | (weight > 0.02), out, 0.0).astype(np.float32)


def surface_normals(depth: Float32, alpha: Float32, camera: Camera, cam_from_world: Float64) -> Float32:
    """Unit normals [H, W, 3] of the drawn surface, world coordinates, towards the camera; any unit vector elsewhere.

    Along each axis the nearer of the two neighbours in depth is taken, so that a step from one part to another does
    not count as a slope.

    Args:
        depth, alpha: [H, W], as the rasterizers draw them.
        camera: intrinsics of the picture.
        cam_from_world: [4, 4].
    """
    z = filled_depth(depth, alpha)
    there = z > 0
    if not there.any():
        return np.broadcast_to(np.array([0.0, 0.0, 1.0], np.float32), (*z.shape, 3)).astype(np.float32)
    usual = float(np.median(z[there]))
    smooth = cv2.bilateralFilter(np.where(there, z, usual), 7, _SAME_SURFACE * usual, _SMOOTH_PX)
    slopes = [_slope(smooth, axis) for axis in (1, 0)]
    # the surface z(x, y) has the point p = z (x', y', 1), x' = (x - cx) / fx, and the normal dp/dx times dp/dy
    x = ((np.arange(camera.width) + 0.5 - camera.cx) / camera.fx)[None].astype(np.float32)
    y = ((np.arange(camera.height) + 0.5 - camera.cy) / camera.fy)[:, None].astype(np.float32)
    nx, ny = slopes[0] * np.float32(camera.fx), slopes[1] * np.float32(camera.fy)
    normal = np.stack([nx, ny, -(smooth + x * nx + y * ny)], axis=-1)
    normal = cv2.blur(normal, (3, 3), borderType=cv2.BORDER_REPLICATE)
    normal /= np.maximum(np.sqrt((normal**2).sum(axis=2, keepdims=True)), 1e-9)
    turn = cam_from_world[:3, :3].astype(np.float32)
    # sums in a fixed order: a BLAS adds as memory lies
    out: Float32 = normal[..., :1] * turn[0] + normal[..., 1:2] * turn[1] + normal[..., 2:] * turn[2]
    return out


def _slope(z: Float32, axis: int) -> Float32:
    """The smaller of the differences to the two neighbours along ``axis`` [H, W]."""
    forward = np.diff(z, axis=axis)
    pad = [(0, 0), (0, 0)]
    pad[axis] = (0, 1)
    ahead = np.pad(forward, pad, mode="edge")
    pad[axis] = (1, 0)
    behind = np.pad(forward, pad, mode="edge")
    return np.where(np.abs(ahead) < np.abs(behind), ahead, behind).astype(np.float32)
