"""DRAEM: repair a photo, and learn on simulated anomalies where it differs (Zavrtanik et al. 2021, arXiv 2108.07610).

Good photos are spoiled by foreign textures under a thresholded Perlin noise. One network learns to give the good photo
back, the other to find the spoiled pixels from both. The textures are procedural (``paad.synth.textures``) where the
paper takes photographs of the Describable Textures Dataset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.detectors.draem_nets import Comparer, Repairer, fill_first
from paad.detectors.network import NetworkDetector, batches, descend
from paad.errors import UsageError
from paad.synth.textures import perlin_noise, procedural_texture
from paad.types import Float32, Progress


@dataclass(frozen=True)
class DraemConfig:
    """Settings of DRAEM; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of first weights, simulated anomalies and the order of the photos
    weights: str | None = None  # of no use: both networks start from random weights
    size: int = 96  # side in pixels to which photos are resized; a multiple of 32, 64 at least
    repair_width: int = 8  # channels of the repairing network's first level
    compare_width: int = 8  # channels of the comparing network's first level
    epochs: int = 12  # passes over the photos
    batch: int = 4  # photos a step
    lr: float = 1e-3  # Adam's learning rate; a fifth of it after 4/7 of the epochs, a 25th after 6/7
    spoiled: float = 0.5  # share of the photos that are spoiled
    turn_deg: float = 45.0  # photos are turned by up to this angle
    turned: float = 0.3  # share of the photos that are turned
    noise_octaves: int = 6  # cells of the Perlin noise along each side: 2 to the power of 0 to this less one
    score_window: int = 11  # side of the mean filter before a map's maximum becomes the score, pixels at ``size``


def anomaly_mask(rng: np.random.Generator, side: int, octaves: int) -> Float32:
    """A binary mask [side, side]: Perlin noise of random cells along x and y, turned by up to 90 degrees, above 0.5."""
    cells = [min(2 ** int(rng.integers(octaves)), side) for _ in range(2)]
    noise = perlin_noise(rng, side, side, *cells)
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), float(rng.uniform(-90.0, 90.0)), 1.0)
    turned = cv2.warpAffine(noise, turn, (side, side))
    return np.asarray(turned > 0.5, np.float32)


def spoil(photo: Float32, mask: Float32, texture: Float32, opacity: float) -> Float32:
    """The photo [H, W, 3] with ``texture`` of that ``opacity`` where ``mask`` [H, W] is 1 (equation 2 of the paper)."""
    m = mask[..., None]
    return np.asarray((1.0 - m) * photo + m * ((1.0 - opacity) * photo + opacity * texture), np.float32)


def simulated(photo: Float32, rng: np.random.Generator, config: DraemConfig) -> tuple[Float32, Float32, Float32]:
    """(photo as it should be, spoiled photo, mask [H, W]) of a good photo [H, W, 3]."""
    side = photo.shape[0]
    if rng.random() < config.turned:
        angle = float(rng.uniform(-config.turn_deg, config.turn_deg))
        turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1.0)
        photo = cv2.warpAffine(photo, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    if rng.random() >= config.spoiled:
        return photo, photo, np.zeros((side, side), np.float32)
    mask = anomaly_mask(rng, side, config.noise_octaves)
    return photo, spoil(photo, mask, procedural_texture(rng, side, side), float(rng.uniform(0.1, 1.0))), mask


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean SSIM of photos [B, C, H, W] in [0, 1]: a Gaussian window of 11 x 11, sigma 1.5 (Wang 2004)."""
    x = torch.arange(-5.0, 6.0, device=first.device)
    line = torch.exp(-0.5 * (x / 1.5).square())
    line = line / line.sum()
    channels = first.shape[1]
    kernel = (line[:, None] * line).expand(channels, 1, 11, 11)

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(values, kernel, groups=channels)

    a, b = mean(first), mean(second)
    va, vb = mean(first * first) - a * a, mean(second * second) - b * b
    cov = mean(first * second) - a * b
    c1, c2 = 0.01**2, 0.03**2
    found = ((2 * a * b + c1) * (2 * cov + c2)) / ((a * a + b * b + c1) * (va + vb + c2))
    return found.mean()


def focal_loss(logits: Tensor, mask: Tensor, gamma: float = 2.0) -> Tensor:
    """Mean of -(1 - p)^gamma log p, p being the probability of each pixel's true class (Lin et al. 2017).

    ``logits`` [B, 2, H, W], ``mask`` [B, H, W] of 0 and 1.
    """
    log_p = torch.log_softmax(logits, 1).gather(1, mask.long()[:, None])[:, 0]
    return -((1.0 - log_p.exp()) ** gamma * log_p).mean()


class DraemNet(nn.Module):
    """Both networks."""

    def __init__(self, config: DraemConfig) -> None:
        super().__init__()
        self.window = config.score_window
        self.repairer, self.comparer = Repairer(config.repair_width), Comparer(config.compare_width)

    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(repaired photos [B, 3, S, S], logits [B, 2, S, S])."""
        repaired = self.repairer(images)
        return repaired, self.comparer(torch.cat([repaired, images], 1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, S, S], scores [B]): a score is the maximum of the map under a mean filter."""
        maps = torch.softmax(self.both(images)[1], 1)[:, 1]
        averaged = F.avg_pool2d(maps[:, None], self.window, stride=1, padding=self.window // 2)
        return maps, averaged.amax((1, 2, 3))


class Draem(NetworkDetector):
    """See the module and :class:`DraemConfig`."""

    name = "draem"
    presets: ClassVar[dict[str, DraemConfig]] = {
        "cpu": DraemConfig(),
        "paper": DraemConfig(
            preset="paper", size=256, repair_width=128, compare_width=64, epochs=700, batch=8, lr=1e-4, score_window=21
        ),
    }

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        if c.size % 32 or c.size < 64 or c.score_window % 2 == 0:
            raise UsageError(
                f"draem: size {c.size} must be a multiple of 32 from 64 on, and score_window {c.score_window} odd; "
                f"take size {max(64, round(c.size / 32) * 32)}"
            )
        net = DraemNet(c)
        net.apply(fill_first)
        return net.eval()

    def train(self, net: DraemNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        rng = np.random.default_rng(c.seed)
        photos = images.permute(0, 2, 3, 1).contiguous().numpy()
        optimizer = torch.optim.Adam(net.parameters(), c.lr)
        steps = -(-len(photos) // c.batch) * c.epochs
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [steps * 4 // 7, steps * 6 // 7], 0.2)
        net.train()
        for chosen in batches(len(photos), c.batch, c.epochs, progress, "simulated anomalies"):
            made = [simulated(photos[i], rng, c) for i in chosen.tolist()]
            good, spoiled, mask = (torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*made, strict=True))
            good, spoiled = good.permute(0, 3, 1, 2), spoiled.permute(0, 3, 1, 2)
            repaired, logits = net.both(spoiled)
            loss = F.mse_loss(repaired, good) + 1.0 - structural_similarity(repaired, good) + focal_loss(logits, mask)
            descend(optimizer, loss, self.name)
            schedule.step()
