"""Anomaly maps inside a network: enlarged to its input's size and smoothed, in operations that ONNX knows."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from paad.detectors.network import gaussian_blur


def enlarge(maps: Tensor, side: int, sigma: float = 0.0) -> Tensor:
    """Maps [B, h, w] at [B, side, side], bilinear, then blurred by a Gaussian of ``sigma`` pixels."""
    return gaussian_blur(F.interpolate(maps[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0], sigma)
