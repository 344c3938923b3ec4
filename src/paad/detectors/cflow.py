"""CFlow-AD: flows of single feature vectors, conditioned on their position (Gudovskiy et al., WACV 2022,
arXiv 2107.12571).

Each layer of a pretrained network has a decoder: a flow over the C channels of one position (a "fiber"), whose
coupling networks also see the position's sine and cosine code. All positions share it. Training minimizes
-log sigmoid(log p / C); the map is the number of layers minus the sum of exp(log p / C - max), where the maximum is the
training photos' (the authors take the test set's, which a single photo does not have).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.backbones import load_backbone
from paad.detectors.flows import coupling_flow
from paad.detectors.network import NetworkDetector, backbone_features, descend
from paad.errors import UsageError
from paad.types import Progress

_WARM_UP_EPOCHS = 2


@dataclass(frozen=True)
class CFlowConfig:
    """Settings of CFlow; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the decoders' first weights and the order of the fibers
    backbone: str = "bricknet"  # network whose features are modelled
    weights: str | None = None  # file of the backbone's weights, or "random"
    layers: tuple[str, ...] = ("layer2", "layer3", "layer4")  # of the backbone
    size: int = 160  # side in pixels to which photos are resized
    couplings: int = 4  # coupling steps of each decoder
    condition: int = 64  # length of the position's code, a multiple of 4
    clamp: float = 1.9  # bound of a coupling step's log factor
    soft_permutation: bool = True  # rotate the channels between steps, in place of permuting them
    meta_epochs: int = 5  # the learning rate falls after each
    sub_epochs: int = 4  # passes over the photos in each meta epoch
    batch: int = 16  # photos from which fibers are mixed
    fibers: int = 512  # fibers a step
    lr: float = 1e-3  # Adam's learning rate


def position_code(channels: int, height: int, width: int) -> Tensor:
    """Sine and cosine of the position, float32 [channels, height, width]: the first half for x, the second for y.

    In each half, channels 2k and 2k + 1 are the sine and cosine of position / 10000^(2k / half).

    Raises:
        UsageError: ``channels`` is no positive multiple of 4.
    """
    if channels < 4 or channels % 4:
        raise UsageError(f"condition is {channels}; it must be a multiple of 4")
    half = channels // 2
    rate = torch.exp(torch.arange(0, half, 2) * (-math.log(1e4) / half))
    codes = []
    for length in (width, height):
        angle = torch.arange(length)[None, :] * rate[:, None]
        codes.append(torch.stack([angle.sin(), angle.cos()], 1).reshape(half, length))
    return torch.cat([codes[0][:, None, :].expand(-1, height, -1), codes[1][:, :, None].expand(-1, -1, width)])


def linear_subnet(channels_in: int, channels_out: int) -> nn.Module:
    """A coupling network of one hidden layer, twice as wide as its input."""
    return nn.Sequential(nn.Linear(channels_in, 2 * channels_in), nn.ReLU(), nn.Linear(2 * channels_in, channels_out))


def log_likelihood(z: Tensor, log_det: Tensor) -> Tensor:
    """log p / C [N] of fibers whose flow gave ``z`` [N, C] and ``log_det`` [N]."""
    channels = z.shape[1]
    return (-0.5 * z.square().sum(1) + log_det) / channels - 0.5 * math.log(2.0 * math.pi)


def anomaly_map(likelihoods: list[Tensor], peaks: Tensor, side: int) -> Tensor:
    """Maps [B, side, side] from each layer's log p / C [B, h, w]: number of layers - sum of exp(log p / C - peak)."""
    parts = [
        F.interpolate((values - peak).exp()[:, None], (side, side), mode="bilinear", align_corners=True)
        for values, peak in zip(likelihoods, peaks, strict=True)
    ]
    return len(parts) - torch.stack(parts).sum(0)[:, 0]


class CFlowNet(nn.Module):
    """Backbone and one decoder a layer. ``peaks`` [layers]: the largest log p / C of the training photos."""

    peaks: Tensor

    def __init__(self, config: CFlowConfig, backbone: Any) -> None:
        super().__init__()
        self.side, self.layers, self.condition, self.backbone = config.size, config.layers, config.condition, backbone
        position_code(config.condition, 1, 1)
        self.decoders = nn.ModuleList(
            coupling_flow(
                (backbone.channels[name],),
                [linear_subnet] * config.couplings,
                config.clamp,
                config.condition,
                config.soft_permutation,
            )
            for name in config.layers
        )
        self.register_buffer("peaks", torch.zeros(len(config.layers)))

    def likelihoods(self, features: list[Tensor]) -> list[Tensor]:
        """log p / C [B, h, w] of each layer's features [B, C, h, w]."""
        return [self._likelihood(decoder, x) for decoder, x in zip(self.decoders, features, strict=True)]

    def _likelihood(self, decoder: nn.Module, features: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        fibers = features.permute(0, 2, 3, 1).reshape(-1, channels)
        code = position_code(self.condition, height, width).to(features.device).reshape(self.condition, -1).T
        values = log_likelihood(*decoder(fibers, [code.repeat(batch, 1)]))
        return values.reshape(batch, height, width)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, side, side], scores [B]): a score is its map's maximum."""
        found = self.backbone(images)
        maps = anomaly_map(self.likelihoods([found[n] for n in self.layers]), self.peaks, self.side)
        return maps, maps.amax((1, 2))


def learning_rate(config: CFlowConfig, epoch: int, part: float) -> float:
    """The learning rate in meta epoch ``epoch`` of which the share ``part`` is done.

    Half a cosine from ``lr`` to a thousandth of it; over the first two meta epochs it climbs from a tenth of ``lr``.
    """

    def cosine(at: float) -> float:
        low = config.lr * 1e-3
        return low + (config.lr - low) * 0.5 * (1.0 + math.cos(math.pi * at / config.meta_epochs))

    if epoch >= _WARM_UP_EPOCHS:
        return cosine(epoch)
    start, end = 0.1 * config.lr, cosine(_WARM_UP_EPOCHS)
    return start + (end - start) * (epoch + part) / _WARM_UP_EPOCHS


class CFlow(NetworkDetector):
    """See the module."""

    name = "cflow"
    presets: ClassVar[dict[str, CFlowConfig]] = {
        "cpu": CFlowConfig(),
        "paper": CFlowConfig(
            "paper",
            backbone="wide_resnet50_2",
            size=256,
            couplings=8,
            condition=128,
            meta_epochs=25,
            sub_epochs=8,
            batch=32,
            fibers=256,
            lr=2e-4,
        ),
    }

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        return CFlowNet(c, load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed)).eval()

    def train(self, net: CFlowNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        features = backbone_features(net.backbone, images, c.layers)
        codes = [position_code(c.condition, *x.shape[2:]).reshape(c.condition, -1).T for x in features]
        optimizer = torch.optim.Adam([p for p in net.decoders.parameters() if p.requires_grad], lr=c.lr)
        for epoch in range(c.meta_epochs):
            for sub_epoch in range(c.sub_epochs):
                groups = torch.split(torch.randperm(len(images)), c.batch)
                for i, group in enumerate(groups):
                    part = (sub_epoch + i / len(groups)) / c.sub_epochs
                    optimizer.param_groups[0]["lr"] = learning_rate(c, epoch, part)
                    for decoder, x, code in zip(net.decoders, features, codes, strict=True):
                        self._pass(decoder, x[group], code, optimizer)
            if progress:
                progress(epoch + 1, c.meta_epochs, f"decoders, meta epoch {epoch + 1} of {c.meta_epochs}")
        with torch.no_grad():
            peaks = [self._peak(net, i, x) for i, x in enumerate(features)]
        net.peaks.copy_(torch.tensor(peaks))

    def _pass(self, decoder: nn.Module, features: Tensor, code: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Train one decoder on all fibers of some photos' ``features`` [B, C, h, w]."""
        batch, channels = features.shape[:2]
        fibers, codes = features.permute(0, 2, 3, 1).reshape(-1, channels), code.repeat(batch, 1)
        for chosen in torch.split(torch.randperm(len(fibers)), self.config.fibers):
            z, log_det = decoder(fibers[chosen].to(self.device), [codes[chosen].to(self.device)])
            loss = -F.logsigmoid(log_likelihood(z, log_det)).mean()
            descend(optimizer, loss, self.name)

    def _peak(self, net: CFlowNet, layer: int, features: Tensor, batch: int = 16) -> float:
        parts = [net._likelihood(net.decoders[layer], x.to(self.device)).amax() for x in torch.split(features, batch)]
        return float(torch.stack(parts).amax())
