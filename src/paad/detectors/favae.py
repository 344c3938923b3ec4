"""FAVAE: a variational autoencoder that reconstructs the photo and a pretrained network's features of it
(Dehaene and Eline 2020, arXiv 2008.05369).

The decoder's inner maps, each through an adapter of two 1x1 convolutions, must equal the teacher's features of the
photo. A pixel's anomaly is its squared error plus the squared errors of the features there, blurred. The settings of
the preset "paper" are those of the public implementation (128 px, width 128, Adam 0.005, 100 epochs, blur 4 px); its
teacher is a VGG-16, in whose place stands a ResNet-18 here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.backbones import load_backbone
from paad.detectors.network import NetworkDetector, backbone_features, batches, descend, gaussian_blur
from paad.errors import UsageError
from paad.types import Progress

_LEAK = 0.2
_NECK = 32  # channels on both sides of the latent vector


@dataclass(frozen=True)
class FavaeConfig:
    """Settings of FAVAE; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the first weights, the latent noise and the order of the photos
    backbone: str = "bricknet"  # the teacher
    weights: str | None = None  # file of the teacher's weights, or "random"
    layers: tuple[str, ...] = ("layer1", "layer2", "layer3")  # of the teacher, strides 2 to 16
    size: int = 128  # side in pixels to which photos are resized, a multiple of 16
    width: int = 24  # channels of the first convolution
    latent: int = 100  # length of the latent vector
    kl_weight: float = 1.0  # of the Kullback-Leibler term
    standardize: bool = True  # scale the teacher's channels to variance 1 on the training photos
    blur_px: float = 4.0  # of the anomaly map at the side ``size``
    epochs: int = 32  # passes over the photos
    batch: int = 16  # photos a step
    lr: float = 2e-3  # Adam's learning rate
    weight_decay: float = 1e-5  # Adam's


def kl_divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Divergence [B] of N(mean, exp(log_var)) from the standard normal; both [B, latent]."""
    return 0.5 * (log_var.exp() + mean.square() - 1.0 - log_var).sum(1)


def _down(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    """Convolution, normalization, leaky ReLU; a kernel of 4 halves the map."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, 2 if kernel == 4 else 1, 1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.LeakyReLU(_LEAK))


def _up(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    """The same transposed; a kernel of 4 doubles the map."""
    conv = nn.ConvTranspose2d(channels_in, channels_out, kernel, 2 if kernel == 4 else 1, 1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.LeakyReLU(_LEAK))


class FavaeNet(nn.Module):
    """Encoder, decoder, adapters, and the frozen teacher with its features' mean and scale."""

    def __init__(self, config: FavaeConfig, teacher: Any) -> None:
        super().__init__()
        w, cell = config.width, config.size // 16
        self.layers, self.blur, self.backbone = config.layers, config.blur_px, teacher
        self.encoder = nn.Sequential(
            _down(3, w, 4), _down(w, w, 4), _down(w, 2 * w, 3), _down(2 * w, 2 * w, 4), _down(2 * w, 4 * w, 3),
            _down(4 * w, 4 * w, 4), _down(4 * w, 4 * w, 3), _down(4 * w, _NECK, 3),
            nn.Conv2d(_NECK, 2 * config.latent, cell), nn.Flatten(),
        )  # fmt: skip
        first = nn.Sequential(
            nn.ConvTranspose2d(config.latent, _NECK, cell), nn.BatchNorm2d(_NECK), nn.LeakyReLU(_LEAK),
            _up(_NECK, 4 * w, 3), _up(4 * w, 4 * w, 3),
        )  # fmt: skip
        second = _up(4 * w, 4 * w, 4)
        third = nn.Sequential(_up(4 * w, 2 * w, 3), _up(2 * w, 2 * w, 4))
        fourth = nn.Sequential(_up(2 * w, w, 3), _up(w, w, 4))
        self.stages = nn.ModuleList([first, second, third, fourth])
        self.strides = (16, 8, 4, 2)
        self.picture = nn.Sequential(nn.ConvTranspose2d(w, 3, 4, 2, 1), nn.Sigmoid())
        widths = dict(zip(self.strides, (4 * w, 4 * w, 2 * w, w), strict=True))
        self.taps = [teacher.strides[name] for name in config.layers]
        self.adapters = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, c, 1), nn.ReLU(), nn.Conv2d(c, teacher.channels[name], 1))
            for name, c in ((name, widths[teacher.strides[name]]) for name in config.layers)
        )
        for i, name in enumerate(config.layers):
            self.register_buffer(f"mean{i}", torch.zeros(1, teacher.channels[name], 1, 1))
            self.register_buffer(f"scale{i}", torch.ones(1, teacher.channels[name], 1, 1))

    def standardized(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The teacher's features minus their mean, over their scale (0 and 1 unless they were set)."""
        return [(x - self.get_buffer(f"mean{i}")) / self.get_buffer(f"scale{i}") for i, x in enumerate(features)]

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent vector, each [B, latent]."""
        mean, log_var = self.encoder(images).chunk(2, 1)
        return mean, log_var

    def decode(self, latent: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The photo [B, 3, S, S] and the teacher's features of it, from the latent vector [B, latent]."""
        x, inner = latent[:, :, None, None], {}
        for stride, stage in zip(self.strides, self.stages, strict=True):
            x = inner[stride] = stage(x)
        features = [adapter(inner[stride]) for adapter, stride in zip(self.adapters, self.taps, strict=True)]
        return self.picture(x), features

    def error_map(self, images: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Squared errors [B, S, S] of the photo and of its standardized features, before the blur."""
        picture, decoded = self.decode(self.encode(images)[0])
        total = (picture - images).square().sum(1, keepdim=True)
        for mine, target in zip(decoded, features, strict=True):
            error = (mine - target).square().sum(1, keepdim=True)
            total = total + F.interpolate(error, images.shape[2:], mode="bilinear")
        return total[:, 0]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B]): a score is its map's maximum."""
        found = self.backbone(images)
        maps = gaussian_blur(self.error_map(images, self.standardized([found[n] for n in self.layers])), self.blur)
        return maps, maps.amax((1, 2))


class Favae(NetworkDetector):
    """See the module."""

    name = "favae"
    presets: ClassVar[dict[str, FavaeConfig]] = {
        "cpu": FavaeConfig(),
        "paper": FavaeConfig("paper", backbone="resnet18", width=128, standardize=False, epochs=100, batch=64, lr=5e-3),
    }

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        if c.size < 32 or c.size % 16:
            raise UsageError(f"size is {c.size}; favae needs a multiple of 16 pixels, at least 32")
        teacher = load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed)
        strides = {name: teacher.strides[name] for name in c.layers}
        if not set(strides.values()) <= {2, 4, 8, 16}:
            raise UsageError(f"layers have the strides {strides}; favae can align strides 2, 4, 8 and 16")
        return FavaeNet(c, teacher).eval()

    def train(self, net: FavaeNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        features = backbone_features(net.backbone, images, c.layers)
        if c.standardize:
            for i, x in enumerate(features):
                net.get_buffer(f"mean{i}").copy_(x.mean((0, 2, 3), keepdim=True))
                net.get_buffer(f"scale{i}").copy_(x.std((0, 2, 3), keepdim=True, correction=0).clamp_min(1e-3))
        learned = [part for name, part in net.named_children() if name != "backbone"]
        for part in learned:
            part.train()
        parameters = [p for part in learned for p in part.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=c.lr, weight_decay=c.weight_decay)
        for chosen in batches(len(images), c.batch, c.epochs, progress, "autoencoder"):
            target = net.standardized([x[chosen].to(self.device) for x in features])
            loss = self.loss(net, images[chosen].to(self.device), target)
            descend(optimizer, loss, self.name)

    def loss(self, net: FavaeNet, images: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Squared errors of photo and features, and the divergence: sums over a photo, mean over photos."""
        mean, log_var = net.encode(images)
        picture, decoded = net.decode(mean + torch.randn_like(mean) * (0.5 * log_var).exp())
        total = self.config.kl_weight * kl_divergence(mean, log_var) + (picture - images).square().sum((1, 2, 3))
        for mine, target in zip(decoded, features, strict=True):
            total = total + (mine - target).square().sum((1, 2, 3))
        mean_loss: Tensor = total.mean()
        return mean_loss
