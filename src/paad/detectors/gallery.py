"""The coarse pose as a part of a detector: built from training views by name, stored, and built again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from paad.backbones import Backbone, load_backbone
from paad.detectors.posed import view_photo
from paad.errors import UsageError
from paad.pose.retrieval import FeatureRanker, Gallery, Ranker, Retrieval, SiftRanker
from paad.types import Float32, PosedView


class CoarseConfig(Protocol):
    """The options of a coarse pose; every detector with one has these fields."""

    @property
    def retrieval(self) -> Retrieval:
        """ "features", "sift" or "loftr"."""

    @property
    def retrieval_side(self) -> int:
        """Pixels of the square that views are compared at."""

    @property
    def grid(self) -> int:
        """Cells, each way, that a stage's features are pooled to."""

    @property
    def loftr_weights(self) -> str | None:
        """File with LoFTR's weights."""


def all_stages(backbone: str) -> tuple[str, ...]:
    """The layers whose features the papers compare: all of them."""
    return tuple(f"stage{i}" for i in range(1, 6)) if "efficientnet" in backbone else ("layer1", "layer2", "layer3")


def comparing_network(backbone: str, weights: str | None, device: str, seed: int) -> Backbone:
    """The frozen network that retrieves and scores.

    Raises:
        UsageError: no such network.
        MissingDependencyError: its weights are not found.
        WeightsError: its file is not whole.
    """
    return load_backbone(backbone, all_stages(backbone), weights, device, seed)


def build_gallery(
    config: CoarseConfig, net: Backbone, views: Sequence[PosedView], background: Float32, cut_out: bool, device: str
) -> Gallery:
    """Describe the training views, over the field's background, for the retrieval that ``config`` names.

    Raises:
        UsageError: no such retrieval.
        MissingDependencyError: it needs an extra that is not installed.
    """
    photos = [view_photo(v, background, cut_out) for v in views]
    ranker: Ranker
    if config.retrieval == "features":
        ranker = FeatureRanker.of_photos(net, photos, config.retrieval_side, config.grid, device)
    elif config.retrieval == "sift":
        ranker = SiftRanker.of_photos(photos)
    elif config.retrieval == "loftr":
        from paad.pose.loftr import LoftrRanker, load_loftr

        ranker = LoftrRanker.of_photos(load_loftr(config.loftr_weights, device), photos, config.retrieval_side, device)
    else:
        raise UsageError(f"retrieval {config.retrieval!r} is not known; choose features, sift or loftr")
    return Gallery(ranker, np.stack([v.cam_from_world for v in views]))


def pack_gallery(gallery: Gallery) -> dict[str, NDArray[Any]]:
    """Its arrays, named ``gallery.<name>``."""
    return {"gallery.poses": gallery.poses, **{f"gallery.{k}": a for k, a in gallery.ranker.state().items()}}


def unpack_gallery(config: CoarseConfig, net: Backbone, tensors: Mapping[str, NDArray[Any]], device: str) -> Gallery:
    """Rebuild what :func:`pack_gallery` took apart.

    Raises:
        KeyError: a part is missing.
        MissingDependencyError: the retrieval needs an extra that is not installed.
    """
    own = {k.removeprefix("gallery."): a for k, a in tensors.items() if k.startswith("gallery.")}
    ranker: Ranker
    if config.retrieval == "features":
        ranker = FeatureRanker(net, own["descriptors"], config.retrieval_side, config.grid, device)
    elif config.retrieval == "sift":
        ranker = SiftRanker.from_state(own)
    else:
        from paad.pose.loftr import LoftrRanker, load_loftr

        ranker = LoftrRanker(load_loftr(config.loftr_weights, device), own["thumbnails"], device)
    return Gallery(ranker, own["poses"])
