"""EfficientNet-B4 in its two public dialects, with torchvision's parameter names.

M. Tan and Q. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019. The dialects
differ in padding and in the normalization's epsilon: ``efficientnet_b4`` (torchvision, timm) pads both sides alike,
``tf_efficientnet_b4`` (timm's copies of the authors' weights, which UniAD and OmniposeAD use) pads as TensorFlow does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from paad.backbones.network import Backbone, Tap

STEM = 48
# Expansion, kernel, stride, channels, repeats of each stage: B0's, 1.4 times as wide and 1.8 times as deep.
_STAGES = (
    (1, 3, 1, 24, 2),
    (6, 3, 2, 32, 4),
    (6, 5, 2, 56, 4),
    (6, 3, 2, 112, 6),
    (6, 5, 1, 160, 6),
    (6, 5, 2, 272, 8),
    (6, 3, 1, 448, 2),
)
_ENDS = {"stage1": 1, "stage2": 2, "stage3": 3, "stage4": 5, "stage5": 7}
"""The stage of ``features`` that ends each layer: the last one at its stride (UniAD's blocks 1, 5, 9, 21, and 31)."""


class SamePad(nn.Module):
    """Zeros around a picture so that a strided window covers it: the odd one goes right and below, as in TensorFlow."""

    def __init__(self, side: int, stride: int) -> None:
        super().__init__()
        self.side, self.stride = side, stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to a larger H and W."""
        dy, dx = (max((-(-n // self.stride) - 1) * self.stride + self.side - n, 0) for n in x.shape[2:])
        return F.pad(x, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2))


class ConvNorm(nn.Sequential):
    """Convolution (module "0"), batch normalization (module "1"), and SiLU unless told not to."""

    def __init__(
        self, inside: int, outside: int, side: int, stride: int, groups: int, same: bool, active: bool = True
    ) -> None:
        padded = same and stride > 1
        conv = nn.Conv2d(inside, outside, side, stride, 0 if padded else side // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(outside, eps=1e-3 if same else 1e-5)
        super().__init__(conv, norm, *([nn.SiLU(inplace=True)] if active else []))
        self.pad = SamePad(side, stride) if padded else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, outside, H / stride, W / stride]."""
        if self.pad is not None:
            x = self.pad(x)
        for part in self:
            if part is not self.pad:
                x = part(x)
        return x


class SqueezeExcitation(nn.Module):
    """Channels weighted by what the whole picture shows (J. Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same shape."""
        weight: Tensor = self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * weight.sigmoid()


class MBConv(nn.Module):
    """Inverted residual: expand, depthwise convolution, squeeze and excite, project."""

    def __init__(self, inside: int, outside: int, expansion: int, side: int, stride: int, same: bool) -> None:
        super().__init__()
        wide = inside * expansion
        parts: list[nn.Module] = [] if expansion == 1 else [ConvNorm(inside, wide, 1, 1, 1, same)]
        parts += [
            ConvNorm(wide, wide, side, stride, wide, same),
            SqueezeExcitation(wide, inside // 4),
            ConvNorm(wide, outside, 1, 1, 1, same, active=False),
        ]
        self.block = nn.Sequential(*parts)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, outside, H / stride, W / stride]."""
        out: Tensor = self.block(x)
        return x + out if self.residual else out


class EfficientNetB4(Backbone):
    """EfficientNet-B4, as torchvision's ``efficientnet_b4`` without its head."""

    TAPS = {"stage1": Tap(24, 2), "stage2": Tap(32, 4), "stage3": Tap(56, 8), "stage4": Tap(160, 16), "stage5": Tap(448, 32)}  # noqa: RUF012, E501  # fmt: skip
    SAME = False

    def __init__(self, name: str, layers: Sequence[str], trainable: bool) -> None:
        super().__init__(name, layers, trainable)
        stages: list[nn.Module] = [ConvNorm(3, STEM, 3, 2, 1, self.SAME)]
        inside = STEM
        for expansion, side, stride, outside, repeats in _STAGES[: _ENDS[self.layers[-1]]]:
            blocks = []
            for i in range(repeats):
                blocks.append(MBConv(inside, outside, expansion, side, stride if i == 0 else 1, self.SAME))
                inside = outside
            stages.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(*stages)

    def steps(self) -> list[tuple[str | None, nn.Module]]:
        """Stem and stages; two layers end after more than one stage."""
        names = {end: layer for layer, end in _ENDS.items()}
        return [(names.get(i), stage) for i, stage in enumerate(self.features)]


class TfEfficientNetB4(EfficientNetB4):
    """EfficientNet-B4 with TensorFlow's padding and epsilon, as timm's ``tf_efficientnet_b4``."""

    SAME = True


def torchvision_name(key: str) -> str:
    """torchvision's name of one of timm's EfficientNet parameters; any other name unchanged."""
    if key.startswith("conv_stem."):
        return key.replace("conv_stem.", "features.0.0.")
    if key.startswith("bn1."):
        return key.replace("bn1.", "features.0.1.")
    found = re.fullmatch(r"blocks\.(\d+)\.(\d+)\.([a-z_0-9]+(?:\.conv_\w+)?)\.(\w+)", key)
    if found is None:
        return key
    stage, block, part, last = found.groups()
    separable = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "2.0", "bn2": "2.1"}
    inverted = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "3.0", "bn3": "3.1"}
    expands = stage != "0"
    squeeze = "2" if expands else "1"
    names = {**(inverted if expands else separable), "se.conv_reduce": f"{squeeze}.fc1", "se.conv_expand": f"{squeeze}.fc2"}  # noqa: E501  # fmt: skip
    if part not in names:
        return key
    return f"features.{int(stage) + 1}.{block}.block.{names[part]}.{last}"
