"""OCR-GAN's parts: the split into frequency bands, channel selection, the two-band generator, the discriminator."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAK = 0.2
_MOST = 8  # the generator's widest maps have this many times the first width


def split_bands(images: Tensor) -> tuple[Tensor, Tensor]:
    """(low, high) [B, C, H, W] of images whose sides are even; low + high is the image.

    Low is the image blurred by the binomial kernel 1 4 6 4 1, sampled at every second pixel, and expanded again with
    the same kernel, as in Burt and Adelson's Laplacian pyramid (1983), mirrored at the border.
    """
    channels = images.shape[1]
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=images.dtype, device=images.device) / 16.0
    square = (kernel[:, None] * kernel[None, :]).expand(channels, 1, 5, 5)
    small = F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), square, stride=2, groups=channels)
    # Mirrored at the border of the image, samples at even positions continue with the second one before the first, and
    # with the last one again after the last, as it lies one pixel before the border.
    padded = torch.cat([small[:, :, 1:2], small, small[:, :, -1:]], 2)
    padded = torch.cat([padded[..., 1:2], padded, padded[..., -1:]], 3)
    low = F.conv_transpose2d(padded, 4.0 * square, stride=2, groups=channels)
    low = low[..., 4 : 4 + images.shape[2], 4 : 4 + images.shape[3]]
    return low, images - low


class ChannelSelection(nn.Module):
    """Weights each band's channels; a channel's two weights add up to 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 2, 32)
        self.squeeze = nn.Linear(channels, inner)
        self.select = nn.ModuleList(nn.Linear(inner, channels) for _ in range(2))

    def weights(self, low: Tensor, high: Tensor) -> Tensor:
        """[B, 2, C], from the mean of the bands' sum."""
        inner = self.squeeze((low + high).mean((2, 3)))
        return torch.stack([layer(inner) for layer in self.select], 1).softmax(1)

    def forward(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.weights(low, high)[..., None, None]
        return low * weights[:, 0], high * weights[:, 1]


def _down(channels_in: int, channels_out: int, first: bool, last: bool) -> nn.Sequential:
    """Halve the map. The first has no activation before it, first and last no normalization."""
    before: list[nn.Module] = [] if first else [nn.LeakyReLU(_LEAK)]
    after: list[nn.Module] = [] if first or last else [nn.BatchNorm2d(channels_out)]
    return nn.Sequential(*before, nn.Conv2d(channels_in, channels_out, 4, 2, 1, bias=False), *after)


def _up(channels_in: int, channels_out: int, last: bool) -> nn.Sequential:
    """Double the map; the last one gives a picture in [-1, 1]."""
    after: nn.Module = nn.Tanh() if last else nn.BatchNorm2d(channels_out)
    return nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(channels_in, channels_out, 4, 2, 1, bias=last), after)


class Band(nn.Module):
    """The steps of one band's U-Net, from ``size`` pixels down to one; every step up but the innermost sees a skip."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        levels = size.bit_length() - 1
        self.widths = [3, *(width * min(2**i, _MOST) for i in range(levels))]
        pairs, inmost = list(pairwise(self.widths)), levels - 1
        self.downs = nn.ModuleList(_down(a, b, i == 0, i == inmost) for i, (a, b) in enumerate(pairs))
        self.ups = nn.ModuleList(_up(b if i == inmost else 2 * b, a, i == 0) for i, (a, b) in enumerate(pairs))


class Generator(nn.Module):
    """A U-Net for each band, with channel selection between them after each step down."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.low, self.high = Band(size, width), Band(size, width)
        self.selections = nn.ModuleList(ChannelSelection(w) for w in self.low.widths[1:])

    def forward(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The restored bands."""
        kept: list[tuple[Tensor, Tensor]] = []
        for i, selection in enumerate(self.selections):
            low, high = selection(self.low.downs[i](low), self.high.downs[i](high))
            kept.append((low, high))
        for i in reversed(range(len(kept))):
            if i < len(kept) - 1:
                low, high = torch.cat([kept[i][0], low], 1), torch.cat([kept[i][1], high], 1)
            low, high = self.low.ups[i](low), self.high.ups[i](high)
        return low, high


class Discriminator(nn.Module):
    """A stack of convolutions down to 4 x 4, then to a vector of features, then to one logit."""

    def __init__(self, size: int, width: int, latent: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(_LEAK)]
        for _ in range(size.bit_length() - 4):
            parts += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(_LEAK)]
            width *= 2
        self.features = nn.Sequential(*parts, nn.Conv2d(width, latent, 4, bias=False))
        self.classifier = nn.Conv2d(latent, 1, 3, padding=1, bias=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(logits [B], features [B, latent])."""
        features = self.features(pictures)
        return self.classifier(features).flatten(), features.flatten(1)


def initialize(module: nn.Module) -> None:
    """Normal weights of deviation 0.02, around 0 for convolutions and linear layers, around 1 for normalizations."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
