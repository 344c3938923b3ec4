"""Where a photo tells most about its pose: iNeRF's interest regions."""

from __future__ import annotations

import cv2
import numpy as np

from paad.types import Bool, Float32

_KERNEL = 5


def interest_region(photo: Float32, mask: Float32 | None = None, dilations: int = 3) -> Bool:
    """Pixels [H, W] around the SIFT points of a photo [H, W, 3], dilated ``dilations`` times by 5 x 5 pixels.

    Yen-Chen et al., "iNeRF" (2021), section III-C. Points off the object's ``mask`` [H, W] do not count. A photo
    without a single point gives the mask, or where there is none the whole picture.
    """
    grey = cv2.cvtColor(np.clip(photo * 255.0 + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    allowed = None if mask is None else cv2.dilate((mask > 0.5).astype(np.uint8), np.ones((_KERNEL, _KERNEL), np.uint8))
    out = np.zeros(grey.shape, np.uint8)
    for point in cv2.SIFT.create().detect(grey, allowed):
        x, y = (round(c) for c in point.pt)
        out[min(max(y, 0), len(out) - 1), min(max(x, 0), out.shape[1] - 1)] = 1
    if not out.any():
        return np.ones(grey.shape, np.bool_) if allowed is None or not allowed.any() else allowed > 0
    region: Bool = cv2.dilate(out, np.ones((_KERNEL, _KERNEL), np.uint8), iterations=dilations) > 0
    return region
