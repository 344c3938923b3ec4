"""What every feature network is: photos in, a dictionary of feature maps by layer name out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from paad.errors import DataError, UsageError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""RGB statistics with which torchvision's and timm's weights were trained; ``bricknet`` uses the same."""


class Tap(NamedTuple):
    """What a layer gives: ``channels`` and ``stride``, photo pixels a feature pixel along each side."""

    channels: int
    stride: int


class Backbone(nn.Module):
    """A convolutional network that is cut behind its deepest asked layer.

    A subclass registers its modules under the names of the public weights and lists them in ``steps``: the modules in
    order, each with the name of the layer that its output is (None: not a layer). Frozen unless ``trainable``: no
    parameter wants a gradient, and :meth:`train` does not wake the batch normalization.

    Attributes:
        layers: the asked layers, from shallow to deep.
        channels: number of channels by layer.
        strides: photo pixels a feature pixel along each side, by layer.
    """

    TAPS: ClassVar[Mapping[str, Tap]]
    """All layers that the network offers, from shallow to deep."""
    mean: Tensor
    std: Tensor

    def __init__(self, name: str, layers: Sequence[str], trainable: bool) -> None:
        super().__init__()
        self.name = name
        self.layers = checked_layers(name, layers, self.TAPS)
        self.channels = {layer: self.TAPS[layer].channels for layer in self.layers}
        self.strides = {layer: self.TAPS[layer].stride for layer in self.layers}
        self.trainable = trainable

    def steps(self) -> list[tuple[str | None, nn.Module]]:
        """The modules in order, each with the layer that it ends."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Feature maps [B, C, h, w] by layer, of photos [B, 3, H, W], RGB in [0, 1]; normalized inside.

        h and w are H and W divided by the layer's stride, rounded up.

        Raises:
            DataError: another shape or type.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise DataError(
                f"photos of shape {tuple(images.shape)} and type {images.dtype} do not suit {self.name}; "
                "give float [B, 3, H, W], RGB in [0, 1]"
            )
        x = (images - self.mean) / self.std
        found: dict[str, Tensor] = {}
        for layer, module in self.steps():
            x = module(x)
            if layer in self.channels:
                found[str(layer)] = x
        return found

    def train(self, mode: bool = True) -> Backbone:
        """Training mode for a trainable network; a frozen one keeps its statistics whatever its owner does."""
        return super().train(mode and self.trainable)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with the architecture, the layers and any weight."""
        digest = hashlib.sha256(f"{self.name} {self.layers}".encode())
        for key, value in self.state_dict().items():
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def finish(self) -> Backbone:
        """Frozen or trainable, in the right mode, with the constants of the normalization in place."""
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(self.trainable)
        return self.train(self.trainable)


def checked_layers(name: str, layers: Sequence[str], taps: Mapping[str, Tap]) -> tuple[str, ...]:
    """``layers`` in the network's own order, each once.

    Raises:
        UsageError: none are asked, or one that the network lacks.
    """
    wrong = [layer for layer in layers if layer not in taps]
    if wrong or not layers:
        asked = repr(wrong[0]) if wrong else "nothing"
        raise UsageError(f"layer {asked} is not one of {name}'s; choose from: {', '.join(taps)}")
    return tuple(layer for layer in taps if layer in layers)


def fill_random(module: nn.Module, seed: int) -> None:
    """He initialization of all convolutions (K. He et al., ICCV 2015), neutral normalization; same seed, same values.

    The module's tensors may be on torch's "meta" device; they then come to life on the CPU.
    """
    module.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
