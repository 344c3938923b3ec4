"""Numba kernels of the comparator: convolutions whose bits are the same wherever the arrays lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from paad.render.threads import spread
from paad.types import Float32

LEAK = 0.1
_AT_ONCE = 8
"""Output channels that share what is read of the inputs."""
_RUN = 128
"""Values that are computed together: a constant, so that no vector is left half full."""
_LEAST_RUNS, _LEAST_ROWS = 16, 16


def convolve(values: Float32, weight: Float32, bias: Float32, dilation: int) -> Float32:
    """Convolution of ``values`` [C, H, W] with ``weight`` [O, C, 3, 3] and zero padding, leaky rectified: [O, H, W].

    O is a multiple of 8. What is returned is a view of rows that have the padding between them.
    """
    channels, height, width = values.shape
    stride = width + 2 * dilation
    runs = -(-height * stride // _RUN)
    padded = np.zeros((channels, runs * _RUN + 2 * dilation * (stride + 1)), np.float32)
    rows = padded[:, : (height + 2 * dilation) * stride].reshape(channels, height + 2 * dilation, stride)
    rows[:, dilation:-dilation, dilation:-dilation] = values
    out = np.empty((len(weight), runs * _RUN), np.float32)
    spread(_convolve, runs, _LEAST_RUNS, padded, weight, bias, dilation, dilation * stride, out)
    return out[:, : height * stride].reshape(len(weight), height, stride)[:, :, :width]


def mix(values: Float32, weight: Float32) -> Float32:
    """Convolution of ``values`` [C, H, W] with ``weight`` [O, C], pixel by pixel: [O, H, W]. C is a multiple of 4."""
    out = np.empty((len(weight), *values.shape[1:]), np.float32)
    spread(_mix, values.shape[1], _LEAST_ROWS, values, weight, out)
    return out


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _mix(start: int, stop: int, values: Any, weight: Any, out: Any) -> None:
    for y in range(start, stop):
        for o in range(len(out)):
            row = out[o, y]
            row[:] = np.float32(0.0)
            for k in range(0, len(values), 4):
                a, b, c, d = values[k, y], values[k + 1, y], values[k + 2, y], values[k + 3, y]
                wa, wb, wc, wd = weight[o, k], weight[o, k + 1], weight[o, k + 2], weight[o, k + 3]
                for x in range(len(row)):
                    row[x] += wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x]


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _convolve(
    start: int, stop: int, padded: Any, weight: Any, bias: Any, dilation: int, row_step: int, out: Any
) -> None:
    """Some runs of the rows [O, rows * stride], which lie one behind the other, with their padding."""
    outputs, channels = weight.shape[0], weight.shape[1]
    sums = np.empty((_AT_ONCE, _RUN), np.float32)
    for run in range(start, stop):
        at = run * _RUN
        for o in range(0, outputs, _AT_ONCE):
            # names in place of indices: LLVM then keeps weights in registers and sees that nothing overlaps
            a, b, c, d = sums[0], sums[1], sums[2], sums[3]
            e, f, g, h = sums[4], sums[5], sums[6], sums[7]
            for q in range(_AT_ONCE):
                row = sums[q]
                for x in range(_RUN):
                    row[x] = bias[o + q]
            for k in range(channels):
                for i in range(3):
                    # the three taps of a row at once: each sum is loaded and stored once for three products
                    first = at + i * row_step
                    left, middle = (
                        padded[k, first : first + _RUN],
                        padded[k, first + dilation : first + dilation + _RUN],
                    )
                    right = padded[k, first + 2 * dilation : first + 2 * dilation + _RUN]
                    a0, a1, a2 = weight[o, k, i, 0], weight[o, k, i, 1], weight[o, k, i, 2]
                    b0, b1, b2 = weight[o + 1, k, i, 0], weight[o + 1, k, i, 1], weight[o + 1, k, i, 2]
                    c0, c1, c2 = weight[o + 2, k, i, 0], weight[o + 2, k, i, 1], weight[o + 2, k, i, 2]
                    d0, d1, d2 = weight[o + 3, k, i, 0], weight[o + 3, k, i, 1], weight[o + 3, k, i, 2]
                    e0, e1, e2 = weight[o + 4, k, i, 0], weight[o + 4, k, i, 1], weight[o + 4, k, i, 2]
                    f0, f1, f2 = weight[o + 5, k, i, 0], weight[o + 5, k, i, 1], weight[o + 5, k, i, 2]
                    g0, g1, g2 = weight[o + 6, k, i, 0], weight[o + 6, k, i, 1], weight[o + 6, k, i, 2]
                    h0, h1, h2 = weight[o + 7, k, i, 0], weight[o + 7, k, i, 1], weight[o + 7, k, i, 2]
                    for x in range(_RUN):
                        u, v, w = left[x], middle[x], right[x]
                        a[x] += a0 * u + a1 * v + a2 * w
                        b[x] += b0 * u + b1 * v + b2 * w
                        c[x] += c0 * u + c1 * v + c2 * w
                        d[x] += d0 * u + d1 * v + d2 * w
                        e[x] += e0 * u + e1 * v + e2 * w
                        f[x] += f0 * u + f1 * v + f2 * w
                        g[x] += g0 * u + g1 * v + g2 * w
                        h[x] += h0 * u + h1 * v + h2 * w
            for q in range(_AT_ONCE):
                row, result = sums[q], out[o + q, at : at + _RUN]
                for x in range(_RUN):
                    result[x] = max(row[x], np.float32(LEAK) * row[x])
