"""Object masks: read from files, or estimated from a plain background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from paad.data.images import PIXEL_LIMIT, load_image
from paad.types import Float32, UInt8


@dataclass(frozen=True)
class MaskEstimate:
    """An object mask taken from the background's colour.

    Attributes:
        mask: float32 [H, W] in [0, 1], 1 on the object.
        confidence: in [0, 1]; below 0.5 the background is not plain enough to be trusted.
        background: RGB [3] in [0, 1], the median of the border.
    """

    mask: Float32
    confidence: float
    background: Float32


def read_mask(path: Path) -> UInt8:
    """A mask file as uint8 [H, W], 255 on the object. Values of at most 127 all over are class numbers: 0 or not.

    Raises:
        DataError: the file is missing or damaged.
    """
    image = load_image(path, max_pixels=PIXEL_LIMIT)
    values = image[..., :3].max(axis=2)
    if image.shape[2] == 4:
        # A drawing tool's mask may be opaque on a transparent ground, in any colour, black included.
        values = image[..., 3] if int(values.max()) == 0 else np.minimum(values, image[..., 3])
    if int(values.max(initial=0)) <= 127:
        return np.where(values > 0, 255, 0).astype(np.uint8)
    return np.ascontiguousarray(values)


def estimate_mask(image: UInt8) -> MaskEstimate:
    """Object mask from a plain background."""
    lab = cv2.cvtColor(image[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    h, w = lab.shape[:2]
    b = max(2, round(0.02 * min(h, w)))
    inner = np.zeros((h, w), bool)
    inner[b:-b, b:-b] = True
    ring = lab[~inner]
    centre = np.median(ring, axis=0)
    distance = np.linalg.norm(lab - centre, axis=2)
    spread = np.percentile(np.linalg.norm(ring - centre, axis=1), 75)
    low = 2.0 + 3.0 * spread
    mask = np.clip((distance - low) / low, 0.0, 1.0).astype(np.float32)
    background = np.median(image[..., :3][~inner], axis=0).astype(np.float32) / np.float32(255)
    confidence = float(np.clip(1.5 - spread / 4.0, 0, 1)) if 0.001 < mask.mean() < 0.95 else 0.0
    return MaskEstimate(mask, confidence, background)
