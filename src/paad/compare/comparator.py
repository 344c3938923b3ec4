"""A small network that tells a defect from an error of the rendering, in what query and reference show around a pixel.

Five convolutions over the signed difference, the expected residual and the reference's edges. It was trained on random
brick assemblies with planted defects (``benchmarks/train_comparator.py``), never on the twenty toys, and adds to the
logarithm of the residual ratio, so that without it that ratio would be left. Its logits get their meaning from the
held-out views of each object.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.compare.residual import gradient_magnitude
from paad.errors import DataError
from paad.types import Float32

CHANNELS = 15
DILATIONS = (1, 1, 2, 4, 8)
RATIOS = slice(6, 8)
"""Which channels hold the logarithms of the residual ratios."""
MARGIN_PX = 12
"""What is compared reaches this far beyond the object."""
FILES = {
    False: Path(__file__).with_name("comparator.safetensors"),
    True: Path(__file__).with_name("comparator_rough.safetensors"),
}
"""By whether the field is a rough one, which misses good views by much."""
_LEAST_RATIO, _RATIO_RANGE = 1e-3, (-3.0, 1.5)


@dataclass(frozen=True)
class Comparator:
    """Weights of the network.

    Attributes:
        layers: (weight [O, C, 3, 3], bias [O]) of each convolution, with the holes of ``DILATIONS``.
        out: float32 [sum of O], weights of all layers' outputs in the logit.
        bias: of the logit.
        ratio: weight of the larger residual ratio's logarithm in the logit.
    """

    layers: tuple[tuple[Float32, Float32], ...]
    out: Float32
    bias: float
    ratio: float

    def logits(self, channels: Float32) -> Float32:
        """Logit [H, W] that a pixel is a defect's, from :func:`comparator_channels` [C, H, W]."""
        from paad.compare.kernels_convolve import convolve

        logit: Float32 = np.float32(self.ratio) * channels[RATIOS].max(axis=0) + np.float32(self.bias)
        values, first = channels, 0
        for (weight, bias), dilation in zip(self.layers, DILATIONS, strict=True):
            values = convolve(values, weight, bias, dilation)
            for value, share in zip(values, self.out[first : first + len(values)], strict=True):
                logit += share * value
            first += len(values)
        return logit


@functools.lru_cache(maxsize=2)
def trained_comparator(rough: bool) -> Comparator:
    """The comparator that ships with the package for fields that are ``rough``, or not.

    Raises:
        DataError: its file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = FILES[rough]
    try:
        arrays = load_file(str(file))
        layers = tuple((arrays[f"layers.{i}.weight"], arrays[f"layers.{i}.bias"]) for i in range(len(DILATIONS)))
        return Comparator(
            layers, arrays["out.weight"].reshape(-1), float(arrays["out.bias"][0]), float(arrays["ratio"][0])
        )
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{file}: the comparator's weights cannot be read ({error}); install paad again") from error


def comparator_channels(
    query: Float32,
    reference: Float32,
    alpha: Float32,
    expected: Float32,
    residuals: Float32,
    unit: NDArray[np.floating],
) -> Float32:
    """What the network sees [15, H, W].

    Args:
        query, reference: RGB [H, W, 3].
        alpha: the field's coverage [H, W].
        expected, residuals: [S, H, W] of the two scales, see :mod:`paad.compare.expected` and ``residual``.
        unit: [S], the ratio of the two at which a good view peaks.
    """
    difference = np.moveaxis(query - reference, 2, 0)
    ratio = np.log(np.maximum(residuals / expected / np.asarray(unit, np.float32)[:, None, None], _LEAST_RATIO))
    light = reference.mean(axis=2)
    along_x, along_y = (
        cv2.Sobel(light, cv2.CV_32F, dx, 1 - dx, ksize=1, scale=3.0, borderType=cv2.BORDER_REPLICATE) for dx in (1, 0)
    )
    level = np.log(expected) + 4.0
    channels = [
        *np.clip(4.0 * difference, -1.0, 1.0),
        *np.tanh(difference / (expected[0] * np.float32(unit[0]))),
        *np.clip(ratio, *_RATIO_RANGE),
        *level,
        np.clip(along_x, -1.0, 1.0),
        np.clip(along_y, -1.0, 1.0),
        3.0 * gradient_magnitude(alpha),
        alpha,
        light - 0.5,
    ]
    return np.stack(channels).astype(np.float32)


def object_window(alpha: Float32, query: Float32, reference: Float32) -> tuple[slice, slice]:
    """Rows and columns that hold the object in either picture [H, W, 3], and a margin; all if neither shows it."""
    there = (alpha > 0.02) | (np.abs(query - reference).max(axis=2) > 0.1)
    ys, xs = np.nonzero(there.any(axis=1))[0], np.nonzero(there.any(axis=0))[0]
    if not len(ys):
        return slice(None), slice(None)
    return tuple(  # type: ignore[return-value]
        slice(max(0, int(v[0]) - MARGIN_PX), int(v[-1]) + 1 + MARGIN_PX) for v in (ys, xs)
    )
