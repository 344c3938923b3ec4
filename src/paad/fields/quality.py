"""How close a rendered view is to its photo: PSNR and SSIM, on the whole picture or on the object's pixels."""

from __future__ import annotations

import cv2
import numpy as np

from paad.types import Bool, Float32


def psnr(a: Float32, b: Float32, where: Bool | None = None) -> float:
    """Peak signal-to-noise ratio in dB of RGB images [H, W, 3] in [0, 1], over the pixels ``where`` [H, W]."""
    square = (np.clip(a, 0, 1).astype(np.float64) - np.clip(b, 0, 1)) ** 2
    error = float(square.mean() if where is None else square[where].mean())
    return -10.0 * float(np.log10(max(error, 1e-12)))


def ssim(a: Float32, b: Float32) -> float:
    """Structural similarity of RGB images [H, W, 3] in [0, 1]: Gaussian window, sigma 1.5, 11 x 11 pixels.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).
    """

    def blur(image: Float32) -> Float32:
        out: Float32 = cv2.GaussianBlur(image, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)
        return out

    x, y = np.clip(a, 0, 1).astype(np.float32), np.clip(b, 0, 1).astype(np.float32)
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    value = ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx * mx + my * my + 1e-4) * (vx + vy + 9e-4))
    return float(value.mean())
