"""Residual networks with torchvision's parameter names: ResNet-18 and Wide-ResNet-50-2.

K. He et al., "Deep residual learning for image recognition", CVPR 2016; S. Zagoruyko and N. Komodakis, "Wide residual
networks", BMVC 2016. As in torchvision, a bottleneck strides in its 3x3 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from paad.backbones.network import Backbone, Tap


def convolution(inside: int, outside: int, side: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size, up to the stride."""
    return nn.Conv2d(inside, outside, side, stride, padding=side // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inside: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = convolution(inside, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = convolution(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inside, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, planes, H / stride, W / stride]."""
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out = self.relu(out + (x if self.downsample is None else self.downsample(x)))
        return out


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the inner two have ``width`` channels, the last 4 x planes."""

    def __init__(self, inside: int, planes: int, stride: int, width: int) -> None:
        super().__init__()
        self.conv1 = convolution(inside, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, 4 * planes, 1)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(inside, 4 * planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inside, H, W] to [B, 4 * planes, H / stride, W / stride]."""
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out = self.relu(out + (x if self.downsample is None else self.downsample(x)))
        return out


def shortcut(inside: int, outside: int, stride: int) -> nn.Sequential | None:
    """The projection beside a block that changes the shape."""
    if inside == outside and stride == 1:
        return None
    return nn.Sequential(convolution(inside, outside, 1, stride), nn.BatchNorm2d(outside))


class _ResNet(Backbone):
    """Stem and up to four stages; ``_blocks`` makes the blocks of one stage."""

    def __init__(self, name: str, layers: Sequence[str], trainable: bool) -> None:
        super().__init__(name, layers, trainable)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inside = 64
        for i, layer in enumerate(self.TAPS):
            self.add_module(layer, self._blocks(i, inside))
            inside = self.TAPS[layer].channels
            if layer == self.layers[-1]:
                break

    def _blocks(self, stage: int, inside: int) -> nn.Sequential:
        raise NotImplementedError

    def steps(self) -> list[tuple[str | None, nn.Module]]:
        """Stem, then a step a stage."""
        stem: list[tuple[str | None, nn.Module]] = [
            (None, part) for part in (self.conv1, self.bn1, self.relu, self.maxpool)
        ]
        return stem + [(layer, self.get_submodule(layer)) for layer in self.TAPS if hasattr(self, layer)]


class ResNet18(_ResNet):
    """ResNet-18, as torchvision's ``resnet18`` without its classifier."""

    TAPS = {"layer1": Tap(64, 4), "layer2": Tap(128, 8), "layer3": Tap(256, 16), "layer4": Tap(512, 32)}  # noqa: RUF012

    def _blocks(self, stage: int, inside: int) -> nn.Sequential:
        planes = 64 * 2**stage
        return nn.Sequential(BasicBlock(inside, planes, 1 if stage == 0 else 2), BasicBlock(planes, planes, 1))


class WideResNet50(_ResNet):
    """Wide-ResNet-50-2, as torchvision's ``wide_resnet50_2`` without its classifier."""

    TAPS = {"layer1": Tap(256, 4), "layer2": Tap(512, 8), "layer3": Tap(1024, 16), "layer4": Tap(2048, 32)}  # noqa: RUF012

    def _blocks(self, stage: int, inside: int) -> nn.Sequential:
        planes, count = 64 * 2**stage, (3, 4, 6, 3)[stage]
        first = Bottleneck(inside, planes, 1 if stage == 0 else 2, 2 * planes)
        return nn.Sequential(first, *(Bottleneck(4 * planes, planes, 1, 2 * planes) for _ in range(count - 1)))
