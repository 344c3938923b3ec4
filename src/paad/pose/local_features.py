"""Local features of a photo and their matches: SIFT (Lowe, 2004) in its RootSIFT form, nearest in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.types import Float32, Float64

if TYPE_CHECKING:
    from paad.compare.feature_maps import FeatureNetwork

Index = NDArray[np.int64]


@dataclass(frozen=True)
class LocalFeatures:
    """N features: ``pixels`` float64 [N, 2] (pixel centres at 0.5), ``descriptors`` float32 [N, D] of length 1."""

    pixels: Float64
    descriptors: Float32

    def __len__(self) -> int:
        return len(self.pixels)


def find_features(image: Float32, mask: Float32 | None, count: int, enlarge: float = 1.0) -> LocalFeatures:
    """The ``count`` strongest SIFT features of a photo, on the object where a mask tells it.

    The descriptors are compared by their square roots, of unit sum: Arandjelovic and Zisserman, "Three things everyone
    should know to improve object retrieval" (2012).

    Args:
        image: RGB float32 [H, W, 3] in [0, 1].
        mask: object [H, W] in [0, 1], or None.
        count: how many features at most.
        enlarge: factor by which the photo is enlarged first; small pictures have few features at their own size.
    """
    grey = cv2.cvtColor(np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    allowed = None if mask is None else (mask > 0.5).astype(np.uint8)
    height, width = grey.shape
    size = (max(1, round(width * enlarge)), max(1, round(height * enlarge)))
    if size != (width, height):
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC if enlarge > 1 else cv2.INTER_AREA)
        allowed = None if allowed is None else cv2.resize(allowed, size, interpolation=cv2.INTER_NEAREST)
    # without precise upscaling, OpenCV's places are a quarter of a pixel off
    sift = cv2.SIFT.create(nfeatures=count, contrastThreshold=0.01, enable_precise_upscale=True)
    keypoints, found = sift.detectAndCompute(grey, allowed)
    if not keypoints:
        return LocalFeatures(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    # OpenCV's pixel centres are whole numbers, ours are halves
    pixels = (np.array([k.pt for k in keypoints], np.float64) + 0.5) * (width / size[0], height / size[1])
    roots = np.sqrt(np.maximum(found, 0.0) / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
    return LocalFeatures(pixels[:count], roots[:count].astype(np.float32))


def match_features(first: Float32, second: Float32, ratio: float) -> Index:
    """Pairs of rows [M, 2] of two sets of unit descriptors [N, D], [K, D] that are nearest to each other.

    A pair must also be nearer than ``ratio`` times the distance to the second nearest (Lowe's test).
    """
    if len(first) < 2 or len(second) < 2:
        return np.zeros((0, 2), np.int64)
    distance = np.sqrt(np.maximum(2.0 - 2.0 * first @ second.T, 0.0))
    best = distance.argmin(axis=1)
    back = distance.argmin(axis=0)
    two = np.partition(distance, 1, axis=1)[:, :2]
    good = (back[best] == np.arange(len(first))) & (two[:, 0] < ratio * two[:, 1])
    rows = np.flatnonzero(good)
    return np.stack([rows, best[rows]], axis=1)


def describe_by_network(
    net: FeatureNetwork, photo: Float32, features: LocalFeatures, device: str = "cpu", side: int = 320
) -> LocalFeatures:
    """The same keypoints, described by a network's features at their places, each stage scaled to length 1.

    Unlike SIFT's, such descriptors turn with the camera: they suit photos that are upright as the training views are.

    Args:
        net: gives maps by layer.
        photo: RGB float32 [H, W, 3] in [0, 1].
        features: keypoints of ``photo``.
        device: of the network.
        side: the photo is brought to this square.
    """
    import torch
    from torch.nn import functional

    height, width = photo.shape[:2]
    sized = cv2.resize(
        photo, (side, side), interpolation=cv2.INTER_AREA if max(height, width) > side else cv2.INTER_LINEAR
    )
    places = torch.from_numpy((2.0 * features.pixels / np.array([width, height]) - 1.0).astype(np.float32))
    with torch.inference_mode():
        maps = net(torch.from_numpy(np.ascontiguousarray(sized.transpose(2, 0, 1)))[None].to(device))
        parts = [
            functional.normalize(
                functional.grid_sample(m, places.to(device)[None, None], mode="bilinear", align_corners=False)[
                    0, :, 0
                ].T,
                dim=1,
            )
            for m in maps.values()
        ]
        rows: Float32 = (torch.cat(parts, dim=1) * len(parts) ** -0.5).cpu().numpy()
    return LocalFeatures(features.pixels, rows)
