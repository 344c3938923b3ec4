"""A small network that tells a defect from an error of the rendering, in what query and reference show around a pixel.

A U-Net of three resolutions (Ronneberger et al., 2015) over the signed difference, the expected residual and the
reference's edges. It was trained on random brick assemblies and smooth bodies with planted defects
(``benchmarks/train_comparator.py``), never on the twenty toys, and adds to the logarithm of the residual ratio, so that
without it that ratio would be left. Its logits get their meaning from the held-out views of each object.
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
from paad.geometry.pixels import largest_difference
from paad.render.threads import spread
from paad.types import Float32

CHANNELS = 15
CONVOLUTIONS = {
    "full_1": (CHANNELS, 16, 1),
    "full_2": (16, 16, 1),
    "half_1": (16, 32, 1),
    "half_2": (32, 32, 1),
    "quarter_1": (32, 48, 1),
    "quarter_2": (48, 48, 1),
    "quarter_3": (48, 48, 2),
    "half_3": (32, 32, 1),
    "full_3": (16, 16, 1),
}
"""The 3x3 convolutions in order: channels in and out, and the pixels between their holes."""
MIXTURES = {"quarter_up": (48, 32), "half_up": (32, 16)}
"""1x1 convolutions, before what they give is enlarged and added to the finer resolution."""
RATIOS = slice(6, 8)
"""Which channels hold the logarithms of the residual ratios."""
SLOPES = (10, 11)
"""Which channels hold the reference's slopes along x and y."""
MARGIN_PX = 12
"""What is compared reaches this far beyond the object."""
FILE = Path(__file__).with_name("comparator.safetensors")
"""The weights that ship with the package."""
_LEAST_RATIO, _RATIO_RANGE = 1e-3, (-3.0, 1.5)


@dataclass(frozen=True)
class Comparator:
    """Weights of the network.

    Attributes:
        convolutions: weight [O, I, 3, 3] and bias [O] of each of ``CONVOLUTIONS``.
        mixtures: weight [O, I] of each of ``MIXTURES``.
        out: float32 [32], weights in the logit of the first and of the last values at full resolution.
        bias: of the logit.
        ratio: weight of the larger residual ratio's logarithm in the logit.
    """

    convolutions: dict[str, tuple[Float32, Float32]]
    mixtures: dict[str, Float32]
    out: Float32
    bias: float
    ratio: float

    def logits(self, channels: Float32) -> Float32:
        """Logit [H, W] that a pixel is a defect's, from :func:`comparator_channels` [C, H, W].

        The mean over the pictures as they are and turned over a diagonal: what the network takes for a defect in one
        of them only is seldom one.
        """
        pictures = channels, turned_over(channels)
        found: list[Float32] = [channels[0], channels[0]]

        def look(start: int, stop: int) -> None:
            for i in range(start, stop):
                found[i] = self._logits(pictures[i])

        spread(look, len(pictures), 1)
        return np.float32(0.5) * (found[0] + found[1][::-1, ::-1].T)

    def _logits(self, channels: Float32) -> Float32:
        from paad.compare.kernels_convolve import mix

        full = self._convolved("full_2", self._convolved("full_1", channels))
        half = self._convolved("half_2", self._convolved("half_1", _halved(full)))
        quarter = self._convolved("quarter_2", self._convolved("quarter_1", _halved(half)))
        quarter = self._convolved("quarter_3", quarter)
        half = self._convolved("half_3", half + self._enlarged("quarter_up", quarter, half))
        joined = self._convolved("full_3", full + self._enlarged("half_up", half, full))
        own, coarser = np.split(self.out[None], 2, axis=1)
        logit: Float32 = mix(full, own)[0] + mix(joined, coarser)[0]
        logit += np.float32(self.ratio) * channels[RATIOS].max(axis=0) + np.float32(self.bias)
        return logit

    def _convolved(self, name: str, values: Float32) -> Float32:
        from paad.compare.kernels_convolve import convolve

        return convolve(values, *self.convolutions[name], CONVOLUTIONS[name][2])

    def _enlarged(self, name: str, values: Float32, like: Float32) -> Float32:
        from paad.compare.kernels_convolve import mix

        mixed = mix(values, self.mixtures[name])
        out: Float32 = mixed.repeat(2, axis=1).repeat(2, axis=2)[:, : like.shape[1], : like.shape[2]]
        return out


def turned_over(channels: Float32) -> Float32:
    """Channels [C, W, H] of the pictures turned over their rising diagonal, from those [C, H, W] of the pictures."""
    turned = np.ascontiguousarray(channels[:, ::-1, ::-1].swapaxes(1, 2))
    turned[list(SLOPES)] = -turned[list(SLOPES[::-1])]
    return turned


def _halved(values: Float32) -> Float32:
    """Means of 2 x 2 pixels, zeros beyond the rim."""
    _, h, w = values.shape
    even = np.pad(values, ((0, 0), (0, h % 2), (0, w % 2)))
    rows = even[:, ::2] + even[:, 1::2]
    out: Float32 = np.float32(0.25) * (rows[:, :, ::2] + rows[:, :, 1::2])
    return out


@functools.cache
def trained_comparator() -> Comparator:
    """The comparator that ships with the package.

    Raises:
        DataError: its file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(str(FILE))
        return Comparator(
            {name: (arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in CONVOLUTIONS},
            {name: arrays[f"{name}.weight"][:, :, 0, 0] for name in MIXTURES},
            arrays["out.weight"].reshape(-1),
            float(arrays["out.bias"][0]),
            float(arrays["ratio"][0]),
        )
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{FILE}: the comparator's weights cannot be read ({error}); install paad again") from error


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
    there = (alpha > 0.02) | (largest_difference(query, reference) > 0.1)
    ys, xs = np.nonzero(there.any(axis=1))[0], np.nonzero(there.any(axis=0))[0]
    if not len(ys):
        return slice(None), slice(None)
    return tuple(  # type: ignore[return-value]
        slice(max(0, int(v[0]) - MARGIN_PX), int(v[-1]) + 1 + MARGIN_PX) for v in (ys, xs)
    )
