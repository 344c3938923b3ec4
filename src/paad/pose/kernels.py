"""Numba kernel: the normal equations of one Gauss-Newton step of direct image alignment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from paad.render.threads import spread

_f = np.float32
_HALF, _ONE, _ZERO = _f(0.5), _f(1.0), _f(0.0)
_LEAST_ROWS = 100


@njit(cache=True, fastmath=True, error_model="numpy")
def _row(
    y: int, render: Any, query: Any, depth: Any, focal: Any, offset: Any, centre: Any, scale: Any, out: Any
) -> None:
    """Add one row of pixels to ``out`` [56]: 45 entries of the upper triangle, 9 of the right side, cost, count."""
    width = depth.shape[1]
    b = np.empty((2, 9), np.float32)
    fx, fy = focal[0], focal[1]
    inverse_scale = _ONE / (scale * scale)
    for x in range(1, width - 1):
        z = depth[y, x]
        if z <= _ZERO:
            continue
        xx = xy = yy = rx = ry = square = _ZERO
        for ch in range(3):
            # the mean of both pictures' gradients: second-order convergence (Benhimane and Malis, 2004)
            gx = _f(0.25) * (render[y, x + 1, ch] - render[y, x - 1, ch] + query[y, x + 1, ch] - query[y, x - 1, ch])
            gy = _f(0.25) * (render[y + 1, x, ch] - render[y - 1, x, ch] + query[y + 1, x, ch] - query[y - 1, x, ch])
            r = query[y, x, ch] - render[y, x, ch]
            xx += gx * gx
            xy += gx * gy
            yy += gy * gy
            rx += gx * r
            ry += gy * r
            square += r * r
        weight = _ONE / (_ONE + square * inverse_scale)
        out[54] += weight * square
        out[55] += _ONE
        if xx + yy < _f(1e-8):
            continue
        px = (_f(x) + _HALF - offset[0]) / fx * z
        py = (_f(y) + _HALF - offset[1]) / fy * z
        iz = _ONE / z
        # velocity of the point for the six motions: rotations about the object's centre, then translations; and for
        # another lens, the camera moving so that the plane of the object's centre stays where it is
        ax, ay, az = px - centre[0], py - centre[1], z - centre[2]
        ux, uz_x = fx * iz, -fx * px * iz * iz
        vy, vz = fy * iz, -fy * py * iz * iz
        b[0, 0], b[1, 0] = uz_x * ay, -vy * az + vz * ay
        b[0, 1], b[1, 1] = ux * az - uz_x * ax, -vz * ax
        b[0, 2], b[1, 2] = -ux * ay, vy * ax
        b[0, 3], b[1, 3] = ux, _ZERO
        b[0, 4], b[1, 4] = _ZERO, vy
        b[0, 5], b[1, 5] = uz_x, vz
        beyond = az * iz
        b[0, 6], b[1, 6] = fx * px * iz * beyond, fy * py * iz * beyond
        b[0, 7], b[1, 7] = fx * beyond, _ZERO
        b[0, 8], b[1, 8] = _ZERO, fy * beyond
        k = 0
        for i in range(9):
            wx = weight * (xx * b[0, i] + xy * b[1, i])
            wy = weight * (xy * b[0, i] + yy * b[1, i])
            for j in range(i, 9):
                out[k] += wx * b[0, j] + wy * b[1, j]
                k += 1
            # a point that moves by du changes the picture by minus gradient times du
            out[45 + i] -= weight * (rx * b[0, i] + ry * b[1, i])


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _rows(
    start: int,
    stop: int,
    render: Any,
    query: Any,
    depth: Any,
    focal: Any,
    offset: Any,
    centre: Any,
    scale: Any,
    out: Any,
) -> None:
    for y in range(max(start, 1), min(stop, depth.shape[0] - 1)):
        _row(y, render, query, depth, focal, offset, centre, scale, out[y])


def normal_equations(render: Any, query: Any, depth: Any, focal: Any, offset: Any, centre: Any, scale: Any) -> Any:
    """Sums [56] over pixels: upper triangle of J'WJ (45), J'Wr (9), weighted squared residual, number of pixels.

    The unknowns are three rotations about the object's centre, three translations, the logarithm of the focal length,
    the camera moving away from the object's centre by the same factor, and the principal point in focal lengths, the
    camera moving aside so that the object's centre stays where it is in the picture.

    Args:
        render, query: RGB float32 [H, W, 3].
        depth: float32 [H, W], distance along the optical axis; 0 where a pixel does not count.
        focal: fx, fy float32 [2]; offset: principal point cx, cy float32 [2], pixels.
        centre: object's centre in camera coordinates float32 [3].
        scale: residual norm at which a pixel counts half (Cauchy weights).
    """
    sums = np.zeros((len(depth), 56), np.float32)
    spread(_rows, len(depth), _LEAST_ROWS, render, query, depth, focal, offset, centre, scale, sums)
    return sums.sum(axis=0, dtype=np.float64)
