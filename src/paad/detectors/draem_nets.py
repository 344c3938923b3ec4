"""The two networks of DRAEM: an autoencoder that repairs a photo, and a U-net that compares both."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def convolutions(*channels: int) -> nn.Sequential:
    """3x3 convolutions from each number of channels to the next, each with batch normalization and ReLU."""
    steps: list[nn.Module] = []
    for before, after in pairwise(channels):
        steps += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*steps)


def enlarging(before: int, after: int) -> nn.Sequential:
    """Twice the size, bilinear, then a convolution."""
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    return nn.Sequential(up, *convolutions(before, after))


class Repairer(nn.Module):
    """Autoencoder from photos [B, 3, H, W] to repaired ones of the same shape; H and W are multiples of 16."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.down = nn.ModuleList(
            convolutions(before, after, after)
            for before, after in ((3, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w), (8 * w, 8 * w))
        )
        up: list[nn.Module] = []
        for inside, after in ((8 * w, 4 * w), (4 * w, 2 * w), (2 * w, w), (w, w)):
            up += [enlarging(inside, inside), convolutions(inside, inside, after)]
        self.up = nn.Sequential(*up)
        self.last = nn.Conv2d(w, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, photos: Tensor) -> Tensor:
        """The repaired photos."""
        x = photos
        for i, block in enumerate(self.down):
            x = block(self.pool(x) if i else x)
        repaired: Tensor = self.last(self.up(x))
        return repaired


class Comparer(nn.Module):
    """U-net from a repaired photo and the photo, stacked [B, 6, H, W], to two classes' logits [B, 2, H, W].

    H and W are multiples of 32.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [width * k for k in (1, 2, 4, 8, 8, 8)]
        self.down = nn.ModuleList(
            convolutions(before, after, after) for before, after in zip([6, *sizes[:-1]], sizes, strict=True)
        )
        # Each step up halves the channels down to the next finer level's, but keeps them at the two coarsest.
        inside = [sizes[5], sizes[2], sizes[1], sizes[0], sizes[0]]
        self.up = nn.ModuleList()
        before = sizes[5]
        for skip, after in zip(sizes[4::-1], inside, strict=True):
            self.up.extend([enlarging(before, after), convolutions(skip + after, after, after)])
            before = after
        self.last = nn.Conv2d(width, 2, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, pair: Tensor) -> Tensor:
        """The logits of "good" and "defect"."""
        found: list[Tensor] = []
        for i, block in enumerate(self.down):
            found.append(block(self.pool(found[-1]) if i else pair))
        x = found[-1]
        for skip, enlarge, merge in zip(found[-2::-1], self.up[::2], self.up[1::2], strict=True):
            x = merge(torch.cat([enlarge(x), skip], 1))
        logits: Tensor = self.last(x)
        return logits


def fill_first(module: nn.Module) -> None:
    """First weights as the paper's: convolutions N(0, 0.02), normalizations' scales N(1, 0.02)."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
