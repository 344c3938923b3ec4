"""OCR-GAN: reconstruction in frequency bands (Liang et al., IEEE TIP 2023, arXiv 2203.00259), with its augmentation.

The photo is split into a low and a high band (one step of a Laplacian pyramid), a generator with one U-Net a band and
channel selection between them restores both, and a discriminator tells their sum from photos. In the variant with
augmentation, which the paper reports, it must also reject photos with a pasted patch. The score is
0.9 * mean squared error of the picture + 0.1 * that of the discriminator's features.

Two things differ from the published code, in favour of the paper: the high band keeps its negative half, so that the
bands add up to the photo, and channel selection is learned. The paper has no pixel map; here it is the squared error,
blurred, and the blur is not part of the score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.detectors.network import NetworkDetector, batches, descend, gaussian_blur
from paad.detectors.ocrgan_nets import Discriminator, Generator, initialize, split_bands
from paad.errors import UsageError
from paad.types import Progress

_LOST = 1e-5  # a discriminator with a smaller loss has nothing left to learn and starts anew


@dataclass(frozen=True)
class OcrGanConfig:
    """Settings of OCR-GAN; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the first weights, the pasted patches and the order of the photos
    size: int = 128  # side in pixels to which photos are resized, a power of two
    width: int = 12  # channels of the first convolutions
    latent: int = 100  # length of the discriminator's features
    augment: bool = True  # show the discriminator photos with a pasted patch
    adversarial_weight: float = 1.0  # of the generator's adversarial loss
    picture_weight: float = 50.0  # of the mean absolute error of the picture
    latent_weight: float = 1.0  # of the mean squared error of the discriminator's features
    blur_px: float = 2.0  # of the anomaly map at the side ``size``
    epochs: int = 16  # passes over the photos
    batch: int = 8  # photos a step
    lr: float = 2e-4  # Adam's learning rate
    beta1: float = 0.5  # Adam's


def cut_paste(images: Tensor, jitter: float = 0.1) -> Tensor:
    """Photos [B, 3, H, W] in [0, 1], each with a patch of its own pasted elsewhere in slightly other colours.

    The patch covers 2 to 15 % of the photo, its sides have a ratio of 0.3 to 3.3; brightness, contrast, saturation and
    hue change by up to ``jitter``. Drawn from torch's global generator.
    """
    out = images.clone()
    height, width = images.shape[2:]
    for source, target in zip(images, out, strict=True):
        share, ratio = _uniform(0.02, 0.15), _uniform(0.3, 1.0 / 0.3)
        h = min(height, max(1, round(math.sqrt(share * height * width / ratio))))
        w = min(width, max(1, round(math.sqrt(share * height * width * ratio))))
        y, x, to_y, to_x = (int(_uniform(0.0, n + 1.0)) for n in (height - h, width - w, height - h, width - w))
        target[:, to_y : to_y + h, to_x : to_x + w] = _recolored(source[:, y : y + h, x : x + w], jitter)
    return out


def _recolored(patch: Tensor, jitter: float) -> Tensor:
    """A patch [3, h, w] with brightness, contrast, saturation (factors 1 ± jitter) and hue (± jitter turns) changed."""
    brightness, contrast, saturation = (_uniform(1.0 - jitter, 1.0 + jitter) for _ in range(3))
    patch = patch * brightness
    patch = patch.mean() + contrast * (patch - patch.mean())
    gray = patch.mean(0, keepdim=True)
    patch = gray + saturation * (patch - gray)
    return torch.einsum("ij,jhw->ihw", _hue_rotation(_uniform(-jitter, jitter)), patch).clamp(0.0, 1.0)


def _hue_rotation(turns: float) -> Tensor:
    """[3, 3]: the rotation of RGB about the gray axis."""
    c, s = math.cos(2.0 * math.pi * turns), math.sin(2.0 * math.pi * turns) / math.sqrt(3.0)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    return c * torch.eye(3) + (1.0 - c) / 3.0 + s * cross


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


class OcrGanNet(nn.Module):
    """Generator and discriminator; both are needed for the score."""

    def __init__(self, config: OcrGanConfig) -> None:
        super().__init__()
        self.blur = config.blur_px
        self.generator = Generator(config.size, config.width)
        self.discriminator = Discriminator(config.size, config.width, config.latent)
        self.apply(initialize)

    def restore(self, pictures: Tensor) -> Tensor:
        """The reconstruction [B, 3, S, S] of ``pictures`` in [-1, 1]."""
        low, high = self.generator(*split_bands(pictures))
        restored: Tensor = low + high
        return restored

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B]) of images in [0, 1]."""
        pictures = 2.0 * images - 1.0
        restored = self.restore(pictures)
        error = (pictures - restored).square().mean(1)
        latent = (self.discriminator(pictures)[1] - self.discriminator(restored)[1]).square().mean(1)
        return gaussian_blur(error, self.blur), 0.9 * error.mean((1, 2)) + 0.1 * latent


class OcrGan(NetworkDetector):
    """See the module."""

    name = "ocr-gan"
    presets: ClassVar[dict[str, OcrGanConfig]] = {
        "cpu": OcrGanConfig(),
        "paper": OcrGanConfig("paper", size=256, width=64, blur_px=4.0, epochs=200, batch=32),
    }

    def build(self, weights: str | None) -> nn.Module:
        size = self.config.size
        if size < 32 or size & (size - 1):
            raise UsageError(f"size is {size}; ocr-gan needs a power of two, at least 32")
        return OcrGanNet(self.config).eval()

    def train(self, net: OcrGanNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        net.train()
        betas = (c.beta1, 0.999)
        generator = torch.optim.Adam(net.generator.parameters(), lr=c.lr, betas=betas)
        discriminator = torch.optim.Adam(net.discriminator.parameters(), lr=c.lr, betas=betas)
        for chosen in batches(len(images), c.batch, c.epochs, progress, "generator and discriminator"):
            good = images[chosen]
            pictures = 2.0 * good.to(self.device) - 1.0
            pasted = 2.0 * cut_paste(good).to(self.device) - 1.0 if c.augment else None
            restored = net.restore(pictures)
            descend(generator, self.generator_loss(net, pictures, restored), self.name)
            loss = self.discriminator_loss(net, pictures, restored.detach(), pasted)
            descend(discriminator, loss, self.name)
            if loss.item() < _LOST:
                net.discriminator.apply(initialize)

    def generator_loss(self, net: OcrGanNet, pictures: Tensor, restored: Tensor) -> Tensor:
        """Pass for a photo, equal the photo, and equal its features."""
        c = self.config
        logits, latent = net.discriminator(restored)
        wanted = net.discriminator(pictures)[1].detach()
        total: Tensor = (
            c.adversarial_weight * F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
            + c.picture_weight * F.l1_loss(restored, pictures)
            + c.latent_weight * F.mse_loss(latent, wanted)
        )
        return total

    def discriminator_loss(self, net: OcrGanNet, pictures: Tensor, restored: Tensor, pasted: Tensor | None) -> Tensor:
        """Accept photos, reject reconstructions and pasted patches; features of photo and reconstruction stay near."""
        logits, latent = net.discriminator(pictures)
        false_logits, false_latent = net.discriminator(restored)
        loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        loss = loss + F.binary_cross_entropy_with_logits(false_logits, torch.zeros_like(false_logits))
        loss = loss + F.mse_loss(false_latent, latent)
        if pasted is not None:
            pasted_logits = net.discriminator(pasted)[0]
            loss = loss + F.binary_cross_entropy_with_logits(pasted_logits, torch.zeros_like(pasted_logits))
        return loss
