"""How different a photo and its reference look to a feature network: a map from several stages and the colours.

The scoring of OmniposeAD (Zhou et al., "PAD: A Dataset and Benchmark for Pose-agnostic Anomaly Detection", 2023,
section 4.3), which SplatPose and SplatPose+ take over: the stages of a frozen network are enlarged to the picture's
size and put side by side with the picture itself; the map is the length of the difference vector at each pixel,
smoothed by a Gaussian; the score is its maximum. PIAD multiplies two such maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from paad.errors import DataError
from paad.types import Float32


class FeatureNetwork(Protocol):
    """What :func:`paad.backbones.load_backbone` returns: features [B, C, h, w] by stage of images [B, 3, H, W]."""

    def __call__(self, images: Tensor) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class FeatureScore:
    """How the map is made; the defaults are the papers'."""

    side: int = 224  # pixels of the square that both pictures are brought to
    sigma_px: float = 4.0  # standard deviation of the final Gaussian, pixels of that square
    with_rgb: bool = True  # whether the colours count as a stage


def as_batch(picture: Float32, side: int, device: str = "cpu") -> Tensor:
    """A picture [H, W, 3] as [1, 3, side, side], clipped to [0, 1].

    Raises:
        DataError: empty, or values that are not finite.
    """
    if picture.ndim != 3 or 0 in picture.shape or not np.isfinite(picture).all():
        raise DataError(f"picture of shape {picture.shape} cannot be compared; it must be [H, W, 3] and finite")
    how = cv2.INTER_AREA if max(picture.shape[:2]) > side else cv2.INTER_LINEAR
    sized = cv2.resize(np.clip(picture, 0.0, 1.0).astype(np.float32), (side, side), interpolation=how)
    return torch.from_numpy(np.ascontiguousarray(sized.transpose(2, 0, 1)))[None].to(device)


def stage_difference(net: FeatureNetwork, query: Tensor, reference: Tensor, with_rgb: bool = True) -> Tensor:
    """Length [H, W] of the difference of all stages side by side, of two pictures [1, 3, H, W].

    Enlarging is linear, so each stage's difference is enlarged; the stages need not lie in memory together.
    """
    size = (query.shape[2], query.shape[3])
    with torch.inference_mode():
        both = net(torch.cat([query, reference]))
        square = torch.zeros(size, device=query.device)
        if with_rgb:
            square += ((query - reference) ** 2).sum(dim=(0, 1))
        for maps in both.values():
            difference = functional.interpolate(maps[:1] - maps[1:], size=size, mode="bilinear", align_corners=False)
            square += (difference * difference).sum(dim=(0, 1))
        return square.sqrt()


def feature_difference(
    net: FeatureNetwork, query: Float32, reference: Float32, how: FeatureScore, device: str = "cpu"
) -> Float32:
    """The unsmoothed map [side, side] of two pictures [H, W, 3] of any size.

    Raises:
        DataError: one of them is empty or not finite.
    """
    a, b = (as_batch(p, how.side, device) for p in (query, reference))
    out: Float32 = stage_difference(net, a, b, how.with_rgb).cpu().numpy()
    return out


def smoothed(difference: Float32, sigma_px: float) -> Float32:
    """A map blurred by a Gaussian cut at four standard deviations, the rim mirrored."""
    if sigma_px <= 0:
        return difference
    side = 2 * round(4.0 * sigma_px) + 1
    out: Float32 = cv2.GaussianBlur(difference, (side, side), sigma_px, borderType=cv2.BORDER_REFLECT)
    return out


def score_and_map(difference: Float32, how: FeatureScore, width: int, height: int) -> tuple[float, Float32]:
    """Score and map [height, width] of an unsmoothed map [side, side]: smoothed, its maximum, then the photo's size."""
    blurred = smoothed(difference, how.sigma_px)
    full = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    return float(blurred.max()), np.ascontiguousarray(full, np.float32)


def compare_features(
    net: FeatureNetwork, query: Float32, reference: Float32, how: FeatureScore, device: str = "cpu"
) -> tuple[float, Float32]:
    """Score, and map [H, W] at the query's size, of a query and its reference [H, W, 3].

    Raises:
        DataError: one of them is empty or not finite.
    """
    difference = feature_difference(net, query, reference, how, device)
    return score_and_map(difference, how, query.shape[1], query.shape[0])
