"""CutPaste: tell photos from photos with a pasted piece, then look for outliers (Li et al. 2021, arXiv 2104.04015).

A network learns three classes: good, with a pasted rectangle, with a pasted scar. Its pooled features of good photos
are modelled by a Gaussian; a photo's score is the Mahalanobis distance. The map is Grad-CAM of that distance: as the
features are averages over positions, its gradient is known in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from paad.backbones import load_backbone
from paad.detectors.cutpaste_augment import cut_paste, cut_paste_scar, jittered, shifted
from paad.detectors.maps import enlarge
from paad.detectors.network import NetworkDetector, backbone_features, descend
from paad.errors import UsageError
from paad.types import Progress


@dataclass(frozen=True)
class CutPasteConfig:
    """Settings of CutPaste; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of augmentations, first weights and the order of the photos
    backbone: str = "bricknet"  # network that is trained
    weights: str | None = None  # file of its first weights, or "random"
    layer: str = "layer3"  # whose average over positions is the embedding
    size: int = 128  # side in pixels to which photos are resized
    ways: Literal[2, 3] = 3  # classes: 2 without scars
    head: tuple[int, ...] = (128,)  # hidden sizes of the classifier behind the embedding
    steps: int = 120  # updates
    frozen_steps: int = 20  # of these, first updates that train the classifier only
    batch: int = 4  # photos a step; the network sees each in every way
    lr: float = 0.03  # SGD's learning rate, falling to 0 as a cosine
    momentum: float = 0.9  # SGD's
    weight_decay: float = 3e-5  # SGD's
    jitter: float = 0.1  # strength of the change of colours
    blur: float = 4.0  # standard deviation of the map's smoothing, pixels at ``size``


def shrunk_covariance(points: Tensor) -> Tensor:
    """Covariance [D, D] of ``points`` [N, D], drawn towards a multiple of the identity (Ledoit and Wolf 2004)."""
    count, length = points.shape
    centred = points - points.mean(0)
    sample = centred.T @ centred / count
    middle = sample.diagonal().mean()
    distance = (sample - middle * torch.eye(length, dtype=points.dtype)).square().sum() / length
    spread = ((centred.square().sum(1).square().mean()) - sample.square().sum()) / count / length
    share = float(torch.minimum(spread, distance) / distance) if float(distance) > 0 else 1.0
    return (1.0 - share) * sample + share * middle * torch.eye(length, dtype=points.dtype)


def grad_cam(features: Tensor, offset: Tensor, precision: Tensor) -> Tensor:
    """Grad-CAM [B, h, w] of the squared Mahalanobis distance with respect to ``features`` [B, D, h, w].

    The embedding is the features' average over positions and ``offset`` [B, D] what it is beyond the mean of good ones,
    so the gradient is 2 P offset / (h w) at every position; the map is max(0, gradient . features).
    """
    positions = features.shape[2] * features.shape[3]
    weights = 2.0 * (offset @ precision) / positions
    return torch.einsum("bd,bdhw->bhw", weights, features).clamp(min=0.0)


class CutPasteNet(nn.Module):
    """Network, classifier, and the Gaussian of good embeddings: mean [D], precision [D, D]."""

    mean: Tensor
    precision: Tensor

    def __init__(self, config: CutPasteConfig, backbone: Any) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        length = backbone.channels[config.layer]
        steps: list[nn.Module] = []
        for before, after in zip([length, *config.head[:-1]], config.head, strict=True):
            steps += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU()]
        last = config.head[-1] if config.head else length
        self.head = nn.Sequential(*steps, nn.Linear(last, config.ways))
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("precision", torch.eye(length))

    def classify(self, images: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, 3, S, S]."""
        logits: Tensor = self.head(self.backbone(images)[self.config.layer].mean((2, 3)))
        return logits

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B])."""
        features = self.backbone(images)[self.config.layer]
        offset = features.mean((2, 3)) - self.mean
        scores = ((offset @ self.precision) * offset).sum(1).clamp(min=0.0).sqrt()
        return enlarge(grad_cam(features, offset, self.precision), self.config.size, self.config.blur), scores


class CutPaste(NetworkDetector):
    """See the module and :class:`CutPasteConfig`."""

    name = "cutpaste"
    presets: ClassVar[dict[str, CutPasteConfig]] = {
        "cpu": CutPasteConfig(),
        "paper": CutPasteConfig(
            preset="paper", backbone="resnet18", weights="random", layer="layer4", size=256, head=(512, 128),
            steps=256 * 256, frozen_steps=0, batch=32, blur=8.0,
        ),
    }  # fmt: skip

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        if c.ways not in (2, 3):
            raise UsageError(f"cutpaste: ways {c.ways} must be 2 or 3")
        backbone = load_backbone(c.backbone, layers=(c.layer,), weights=weights, seed=c.seed, trainable=True)
        return CutPasteNet(c, backbone).eval()

    def train(self, net: CutPasteNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        backbone_features(net.backbone, images[:1], (c.layer,))  # damaged weights are found before a long training
        rng = np.random.default_rng(c.seed)
        photos = images.permute(0, 2, 3, 1).contiguous().numpy()
        makers = (lambda image, _: image, cut_paste, cut_paste_scar)[: c.ways]
        labels = torch.arange(c.ways).repeat(c.batch).to(self.device)
        optimizer = torch.optim.SGD(net.parameters(), c.lr, c.momentum, weight_decay=c.weight_decay)
        for step in range(c.steps):
            frozen = step < c.frozen_steps
            net.train()
            net.backbone.train(not frozen)
            net.backbone.requires_grad_(not frozen)
            optimizer.param_groups[0]["lr"] = c.lr * 0.5 * (1.0 + math.cos(math.pi * step / c.steps))
            made = []
            for i in rng.integers(len(photos), size=c.batch):
                base = jittered(shifted(photos[i], rng), rng, c.jitter)
                made += [make(base, rng) for make in makers]
            seen = torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).to(self.device)
            descend(optimizer, nn.functional.cross_entropy(net.classify(seen), labels), self.name)
            if progress:
                progress(step + 1, c.steps, "telling good photos from spoiled ones")
        net.eval()
        self._model_good_ones(net, images)

    @torch.no_grad()
    def _model_good_ones(self, net: CutPasteNet, images: Tensor) -> None:
        """Fit the Gaussian to the embeddings of ``images``."""
        found = backbone_features(net.backbone, images, (self.config.layer,))[0].mean((2, 3)).double()
        covariance = shrunk_covariance(found)
        floor = 1e-6 * max(float(covariance.diagonal().mean()), 1e-6)  # one photo, or equal ones, have no spread
        covariance += floor * torch.eye(len(covariance), dtype=covariance.dtype)
        net.mean.copy_(found.mean(0))
        net.precision.copy_(torch.linalg.inv(covariance))
