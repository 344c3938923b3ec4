"""How far apart the colours of two pictures are, pixel by pixel."""

from __future__ import annotations

import numpy as np

from paad.types import Float32


def squared_distance(a: Float32, b: Float32 | float) -> Float32:
    """Sum of the squared differences over the channels [...] of ``a`` [..., C] and what can be taken from it.

    Channel by channel: numpy's sum over a last axis of 3 takes four times as long.
    """
    difference = a - b
    out: Float32 = difference[..., 0] * difference[..., 0]
    for channel in range(1, difference.shape[-1]):
        out += difference[..., channel] * difference[..., channel]
    return out


def largest_difference(a: Float32, b: Float32) -> Float32:
    """Largest absolute difference over the three channels of ``a`` and ``b`` [..., 3]; channel by channel, as above."""
    difference = np.abs(a - b)
    out: Float32 = np.maximum(np.maximum(difference[..., 0], difference[..., 1]), difference[..., 2])
    return out
