"""Numba kernel: a 3x3 convolution with holes, leaky rectified, the same bits wherever the arrays lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from paad.render.threads import spread
from paad.types import Float32

LEAK = 0.1
_LEAST_ROWS = 16


def convolve(values: Float32, weight: Float32, bias: Float32, dilation: int) -> Float32:
    """Convolution of ``values`` [C, H, W] with ``weight`` [O, C, 3, 3] and zero padding, leaky rectified: [O, H, W]."""
    padded = np.pad(values, ((0, 0), (dilation, dilation), (dilation, dilation)))
    out = np.empty((len(weight), *values.shape[1:]), np.float32)
    spread(_convolve, values.shape[1], _LEAST_ROWS, padded, weight, bias, dilation, out)
    return out


@njit(cache=True, fastmath=True)
def _row(padded: Any, weight: Any, bias: Any, dilation: int, y: int, out: Any) -> None:
    outputs, channels = weight.shape[0], weight.shape[1]
    width = out.shape[2]
    for o in range(0, outputs, 4):
        a, b, c, d = out[o, y], out[o + 1, y], out[o + 2, y], out[o + 3, y]
        a[:], b[:], c[:], d[:] = bias[o], bias[o + 1], bias[o + 2], bias[o + 3]
        for k in range(channels):
            for i in range(3):
                # the three taps of a row at once: each output is loaded and stored once for three products
                line = padded[k, y + i * dilation]
                left, middle, right = line[:width], line[dilation : dilation + width], line[2 * dilation :]
                wa, wb, wc, wd = weight[o, k, i], weight[o + 1, k, i], weight[o + 2, k, i], weight[o + 3, k, i]
                a0, a1, a2 = wa[0], wa[1], wa[2]
                b0, b1, b2 = wb[0], wb[1], wb[2]
                c0, c1, c2 = wc[0], wc[1], wc[2]
                d0, d1, d2 = wd[0], wd[1], wd[2]
                for x in range(width):
                    u, v, w = left[x], middle[x], right[x]
                    a[x] += a0 * u + a1 * v + a2 * w
                    b[x] += b0 * u + b1 * v + b2 * w
                    c[x] += c0 * u + c1 * v + c2 * w
                    d[x] += d0 * u + d1 * v + d2 * w
    for o in range(outputs):
        row = out[o, y]
        for x in range(width):
            row[x] = max(row[x], np.float32(LEAK) * row[x])


@njit(cache=True, nogil=True)
def _convolve(start: int, stop: int, padded: Any, weight: Any, bias: Any, dilation: int, out: Any) -> None:
    for y in range(start, stop):
        _row(padded, weight, bias, dilation, y, out)
