"""STFPM: a student learns a teacher's feature pyramid on good photos (Wang et al. 2021, arXiv 2103.04257).

Teacher and student have the same architecture; the student starts from random weights. Where the student's normalized
features differ from the teacher's, it has never seen such a place. The maps of the layers are multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.backbones import load_backbone
from paad.detectors.maps import enlarge
from paad.detectors.network import NetworkDetector, backbone_features, descend
from paad.errors import UsageError
from paad.types import Progress


@dataclass(frozen=True)
class StfpmConfig:
    """Settings of STFPM; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the student's first weights and the order of the photos
    backbone: str = "bricknet"  # the teacher's network, and the student's
    weights: str | None = None  # file of the teacher's weights, or "random"
    layers: tuple[str, ...] = ("layer1", "layer2", "layer3")  # that are compared
    size: int = 160  # side in pixels to which photos are resized
    epochs: int = 12  # passes over the photos
    batch: int = 4  # photos a step
    optimizer: Literal["sgd", "adam"] = "adam"  # sgd: with momentum 0.9
    lr: float = 2e-3  # learning rate
    weight_decay: float = 1e-5  # of the optimizer
    hold_out: float = 0.0  # share of photos that choose the best epoch; 0: the last epoch is taken


def feature_distance(teacher: Tensor, student: Tensor) -> Tensor:
    """Half the squared distance [B, h, w] of features [B, C, h, w] that are scaled to length 1 at every position."""
    return 0.5 * (F.normalize(teacher, dim=1) - F.normalize(student, dim=1)).square().sum(1)


def pyramid_loss(teacher: Sequence[Tensor], student: Sequence[Tensor]) -> Tensor:
    """:func:`feature_distance`, its mean over photos and positions, summed over the layers."""
    return torch.stack([feature_distance(t, s).mean() for t, s in zip(teacher, student, strict=True)]).sum()


def anomaly_map(teacher: Sequence[Tensor], student: Sequence[Tensor], side: int) -> Tensor:
    """Maps [B, side, side]: the product over the layers of the enlarged distances."""
    maps = [enlarge(feature_distance(t, s), side) for t, s in zip(teacher, student, strict=True)]
    return torch.stack(maps).prod(0)


class StfpmNet(nn.Module):
    """Teacher and student."""

    def __init__(self, config: StfpmConfig, teacher: Any, student: Any) -> None:
        super().__init__()
        self.layers, self.side = config.layers, config.size
        self.teacher, self.student = teacher, student

    def learned(self, images: Tensor) -> list[Tensor]:
        """The student's features [B, C, h, w] by layer."""
        found = self.student(images)
        return [found[layer] for layer in self.layers]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B]): a score is its map's maximum."""
        wanted = self.teacher(images)
        maps = anomaly_map([wanted[layer] for layer in self.layers], self.learned(images), self.side)
        return maps, maps.amax((1, 2))


class Stfpm(NetworkDetector):
    """See the module and :class:`StfpmConfig`."""

    name = "stfpm"
    presets: ClassVar[dict[str, StfpmConfig]] = {
        "cpu": StfpmConfig(),
        "paper": StfpmConfig(
            preset="paper", backbone="resnet18", size=256, epochs=100, batch=32, optimizer="sgd", lr=0.4,
            weight_decay=1e-4, hold_out=0.2,
        ),
    }  # fmt: skip

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        if not 0.0 <= c.hold_out < 1.0:
            raise UsageError(f"stfpm: hold_out {c.hold_out} must be at least 0 and below 1")
        teacher = load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed + 1)
        student = load_backbone(c.backbone, layers=c.layers, weights="random", seed=c.seed, trainable=True)
        return StfpmNet(c, teacher, student).eval()

    def train(self, net: StfpmNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        wanted = backbone_features(net.teacher, images, c.layers)
        order = torch.randperm(len(images))
        kept = int(len(images) * c.hold_out)
        held_out, used = order[:kept], order[kept:]
        optimizer: torch.optim.Optimizer
        if c.optimizer == "sgd":
            optimizer = torch.optim.SGD(net.student.parameters(), c.lr, 0.9, weight_decay=c.weight_decay)
        else:
            optimizer = torch.optim.Adam(net.student.parameters(), c.lr, weight_decay=c.weight_decay)
        best, best_loss = None, float("inf")

        def loss_of(chosen: Tensor) -> Tensor:
            targets = [values[chosen].to(self.device) for values in wanted]
            return pyramid_loss(targets, net.learned(images[chosen].to(self.device)))

        for epoch in range(c.epochs):
            net.student.train()
            for part in torch.split(torch.randperm(len(used)), c.batch):
                descend(optimizer, loss_of(used[part]), self.name)
            if kept:
                net.student.eval()
                with torch.no_grad():
                    loss = sum(loss_of(part).item() * len(part) for part in torch.split(held_out, c.batch)) / kept
                if loss < best_loss:
                    best, best_loss = deepcopy(net.student.state_dict()), loss
            if progress:
                progress(epoch + 1, c.epochs, f"student, epoch {epoch + 1} of {c.epochs}")
        if best is not None:
            net.student.load_state_dict(best)
