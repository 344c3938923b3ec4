"""Query minus reference, as a defect shows it: blurred before the absolute value, at a fine and a broad scale."""

from __future__ import annotations

import cv2
import numpy as np

from paad.geometry.pixels import squared_distance
from paad.types import Float32

SCALES_PX = (1.0, 2.2)
"""Standard deviations of the blurs, in pixels of the compared resolution."""


def blur(image: Float32, sigma: float) -> Float32:
    """``image`` blurred by a Gaussian of ``sigma`` pixels."""
    out: Float32 = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return out


def residual_maps(query: Float32, reference: Float32) -> Float32:
    """Residual magnitude [S, H, W], one map a scale, of RGB images [H, W, 3] in [0, 1].

    Blurring the signed difference cancels noise and the two lobes that a misplaced edge leaves, and keeps a patch of
    another colour; the magnitude is the norm over the channels.
    """
    difference = query - reference
    return np.stack([np.sqrt(squared_distance(blur(difference, s), 0.0)) for s in SCALES_PX])


def gradient_magnitude(image: Float32) -> Float32:
    """Norm over channels and directions [H, W] of the central differences of ``image`` [H, W, C] or [H, W]."""
    stack = image if image.ndim == 3 else image[..., None]
    dx = cv2.Sobel(stack, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    dy = cv2.Sobel(stack, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    square = [squared_distance(d.reshape(*image.shape[:2], -1), 0.0) for d in (dx, dy)]
    out: Float32 = np.sqrt(square[0] + square[1])
    return out
