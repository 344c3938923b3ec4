"""CFA: good features are drawn into hyperspheres around a memory bank (Lee et al. 2022, arXiv 2206.04325).

A 1x1 convolution that knows the position turns features of a pretrained network into descriptors. The memory bank
holds one centre for each position, the average over good photos. Training pulls every descriptor into a sphere of
learned radius around its nearest centres (soft boundary) and keeps it out of those around the next ones (hard
negatives). A position's anomaly is the distance to the nearest centre, times how clearly it is the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from paad.backbones import load_backbone
from paad.detectors.maps import enlarge
from paad.detectors.network import NetworkDetector, backbone_features, batches, descend
from paad.detectors.patchcore import descriptors
from paad.types import Progress


@dataclass(frozen=True)
class CfaConfig:
    """Settings of CFA; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the descriptor's first weights and the order of the photos
    backbone: str = "bricknet"  # network whose features are described
    weights: str | None = None  # file of the backbone's weights, or "random"
    layers: tuple[str, ...] = ("layer2", "layer3")  # of the backbone; the first gives the grid
    size: int = 160  # side in pixels to which photos are resized
    width_divisor: int = 1  # descriptor's length is the features' divided by this (the paper's gamma_d)
    nearest: int = 3  # centres that attract a descriptor (K)
    negatives: int = 3  # next centres, which repel it (J)
    nu: float = 1e-3  # share of descriptors that may lie outside: the loss is divided by it
    margin: float = 0.1  # squared distance by which the spheres of hard negatives are kept away (alpha)
    radius: float = 1e-5  # first radius of the spheres
    blur: float = 3.0  # standard deviation of the map's smoothing, pixels at ``size``
    epochs: int = 12  # passes over the photos
    batch: int = 4  # photos a step
    lr: float = 1e-3  # AdamW's learning rate
    weight_decay: float = 5e-4  # AdamW's


def with_coordinates(features: Tensor) -> Tensor:
    """Features [B, C, h, w] with two more channels, x and y in [-1, 1] (CoordConv, arXiv 1807.03247)."""
    batch, _, height, width = features.shape
    y, x = (torch.linspace(-1.0, 1.0, n, device=features.device) for n in (height, width))
    planes = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return torch.cat([features, planes.expand(batch, 2, height, width)], 1)


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared distances [N, M] of ``points`` [N, D] to ``centres`` [M, D]."""
    squares = torch.addmm(centres.square().sum(1), points, centres.T, alpha=-2.0)
    return (squares + points.square().sum(1, keepdim=True)).clamp(min=0.0)


def hypersphere_loss(distances: Tensor, radius: Tensor, nearest: int, nu: float, margin: float) -> Tensor:
    """The paper's loss from the squared distances [N, K + J] to the nearest centres, in ascending order.

    The first ``nearest`` should lie within ``radius``, the others at least ``margin`` outside:
    (mean max(0, d - r^2) + mean max(0, r^2 - d - margin)) / nu.
    """
    square = radius.square()
    attract = (distances[:, :nearest] - square).clamp(min=0.0).mean()
    repel = (square - distances[:, nearest:] - margin).clamp(min=0.0)
    return (attract + (repel.mean() if repel.numel() else attract * 0.0)) / nu


def anomaly_scores(distances: Tensor) -> Tensor:
    """Scores [...] from distances [..., K] to the nearest centres, ascending: the least times its softmin share."""
    return distances[..., 0] * torch.softmax(-distances, -1)[..., 0]


class CfaNet(nn.Module):
    """Backbone, descriptor, and centres [h w, D]."""

    centres: Tensor

    def __init__(self, config: CfaConfig, backbone: Any) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        width = sum(backbone.channels[layer] for layer in config.layers)
        length = max(1, width // config.width_divisor)
        self.grid = -(-config.size // backbone.strides[config.layers[0]])
        self.descriptor = nn.Conv2d(width + 2, length, 1)
        self.radius = nn.Parameter(torch.full((), config.radius))
        self.register_buffer("centres", torch.zeros(self.grid**2, length))

    def describe(self, features: Sequence[Tensor]) -> Tensor:
        """Descriptors [B h w, D] of the backbone's features [B, C, h, w] by layer."""
        found: Tensor = self.descriptor(with_coordinates(descriptors(features, 3, 0)))
        return found.permute(0, 2, 3, 1).flatten(0, 2)

    def to_nearest(self, points: Tensor, count: int) -> Tensor:
        """Squared distances [N, count] of descriptors [N, D] to their nearest centres, ascending.

        The centres are chosen without gradients; only the chosen distances are differentiated.
        """
        count = min(count, len(self.centres))
        found = squared_distances(points.detach(), self.centres).topk(count, largest=False)
        if not points.requires_grad:
            return found.values
        return (points[:, None] - self.centres[found.indices]).square().sum(2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B]): a score is its map's maximum."""
        c = self.config
        found = self.backbone(images)
        points = self.describe([found[layer] for layer in c.layers])
        values = anomaly_scores(self.to_nearest(points, c.nearest).sqrt())
        maps = enlarge(values.reshape(-1, self.grid, self.grid), c.size, c.blur)
        return maps, maps.amax((1, 2))


class Cfa(NetworkDetector):
    """See the module and :class:`CfaConfig`."""

    name = "cfa"
    presets: ClassVar[dict[str, CfaConfig]] = {
        "cpu": CfaConfig(),
        "paper": CfaConfig(
            preset="paper", backbone="wide_resnet50_2", layers=("layer1", "layer2", "layer3"), size=224, blur=4.0,
            epochs=30,
        ),
    }  # fmt: skip

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        return CfaNet(c, load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed)).eval()

    def train(self, net: CfaNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        features = backbone_features(net.backbone, images, c.layers)

        def points_of(chosen: Tensor) -> Tensor:
            return net.describe([values[chosen].to(self.device) for values in features])

        with torch.no_grad():  # the centres belong to the untrained descriptor, and stay
            net.centres.zero_()
            for part in torch.split(torch.arange(len(images)), c.batch):
                net.centres += points_of(part).reshape(len(part), *net.centres.shape).sum(0) / len(images)
        learned = [*net.descriptor.parameters(), net.radius]
        optimizer = torch.optim.AdamW(learned, c.lr, weight_decay=c.weight_decay, amsgrad=True)
        for chosen in batches(len(images), c.batch, c.epochs, progress, "descriptor"):
            distances = net.to_nearest(points_of(chosen), c.nearest + c.negatives)
            descend(optimizer, hypersphere_loss(distances, net.radius, c.nearest, c.nu, c.margin), self.name)
