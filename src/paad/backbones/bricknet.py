"""BrickNet: the small network that ships with paad, so that everything runs offline.

A residual network for one CPU core: two strided 3x3 convolutions in place of a 7x7 one and a pooling, two basic blocks
a stage, 48 to 256 channels. How its weights were trained and how good they are: docs/model_card_bricknet.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from paad.backbones.network import Backbone, Tap
from paad.backbones.resnet import BasicBlock, convolution

STEM = 24
EMBEDDED = Path(__file__).with_name("bricknet.safetensors")
"""The trained weights, float16."""


class BrickNet(Backbone):
    """Four stages at strides 4 to 32."""

    TAPS = {"layer1": Tap(48, 4), "layer2": Tap(96, 8), "layer3": Tap(160, 16), "layer4": Tap(256, 32)}  # noqa: RUF012

    def __init__(self, name: str, layers: Sequence[str], trainable: bool) -> None:
        super().__init__(name, layers, trainable)
        inside = self.TAPS["layer1"].channels
        self.stem = nn.Sequential(
            convolution(3, STEM, 3, 2), nn.BatchNorm2d(STEM), nn.ReLU(inplace=True),
            convolution(STEM, inside, 3, 2), nn.BatchNorm2d(inside), nn.ReLU(inplace=True),
        )  # fmt: skip
        for layer, tap in self.TAPS.items():
            first = BasicBlock(inside, tap.channels, 1 if layer == "layer1" else 2)
            self.add_module(layer, nn.Sequential(first, BasicBlock(tap.channels, tap.channels, 1)))
            inside = tap.channels
            if layer == self.layers[-1]:
                break

    def steps(self) -> list[tuple[str | None, nn.Module]]:
        """Stem, then a step a stage."""
        stem: list[tuple[str | None, nn.Module]] = [(None, self.stem)]
        return stem + [(layer, self.get_submodule(layer)) for layer in self.TAPS if hasattr(self, layer)]
