"""Where the object is in a picture, and what is put behind it."""

from __future__ import annotations

import numpy as np

from paad.geometry.camera import Camera
from paad.types import Float32, Float64

_MARGIN = 8


def composite(image: Float32, mask: Float32 | None, background: Float32) -> Float32:
    """``image`` [H, W, 3] over ``background`` [3] by ``mask`` [H, W]; without a mask the image itself."""
    if mask is None:
        return image
    out: Float32 = image * mask[..., None] + background * (1.0 - mask[..., None])
    return out


def box_window(camera: Camera, cam_from_world: Float64, low: Float64, high: Float64) -> tuple[int, int, int, int]:
    """Pixel window x0, y0, width, height that holds the box [low, high] and a margin, clipped to the picture.

    A box that reaches behind the camera gives the whole picture.
    """
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    uv, z = camera.project(corners, cam_from_world)
    if (z <= 1e-6).any():
        return 0, 0, camera.width, camera.height
    x0, y0 = np.clip(np.floor(uv.min(axis=0)) - _MARGIN, 0, [camera.width - 1, camera.height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(uv.max(axis=0)) + _MARGIN, [x0 + 1, y0 + 1], [camera.width, camera.height]).astype(int)
    return int(x0), int(y0), int(x1 - x0), int(y1 - y0)
