"""What every detector is: fit on posed views of good specimens, predict on one photo without a pose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paad.detectors.modelfile import write_model
from paad.errors import DataError
from paad.types import Prediction, Progress


class Detector(ABC):
    """A method with fit and predict.

    A subclass sets ``name``, takes keyword options in its constructor (``device`` among them), and turns itself
    into arrays and back by ``state`` and ``from_state``; saving and loading need nothing else. One whose network can
    be exported also has ``onnx_module() -> (module, example image [1, 3, H, W], input names, output names)``.
    """

    name: ClassVar[str]
    needs_poses: ClassVar[bool] = False
    about: Mapping[str, Any] = MappingProxyType({})
    """Where a fitted detector comes from (object, data_fingerprint, n_views, fit_seconds); kept in the model file."""

    @abstractmethod
    def fit(self, views: Sequence[Any], progress: Progress | None = None) -> Detector:
        """Learn the good object from ``views`` (:class:`paad.types.PosedView`); returns self.

        Raises:
            DataError: the views cannot be learned from; the message says why.
        """

    @abstractmethod
    def predict(self, image: NDArray[Any]) -> Prediction:
        """Score one photo: uint8 or float32 in [0, 1], [H, W, 3] or [H, W, 4] (alpha is the object mask)."""

    @abstractmethod
    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays by name and a JSON-able manifest that together rebuild the fitted detector."""

    @classmethod
    @abstractmethod
    def from_state(cls, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto") -> Detector:
        """Rebuild a fitted detector from what :meth:`state` returned."""

    def save(self, path: str | Path) -> Path:
        """Write the fitted detector to one ``*.paad`` file, whole or not at all; returns the path."""
        tensors, manifest = self.state()
        return write_model(path, tensors, {**manifest, "method": self.name, "about": dict(self.about)})


def float_image(image: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """RGB float32 [H, W, 3] in [0, 1] and the alpha channel [H, W] or None, from what ``predict`` accepts.

    Raises:
        DataError: another shape or type, or values that are not finite.
    """
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise DataError(f"image has shape {array.shape}; it must be [H, W, 3] or [H, W, 4]")
    if array.dtype == np.uint8:
        scaled = array.astype(np.float32) / np.float32(255.0)
    elif array.dtype in (np.float32, np.float64):
        scaled = array.astype(np.float32)
        if not np.isfinite(scaled).all():
            raise DataError("image holds values that are not finite; give uint8, or float32 in [0, 1]")
    else:
        raise DataError(f"image has type {array.dtype}; it must be uint8, or float32 in [0, 1]")
    alpha = np.ascontiguousarray(scaled[..., 3]) if scaled.shape[2] == 4 else None
    return np.ascontiguousarray(scaled[..., :3]), alpha
