"""UniAD: a transformer that reconstructs feature tokens without a short cut (You et al., NeurIPS 2022,
arXiv 2206.03687), here for one object.

Three things keep it from copying its input: attention is masked in each token's neighbourhood, each decoder layer has
learned queries of its own, and the tokens are jittered while training. A token's anomaly is the distance between its
features and their reconstruction; the score is the map's largest 16 x 16 mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.backbones import load_backbone
from paad.detectors.network import NetworkDetector, backbone_features, batches, descend
from paad.detectors.uniad_transformer import Reconstructor
from paad.errors import UsageError
from paad.types import Progress

_POOL_PX = 16


@dataclass(frozen=True)
class UniADConfig:
    """Settings of UniAD; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the first weights, jitter, dropout and the order of the photos
    backbone: str = "bricknet"  # network whose features are reconstructed
    weights: str | None = None  # file of the backbone's weights, or "random"
    layers: tuple[str, ...] = ("layer1", "layer2", "layer3")  # of the backbone
    size: int = 160  # side in pixels to which photos are resized, a multiple of 16
    stride: int = 16  # pixels a token
    hidden: int = 128  # length of a token inside the transformer
    heads: int = 4  # of each attention
    encoder_layers: int = 4  # of the transformer
    decoder_layers: int = 4  # of the transformer
    feedforward: int = 256  # hidden length of its feed-forward parts
    dropout: float = 0.0  # while training; it takes half of the time on a CPU
    neighbours: int = 5  # side of the masked square around a token, odd
    jitter: float = 20.0  # the noise is this times a token's norm over its length
    epochs: int = 22  # passes over the photos; the learning rate falls to a tenth after 80 %
    batch: int = 4  # photos a step
    lr: float = 3e-3  # AdamW's learning rate
    weight_decay: float = 1e-4  # AdamW's
    clip_norm: float = 0.1  # largest norm of a step's gradient


def align(features: Mapping[str, Tensor] | list[Tensor], layers: tuple[str, ...], side: int) -> Tensor:
    """Tokens [B, side * side, C]: the layers' features, each resized to [side, side], one after the other."""
    found = [features[name] for name in layers] if isinstance(features, Mapping) else features
    resized = [F.interpolate(x, (side, side), mode="bilinear", align_corners=True) for x in found]
    return torch.cat(resized, 1).flatten(2).transpose(1, 2)


def jittered(tokens: Tensor, scale: float) -> Tensor:
    """Tokens [B, N, C] plus normal noise of the standard deviation ``scale`` * |token| / C."""
    norms = tokens.square().sum(2, keepdim=True).sqrt()
    return tokens + torch.randn_like(tokens) * (scale / tokens.shape[2] * norms)


class UniADNet(nn.Module):
    """Backbone and reconstructor."""

    def __init__(self, config: UniADConfig, backbone: Any) -> None:
        super().__init__()
        self.size, self.side, self.layers, self.backbone = (
            config.size,
            config.size // config.stride,
            config.layers,
            backbone,
        )
        channels = sum(backbone.channels[name] for name in config.layers)
        self.reconstructor = Reconstructor(
            channels, self.side, config.hidden, config.heads, config.encoder_layers, config.decoder_layers,
            config.feedforward, config.dropout, config.neighbours,
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B])."""
        tokens = align(self.backbone(images), self.layers, self.side)
        distance = (self.reconstructor(tokens) - tokens).square().sum(2).sqrt()
        maps = distance.unflatten(1, (1, self.side, self.side))
        maps = F.interpolate(maps, (self.size, self.size), mode="bilinear", align_corners=True)
        return maps[:, 0], F.avg_pool2d(maps, _POOL_PX, stride=1).amax((1, 2, 3))


class UniAD(NetworkDetector):
    """See the module."""

    name = "uniad"
    presets: ClassVar[dict[str, UniADConfig]] = {
        "cpu": UniADConfig(),
        "paper": UniADConfig(
            "paper",
            backbone="efficientnet_b4",
            layers=("stage1", "stage2", "stage3", "stage4"),
            size=224,
            hidden=256,
            heads=8,
            dropout=0.1,
            feedforward=1024,
            neighbours=7,
            epochs=1000,
            batch=64,
            lr=1e-4,
        ),
    }

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        if c.size % c.stride or c.size < _POOL_PX:
            raise UsageError(f"size is {c.size}; uniad needs a multiple of its stride {c.stride}, at least {_POOL_PX}")
        if c.hidden % c.heads or c.hidden % 2:
            raise UsageError(f"hidden is {c.hidden}; it must be even and a multiple of heads, {c.heads}")
        return UniADNet(c, load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed)).eval()

    def train(self, net: UniADNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        tokens = align(backbone_features(net.backbone, images, c.layers), c.layers, net.side)
        model = net.reconstructor.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=c.lr, weight_decay=c.weight_decay)
        steps = c.epochs * -(-len(images) // c.batch)
        falls = torch.optim.lr_scheduler.MultiStepLR(optimizer, [max(1, round(0.8 * steps))])
        for chosen in batches(len(images), c.batch, c.epochs, progress, "transformer"):
            target = tokens[chosen].to(self.device)
            loss = F.mse_loss(model(jittered(target, c.jitter)), target)
            descend(optimizer, loss, self.name, c.clip_norm)
            falls.step()
