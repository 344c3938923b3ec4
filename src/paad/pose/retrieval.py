"""A coarse pose by retrieval: the training view that looks most like the photo lends it its camera.

OmniposeAD's paper (Zhou et al., 2023, section 4.2) compares multi-stage features of a frozen network; its code, and
SplatPose after it, counts the matches that LoFTR (Sun et al., 2021) finds. Here are both, and a third that needs no
network: the number of SIFT matches. Whichever it is, it ranks the views of a gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from paad.compare.feature_maps import FeatureNetwork, as_batch
from paad.errors import DataError
from paad.pose.local_features import find_features, match_features
from paad.types import Float32, Float64

Retrieval = Literal["features", "sift", "loftr"]


@dataclass(frozen=True)
class Ranking:
    """Views of a gallery, most similar first: ``order`` [N], and ``similarity`` [N] in the gallery's own order."""

    order: NDArray[np.int64]
    similarity: Float64


class Ranker(Protocol):
    """Ranks a gallery's views by their likeness to a photo [H, W, 3], and keeps what it needs as arrays."""

    def rank(self, photo: Float32) -> Ranking:
        """The gallery's views, most similar first."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Arrays from which the class's ``from_state`` builds it again."""


@dataclass(frozen=True)
class Gallery:
    """Training views to retrieve from: a ranker and the views' poses float64 [N, 4, 4], ``cam_from_world``."""

    ranker: Ranker
    poses: Float64

    def nearest(self, photo: Float32, count: int = 1) -> list[Float64]:
        """Poses [4, 4] of the ``count`` views most like ``photo`` [H, W, 3], best first."""
        return [self.poses[i].copy() for i in self.ranker.rank(photo).order[:count]]


def ranking_of(similarity: Float64) -> Ranking:
    """Largest first; of equals, the first in the gallery."""
    return Ranking(np.argsort(-similarity, kind="stable"), similarity)


def global_descriptor(stages: dict[str, Tensor], grid: int) -> Tensor:
    """One vector [B, D] for each picture: every stage pooled to ``grid`` x ``grid`` cells and scaled to length 1.

    The scaling lets each stage count alike, whatever its number of channels.
    """
    parts = [functional.adaptive_avg_pool2d(maps, grid).flatten(1) for maps in stages.values()]
    return torch.cat([functional.normalize(p, dim=1) for p in parts], dim=1) * float(len(parts) ** -0.5)


class FeatureRanker:
    """Cosine likeness of :func:`global_descriptor`.

    Args:
        net: the feature network.
        descriptors: float32 [N, D], of the gallery's views.
        side: pixels of the square that a picture is brought to.
        grid: cells of the pooling, each way.
        device: of the network.
    """

    def __init__(self, net: FeatureNetwork, descriptors: Float32, side: int, grid: int, device: str = "cpu") -> None:
        self.net, self.descriptors, self.side, self.grid, self.device = net, descriptors, side, grid, device

    @classmethod
    def of_photos(
        cls, net: FeatureNetwork, photos: Sequence[Float32], side: int, grid: int, device: str = "cpu"
    ) -> FeatureRanker:
        """Describe ``photos`` [H, W, 3].

        Raises:
            DataError: a photo is empty or not finite.
        """
        rows = [_described(net, photo, side, grid, device) for photo in photos]
        return cls(net, np.stack(rows), side, grid, device)

    def rank(self, photo: Float32) -> Ranking:
        """The gallery's views, most similar first."""
        own = _described(self.net, photo, self.side, self.grid, self.device)
        return ranking_of((self.descriptors @ own).astype(np.float64))

    def state(self) -> dict[str, NDArray[Any]]:
        """The descriptors; the network is loaded by name."""
        return {"descriptors": self.descriptors}


def _described(net: FeatureNetwork, photo: Float32, side: int, grid: int, device: str) -> Float32:
    with torch.inference_mode():
        row: Float32 = global_descriptor(net(as_batch(photo, side, device)), grid)[0].cpu().numpy()
    return row


class SiftRanker:
    """Number of mutual SIFT matches that pass Lowe's test.

    Args:
        descriptors: float32 [M, 128] of all views, one view after the other.
        counts: int64 [N], features of each view.
        per_view: features of a photo at most.
        ratio: of Lowe's test.
        enlarge: factor by which photos are enlarged first.
    """

    def __init__(
        self,
        descriptors: Float32,
        counts: NDArray[np.int64],
        per_view: int = 400,
        ratio: float = 0.85,
        enlarge: float = 2.0,
    ) -> None:
        self.descriptors, self.counts = descriptors, counts
        self.per_view, self.ratio, self.enlarge = per_view, ratio, enlarge

    @classmethod
    def of_photos(cls, photos: Sequence[Float32], **settings: Any) -> SiftRanker:
        """Describe ``photos`` [H, W, 3]; ``settings`` as in the class."""
        out = cls(np.zeros((0, 128), np.float32), np.zeros(0, np.int64), **settings)
        found = [find_features(p, None, out.per_view, out.enlarge).descriptors for p in photos]
        out.descriptors = np.concatenate([out.descriptors, *found])
        out.counts = np.array([len(f) for f in found], np.int64)
        return out

    def rank(self, photo: Float32) -> Ranking:
        """The gallery's views, most matches first."""
        own = find_features(photo, None, self.per_view, self.enlarge).descriptors
        views = np.split(self.descriptors, np.cumsum(self.counts)[:-1])
        return ranking_of(np.array([len(match_features(own, v, self.ratio)) for v in views], np.float64))

    def state(self) -> dict[str, NDArray[Any]]:
        """Descriptors as bytes (they are roots of at most 1), and how many each view has."""
        packed = np.clip(self.descriptors * 255.0 + 0.5, 0, 255).astype(np.uint8)
        return {"descriptors": packed, "counts": self.counts}

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], **settings: Any) -> SiftRanker:
        """Rebuild what :meth:`state` took apart."""
        rows = arrays["descriptors"].astype(np.float32)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        return cls(rows, arrays["counts"], **settings)


def grey_thumbnails(photos: Sequence[Float32], side: int) -> NDArray[np.uint8]:
    """Photos [H, W, 3] as grey squares uint8 [N, side, side]: what :class:`paad.pose.loftr.LoftrRanker` keeps.

    Raises:
        DataError: no photos.
    """
    if not photos:
        raise DataError("no views to retrieve from; give at least one")
    small = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in photos]
    grey = [cv2.cvtColor(s, cv2.COLOR_RGB2GRAY) for s in small]
    return np.stack([np.clip(g * 255.0 + 0.5, 0, 255).astype(np.uint8) for g in grey])
