"""What a photo shows behind and around the object, so that a reference can be laid into it.

A photo on a table that came without a mask cannot be cut out well before its pose is known; with the pose, the
reference's own outline says where the object ends. Laid into the photo's surroundings, edges mix with the table's
colours in both pictures alike, and only what is neither table nor shadow counts as sticking out.
"""

from __future__ import annotations

import cv2
import numpy as np

from paad.compare.residual import blur
from paad.geometry.pixels import largest_difference
from paad.types import Bool, Float32

_REACH = 0.04
"""Share of the longer side within which something may stick out of the outline; beyond, all is surroundings."""
_OUTSIDE = 0.02
_LIKE, _SIGMAS = 0.06, 3.0
_DEEPEST_SHADOW = 0.15
_SIGMA_REDUCED_PX = 3.0
"""Width of the narrowest blur at the resolution at which surroundings are continued under the object."""


def surroundings_of(photo: Float32, alpha: Float32) -> Float32:
    """The photo [H, W, 3] without the object: as it is beyond the outline, and what lies next to it within.

    Args:
        photo: RGB as it was taken.
        alpha: the reference's coverage [H, W] at the photo's pose.
    """
    reach = max(2, round(_REACH * max(alpha.shape)))
    covered = (alpha > _OUTSIDE).astype(np.uint8)
    beyond = cv2.dilate(covered, np.ones((2 * reach + 1,) * 2, np.uint8)) == 0
    if not beyond.any():
        return photo
    nearby, spread = _filled(photo, beyond, float(reach))
    plain = beyond | ((covered == 0) & _may_be_ground(photo, nearby, spread))
    out: Float32 = np.where(plain[..., None], photo, nearby)
    return out


def _filled(photo: Float32, known: Bool, sigma: float) -> tuple[Float32, Float32]:
    """Mean [H, W, 3] and standard deviation [H, W, 1] of the known pixels nearby; coarser where none are near."""
    h, w = known.shape
    factor = min(max(1, int(sigma / _SIGMA_REDUCED_PX)), h, w)  # the time of a wide blur grows with its width
    size = (w // factor, h // factor)
    only = known.astype(np.float32)
    there, sums, squares = (
        cv2.resize(a, size, interpolation=cv2.INTER_AREA)
        for a in (only, photo * only[..., None], photo**2 * only[..., None])
    )
    mean = np.broadcast_to(photo[known].mean(axis=0), sums.shape).astype(np.float32)
    spread = np.broadcast_to(photo[known].std(axis=0).max(), (*there.shape, 1)).astype(np.float32)
    for scale in (8.0, 4.0, 2.0, 1.0):
        wide = scale * sigma / factor
        weight = blur(there, wide)[..., None]
        total = np.maximum(weight, 1e-6)
        here, square = blur(sums, wide) / total, blur(squares, wide) / total
        deviation = np.sqrt(np.maximum(square - here**2, 0.0)).max(axis=2, keepdims=True)
        trust = np.clip(weight / 0.05, 0.0, 1.0)
        mean, spread = trust * here + (1.0 - trust) * mean, trust * deviation + (1.0 - trust) * spread
    mean, spread = (cv2.resize(a, (w, h), interpolation=cv2.INTER_LINEAR) for a in (mean, spread))
    return mean, spread.reshape(h, w, 1)


def _may_be_ground(photo: Float32, nearby: Float32, spread: Float32) -> Bool:
    """Where a photo shows what lies nearby, or its shadow: darker, in the same hue."""
    light, usual = photo.mean(axis=2, keepdims=True), np.maximum(nearby.mean(axis=2, keepdims=True), 1e-3)
    shade = np.clip(light / usual, _DEEPEST_SHADOW, 1.0)
    near = largest_difference(photo, shade * nearby)
    out: Bool = near < np.maximum(_LIKE, _SIGMAS * spread[..., 0])
    return out
