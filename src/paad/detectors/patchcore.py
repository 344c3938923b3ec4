"""PatchCore: a memory bank of locally averaged features of good photos (Roth et al. 2022, arXiv 2106.08265).

A position's anomaly is the distance of its descriptor to the nearest one in the bank. The bank is a greedy coreset of
all good descriptors, chosen under a random projection. A photo's score is that of its most anomalous position,
weighted down where the bank is sparse around its nearest neighbour (equation 7 of the paper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.backbones import load_backbone
from paad.detectors.maps import enlarge
from paad.detectors.neighbours import Bank, greedy_coreset, projected
from paad.detectors.network import NetworkDetector, backbone_features
from paad.errors import UsageError
from paad.types import Progress


@dataclass(frozen=True)
class PatchCoreConfig:
    """Settings of PatchCore; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the random projection and of the coreset's first point
    backbone: str = "bricknet"  # network whose features are remembered
    weights: str | None = None  # file of the backbone's weights, or "random"
    layers: tuple[str, ...] = ("layer2", "layer3")  # of the backbone; the first gives the grid
    size: int = 160  # side in pixels to which photos are resized
    crop: int = 160  # side of the middle part that is looked at; the rest of the map gets the lowest value
    patch: int = 3  # side of the neighbourhood that is averaged, in positions of each layer
    dimensions: int = 0  # length to which descriptors are averaged; 0 keeps all channels
    coreset: float = 0.1  # share of the good descriptors that is kept
    projection: int = 128  # dimensions in which the coreset is chosen
    neighbours: int = 9  # neighbours in the bank that decide the score's weight
    blur: float = 3.0  # standard deviation of the map's smoothing, pixels at ``size``
    batch: int = 16  # photos that the backbone sees at once


class PatchCoreNet(nn.Module):
    """Backbone and bank [M, D]."""

    bank: Tensor

    def __init__(self, config: PatchCoreConfig, backbone: Any) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        self.register_buffer("bank", torch.zeros(0, 0))
        self.fast = True  # search by numpy's BLAS where the bank lies in main memory
        self._index: Bank | None = None

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:
        """Take a bank of any size."""
        if prefix + "bank" in state_dict:
            self.bank = torch.zeros_like(state_dict[prefix + "bank"])
        super()._load_from_state_dict(state_dict, prefix, *others)

    def describe(self, images: Tensor) -> Tensor:
        """Descriptors [B, D, h, w] of the middle part of ``images`` [B, 3, S, S]."""
        found = self.backbone(self.middle(images))
        return descriptors([found[layer] for layer in self.config.layers], self.config.patch, self.config.dimensions)

    def middle(self, images: Tensor) -> Tensor:
        """The part of ``images`` [B, 3, S, S] that is looked at."""
        c = self.config
        edge = (c.size - c.crop) // 2
        return images[:, :, edge : edge + c.crop, edge : edge + c.crop]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B])."""
        c = self.config
        found = self.describe(images)
        batch, length, height, width = found.shape
        patches = found.permute(0, 2, 3, 1).reshape(-1, length)
        distances, nearest = self.search(patches)
        grid = distances.reshape(batch, height * width)
        worst = grid.argmax(1)
        rows = worst + torch.arange(batch, device=worst.device) * (height * width)
        scores = reweighted(patches[rows], distances[rows], nearest[rows], self.bank, c.neighbours)
        maps = enlarge(grid.reshape(batch, height, width), c.crop, c.blur)
        edge = (c.size - c.crop) // 2
        rest = c.size - c.crop - edge
        if c.crop < c.size:
            lowest = maps.amin((1, 2), keepdim=True)
            maps = F.pad(maps - lowest, (edge, rest, edge, rest)) + lowest
        return maps, scores

    def search(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Distance [N] to, and index [N] of, the nearest point of the bank for ``patches`` [N, D]."""
        if self.fast and patches.device.type == "cpu":
            if self._index is None:
                self._index = Bank.of(self.bank.numpy())
            squares, index = self._index.nearest(patches.contiguous().numpy())
            return torch.from_numpy(np.sqrt(squares)), torch.from_numpy(index)
        squares_all = torch.addmm(self.bank.square().sum(1), patches, self.bank.T, alpha=-2.0)
        least, where = squares_all.min(1)
        return (least + patches.square().sum(1)).clamp(min=0.0).sqrt(), where


def descriptors(features: Sequence[Tensor], patch: int, dimensions: int) -> Tensor:
    """Locally averaged features [B, D, h, w] of several layers on the first one's grid.

    Each layer [B, C, h, w] is averaged over ``patch`` x ``patch`` positions (zeros beyond the border), the coarser
    ones are enlarged bilinearly, all are stacked and, if ``dimensions`` > 0, averaged along the channels to that many.
    """
    grid = features[0].shape[-2:]
    averaged = [F.avg_pool2d(f, patch, stride=1, padding=patch // 2) for f in features]
    resized = [a if a.shape[-2:] == grid else F.interpolate(a, grid, mode="bilinear") for a in averaged]
    stacked = torch.cat(resized, 1)
    if not 0 < dimensions < stacked.shape[1]:
        return stacked
    columns = stacked.permute(0, 2, 3, 1).flatten(0, 2)
    pooled = F.adaptive_avg_pool1d(columns[:, None], dimensions)[:, 0]
    return pooled.reshape(len(stacked), *grid, dimensions).permute(0, 3, 1, 2)


def reweighted(patches: Tensor, distances: Tensor, nearest: Tensor, bank: Tensor, count: int) -> Tensor:
    """Scores [B] of each photo's most anomalous descriptor, [B, D], equation 7 of the paper.

    The distance [B] to the nearest point m* (``nearest`` [B], an index into ``bank`` [M, D]) times
    1 - exp|p - m*| / sum over m of exp|p - m|, where m runs through the ``count`` neighbours of m* in the bank, itself
    among them. With a bank of one point the weight is 1.
    """
    count = min(count, len(bank))
    if count < 2:
        return distances
    around = torch.cdist(bank[nearest], bank, compute_mode="donot_use_mm_for_euclid_dist")
    support = bank[around.topk(count, largest=False).indices]
    far = (support - patches[:, None]).norm(dim=2)
    share = torch.exp(distances - torch.logsumexp(far, 1))
    return distances * (1.0 - share.clamp(max=1.0))


class PatchCore(NetworkDetector):
    """See the module and :class:`PatchCoreConfig`."""

    name = "patchcore"
    presets: ClassVar[dict[str, PatchCoreConfig]] = {
        "cpu": PatchCoreConfig(),
        "paper": PatchCoreConfig(
            preset="paper", backbone="wide_resnet50_2", size=256, crop=224, dimensions=1024, blur=4.0
        ),
    }

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        if not 0 < c.crop <= c.size or not 0.0 < c.coreset <= 1.0 or c.patch % 2 == 0 or 8 * c.blur >= c.crop:
            raise UsageError(
                f"patchcore: crop {c.crop} must be in 1 to size {c.size}, coreset {c.coreset} above 0 and at most 1, "
                f"patch {c.patch} odd, blur {c.blur} below crop / 8"
            )
        return PatchCoreNet(c, load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed)).eval()

    @torch.no_grad()
    def train(self, net: PatchCoreNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        parts: list[Tensor] = []
        for begin in range(0, len(images), c.batch):
            features = backbone_features(net.backbone, net.middle(images[begin : begin + c.batch]), c.layers, c.batch)
            found = descriptors(features, c.patch, c.dimensions)
            parts.append(found.permute(0, 2, 3, 1).flatten(0, 2))
            if progress:
                progress(min(begin + c.batch, len(images)), len(images) + 1, "descriptors of good photos")
        points = torch.cat(parts).numpy()
        count = max(int(c.coreset * len(points)), min(len(points), 2 * c.neighbours))
        start = int(np.random.default_rng(c.seed).integers(len(points)))
        chosen = greedy_coreset(projected(points, c.projection, c.seed), count, start)
        net.bank = torch.from_numpy(points[chosen]).to(self.device)
        if progress:
            progress(len(images) + 1, len(images) + 1, f"coreset of {count} from {len(points)} descriptors")

    def onnx_module(self) -> tuple[nn.Module, Tensor, list[str], list[str]]:
        """As the base says; the bank is searched by one matrix product inside the graph."""
        module, example, inputs, outputs = super().onnx_module()
        plain = copy(cast("PatchCoreNet", module))
        plain.fast = False
        return plain, example, inputs, outputs
