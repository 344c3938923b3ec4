"""What detectors share that train one network on photos: reproducible fits, batches, prediction, model file, export.

A method gives ``build`` (the untrained network) and ``train``; the network maps images [B, 3, S, S] in [0, 1] to
(anomaly maps [B, h, w], scores [B]). The backbone, where there is one, is a part of the network and is stored with it,
so a model file stands alone.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from paad.detectors.base import Detector
from paad.detectors.imagery import full_size, pack_module, to_square, training_batch, unpack_module
from paad.detectors.settings import configured, torch_device
from paad.errors import DataError, UsageError
from paad.types import Prediction, Progress


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """torch's and numpy's global generators seeded inside, and as they were afterwards.

    numpy's too, as FrEIA draws its permutations there.
    """
    before = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def batches(count: int, size: int, epochs: int, progress: Progress | None, what: str) -> Iterator[Tensor]:
    """Index tensors of at most ``size`` of ``count`` items, newly shuffled in each epoch by torch's generator."""
    for epoch in range(epochs):
        yield from torch.split(torch.randperm(count), size)
        if progress:
            progress(epoch + 1, epochs, f"{what}, epoch {epoch + 1} of {epochs}")


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, name: str, clip_norm: float = 0.0) -> None:
    """One step down ``loss``; the gradient's norm is cut to ``clip_norm`` unless that is 0.

    Raises:
        DataError: the loss is not finite.
    """
    if not torch.isfinite(loss):
        raise DataError(f"{name}: the training diverged (loss {loss.item()}); check the photos, or lower --lr")
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    if clip_norm > 0:
        nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], clip_norm)
    optimizer.step()


@torch.no_grad()
def backbone_features(backbone: nn.Module, images: Tensor, layers: Sequence[str], batch: int = 16) -> list[Tensor]:
    """The features [N, C, h, w] of all ``images`` [N, 3, S, S] from each layer, on the CPU.

    Raises:
        DataError: features that are not finite.
    """
    device = next(backbone.parameters()).device
    parts = [backbone(part.to(device)) for part in torch.split(images, batch)]
    found = [torch.cat([part[layer].cpu() for part in parts]) for layer in layers]
    for layer, values in zip(layers, found, strict=True):
        if not torch.isfinite(values).all():
            raise DataError(f"the backbone's {layer} gives values that are not finite; its weights are damaged")
    return found


def gaussian_blur(maps: Tensor, sigma: float) -> Tensor:
    """Maps [B, h, w] blurred by a Gaussian of ``sigma`` pixels, cut off at 4 sigma, mirrored at the border."""
    if sigma <= 0:
        return maps
    radius = min(round(4.0 * sigma), min(maps.shape[1:]) - 1)
    at = torch.arange(-radius, radius + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-0.5 * (at / sigma).square())
    kernel = kernel / kernel.sum()
    padded = F.pad(maps[:, None], (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel[None, None, :, None]), kernel[None, None, None, :])[:, 0]


class NetworkDetector(Detector):
    """A detector that is one trained network. Subclasses set ``name``, ``presets``, ``build`` and ``train``."""

    presets: ClassVar[Mapping[str, Any]]

    def __init__(self, device: str = "auto", **options: Any) -> None:
        self.config: Any = configured(self.name, self.presets, options)
        self.device = torch_device(device)
        self.net: nn.Module | None = None

    @abstractmethod
    def build(self, weights: str | None) -> nn.Module:
        """The untrained network in evaluation mode; ``weights`` are the backbone's.

        Raises:
            UsageError: settings that do not go together.
        """

    @abstractmethod
    def train(self, net: Any, images: Tensor, progress: Progress | None) -> None:
        """Train ``net`` on good ``images`` [N, 3, S, S]; called with seeded generators."""

    def fit(self, views: Sequence[Any], progress: Progress | None = None) -> NetworkDetector:
        """Learn from the photos of ``views``; poses are not used, and photos may differ in size.

        Raises:
            DataError: no photos, ones that cannot be used, or a training that diverged.
        """
        with repeatable(self.config.seed):
            net = self.build(getattr(self.config, "weights", None)).to(self.device)
            self.train(net, training_batch(views, self.config.size), progress)
        self.net = net.eval().requires_grad_(False)
        return self

    def fitted(self) -> nn.Module:
        """The trained network.

        Raises:
            UsageError: there is none yet.
        """
        if self.net is None:
            raise UsageError(f"{self.name} is not fitted; call fit, or load a model file")
        return self.net

    @torch.no_grad()
    def predict(self, image: NDArray[Any]) -> Prediction:
        """Score one photo; the map has the photo's own size.

        Raises:
            DataError: not a photo, or a network that gives values that are not finite.
        """
        begin = time.perf_counter()
        net = self.fitted()
        maps, scores = net(to_square(image, self.config.size)[None].to(self.device))
        score = float(scores[0])
        if not (np.isfinite(score) and torch.isfinite(maps).all()):
            raise DataError(f"{self.name}: the network gives values that are not finite; the model is damaged")
        out = full_size(maps[0], image.shape[0], image.shape[1])
        seconds = time.perf_counter() - begin
        return Prediction(score, out, seconds={"score": seconds, "total": seconds})

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The network's arrays, and the configuration."""
        return pack_module(self.fitted(), "net"), {"config": asdict(self.config)}

    @classmethod
    def from_state(
        cls, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto"
    ) -> NetworkDetector:
        """Rebuild the fitted detector; the backbone's weights come from the file too."""
        detector = cls(device=device, **_with_tuples(manifest["config"]))
        with repeatable(0):
            net = detector.build("random")
        unpack_module(net, "net", tensors)
        detector.net = net.to(detector.device).eval().requires_grad_(False)
        return detector

    def onnx_module(self) -> tuple[nn.Module, Tensor, list[str], list[str]]:
        """The network for an ONNX export: (module, example input [1, 3, S, S], input names, output names)."""
        side = self.config.size
        return self.fitted(), torch.zeros(1, 3, side, side, device=self.device), ["image"], ["map", "score"]


def _with_tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
