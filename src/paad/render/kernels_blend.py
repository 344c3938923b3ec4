"""Numba kernels: sort screen-space Gaussians into tiles, blend them front to back, and the gradients of blending.

A tile's pixels lie in one flat buffer whose rows are at constant distances, so that LLVM vectorizes the loops over
pixels without alias checks; a Gaussian touches only the rows of the tile that its ellipse reaches. The backward pass
goes front to back again with the final colour known, so that nothing is stored per pixel and Gaussian. Gradients go to
one slot for each pair of a Gaussian and a tile and are added in a fixed order: results do not depend on thread timing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from paad.render.constants import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN
from paad.render.threads import spread

TILE_WIDTH, TILE_HEIGHT = 8, 24
"""A row is a vector of the processor. In wider tiles more pixels are blended that a Gaussian does not reach, lower ones
make more pairs."""
PIXELS = TILE_WIDTH * TILE_HEIGHT
SUMS = 10
"""Sums over pixels of h, h dx, h dy, h dx², h dx dy, h dy², and of the weight times the gradients of r, g, b, depth."""
CHECK_EVERY = 24
"""Gaussians between two looks at whether a tile is finished."""
_LEAST_TILES, _LEAST_GAUSSIANS = 16, 4096
"""For each thread that is woken."""

_f = np.float32
_u = np.uint64
# exp(x) on [-6, 0] as p(x / 8)⁸ with p of degree 5: relative error below 2e-6, and nothing but multiply-adds.
_E0, _E1, _E2, _E3, _E4, _E5 = (
    _f(0.9999998766095349),
    _f(0.9999893548721387),
    _f(0.49984517577627874),
    _f(0.1658196499073487),
    _f(0.03951277232622716),
    _f(0.005693935758656149),
)
_EIGHTH, _EXP_MIN = _f(0.125), _f(-6.0)
_ZERO, _HALF, _ALMOST, _ONE = _f(0.0), _f(0.5), _f(0.999), _f(1.0)
_ALPHA_MAX, _ALPHA_MIN, _T_MIN = _f(ALPHA_MAX), _f(ALPHA_MIN), _f(TRANSMITTANCE_MIN)
_P1, _P2, _P3, _P4, _P5, _P6 = (_u(k * PIXELS) for k in range(1, 7))
_P7, _P8, _P9, _P10, _P11 = (_u(k * PIXELS) for k in range(7, 12))


@njit(cache=True, fastmath=True, error_model="numpy")
def _exp(x: Any) -> Any:
    t = max(x, _EXP_MIN) * _EIGHTH
    e = _E0 + t * (_E1 + t * (_E2 + t * (_E3 + t * (_E4 + t * _E5))))
    e = e * e
    e = e * e
    return e * e


@njit(cache=True, error_model="numpy")
def _tile_range(g: Any, columns: int, rows: int) -> Any:
    """First and last tile column and row that a Gaussian's box reaches."""
    # by truncation, since math.floor is a call here; a drawn Gaussian reaches the picture, so that no bound is below 0
    x0 = int(max(g[0] - g[11], _ZERO) / _f(TILE_WIDTH))
    x1 = min(columns - 1, int(max(g[0] + g[11], _ZERO) / _f(TILE_WIDTH)))
    y0 = int(max(g[1] - g[10], _ZERO) / _f(TILE_HEIGHT))
    y1 = min(rows - 1, int(max(g[1] + g[10], _ZERO) / _f(TILE_HEIGHT)))
    return x0, x1, y0, y1


@njit(cache=True)
def depth_order(projected: Any) -> Any:
    """Indices int64 of the drawn Gaussians, nearest first, equal depths in the order of their indices.

    A radix sort, three passes of 11 bits: the bit patterns of positive floats are ordered as the floats are.
    """
    n = 0
    for i in range(projected.shape[0]):
        n += projected[i, 5] != _ZERO
    depths = np.empty(n, np.float32)
    order = np.empty(n, np.int64)
    n = 0
    for i in range(projected.shape[0]):
        if projected[i, 5] != _ZERO:
            depths[n], order[n] = projected[i, 9], i
            n += 1
    keys = depths.view(np.uint32)
    other_keys, other = np.empty_like(keys), np.empty_like(order)
    for shift in (np.uint32(0), np.uint32(11), np.uint32(22)):
        counts = np.zeros(2049, np.int64)
        for k in range(n):
            counts[((keys[k] >> shift) & np.uint32(2047)) + 1] += 1
        for b in range(2048):
            counts[b + 1] += counts[b]
        for k in range(n):
            digit = (keys[k] >> shift) & np.uint32(2047)
            other_keys[counts[digit]], other[counts[digit]] = keys[k], order[k]
            counts[digit] += 1
        keys, other_keys = other_keys, keys
        order, other = other, order
    return order


@njit(cache=True, error_model="numpy")
def bin_tiles(projected: Any, order: Any, columns: int, rows: int) -> Any:
    """Lists of Gaussians by tile, front to back.

    ``order`` holds the drawn Gaussians' indices by depth. Returns ``starts`` int64 [tiles + 1] into ``ids`` int32
    (Gaussian) and ``slots`` int32 (its own running pair number), and ``first`` int64 [N + 1], its first slot.
    """
    n = projected.shape[0]
    starts = np.zeros(columns * rows + 1, np.int64)
    first = np.zeros(n + 1, np.int64)
    ranges = np.empty((n, 4), np.int16)
    for i in range(n):
        first[i + 1] = first[i]
        if projected[i, 5] == _ZERO:
            continue
        x0, x1, y0, y1 = _tile_range(projected[i], columns, rows)
        ranges[i, 0], ranges[i, 1], ranges[i, 2], ranges[i, 3] = x0, x1, y0, y1
        first[i + 1] += (x1 - x0 + 1) * (y1 - y0 + 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                starts[y * columns + x + 1] += 1
    for t in range(columns * rows):
        starts[t + 1] += starts[t]
    next_free = starts[:-1].copy()
    ids = np.empty(starts[-1], np.int32)
    slots = np.empty(starts[-1], np.int32)
    for i in order:
        slot = first[i]
        for y in range(ranges[i, 2], ranges[i, 3] + 1):
            for x in range(ranges[i, 0], ranges[i, 1] + 1):
                k = next_free[y * columns + x]
                ids[k], slots[k] = i, slot
                next_free[y * columns + x] = k + 1
                slot += 1
    return starts, ids, slots, first


@njit(cache=True, fastmath=True, error_model="numpy")
def _rows(g: Any, y_tile: Any) -> Any:
    """First and one past the last pixel, in the tile's flat order, of the rows that a Gaussian reaches."""
    # by truncation: math.floor and math.ceil are calls here, and as dear as the rows
    low = min(int(max(g[1] - g[10] - _HALF - y_tile + _ALMOST, _ZERO)), TILE_HEIGHT)
    stop = min(int(max(g[1] + g[10] + _HALF - y_tile, _ZERO)), TILE_HEIGHT)
    return _u(low * TILE_WIDTH), _u(max(low, stop) * TILE_WIDTH)


@njit(cache=True, fastmath=True, error_model="numpy")
def _blend_tile(
    tile: int,
    columns: int,
    projected: Any,
    starts: Any,
    ids: Any,
    background: Any,
    colour: Any,
    alpha_out: Any,
    depth: Any,
    used: Any,
) -> None:
    height, width = alpha_out.shape
    by, bx = 1 if background.shape[0] > 1 else 0, 1 if background.shape[1] > 1 else 0
    y_tile, x_tile = (tile // columns) * TILE_HEIGHT, (tile % columns) * TILE_WIDTH
    buf = np.zeros(7 * PIXELS, np.float32)  # transmittance, red, green, blue, depth, pixel x, pixel y
    for p in range(PIXELS):
        buf[p] = _ONE
        buf[p + 5 * PIXELS] = _f(x_tile + p % TILE_WIDTH) + _HALF
        buf[p + 6 * PIXELS] = _f(y_tile + p // TILE_WIDTH) + _HALF
    k = starts[tile]
    while k < starts[tile + 1]:
        g = projected[ids[k]]
        low, high = _rows(g, _f(y_tile))
        u, v, a, b, c, o = g[0], g[1], _HALF * g[2], g[3], _HALF * g[4], g[5]
        red, green, blue, z = g[6], g[7], g[8], g[9]
        for p in range(low, high):
            dx, dy = u - buf[p + _P5], v - buf[p + _P6]
            alpha = min(o * _exp(-(a * dx * dx + b * dx * dy + c * dy * dy)), _ALPHA_MAX)
            alpha = alpha if alpha >= _ALPHA_MIN else _ZERO
            t = buf[p]
            weight = alpha * t
            buf[p] = t - weight
            buf[p + _P1] += weight * red
            buf[p + _P2] += weight * green
            buf[p + _P3] += weight * blue
            buf[p + _P4] += weight * z
        k += 1
        if (k - starts[tile]) % CHECK_EVERY == 0:
            most = _ZERO
            for q in range(PIXELS):
                most = max(most, buf[q])
            if most < _T_MIN:
                break
    used[tile] = k - starts[tile]
    for y in range(y_tile, min(y_tile + TILE_HEIGHT, height)):
        for x in range(x_tile, min(x_tile + TILE_WIDTH, width)):
            q = (y - y_tile) * TILE_WIDTH + x - x_tile
            t = buf[q]
            for ch in range(3):
                colour[y, x, ch] = buf[q + (1 + ch) * PIXELS] + t * background[by * y, bx * x, ch]
            alpha_out[y, x] = _ONE - t
            depth[y, x] = buf[q + 4 * PIXELS]


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _blend(
    start: int,
    stop: int,
    columns: int,
    projected: Any,
    starts: Any,
    ids: Any,
    background: Any,
    colour: Any,
    alpha_out: Any,
    depth: Any,
    used: Any,
) -> None:
    for tile in range(start, stop):
        _blend_tile(tile, columns, projected, starts, ids, background, colour, alpha_out, depth, used)


def tiles_of(width: int, height: int) -> tuple[int, int]:
    """Columns and rows of tiles."""
    return -(-width // TILE_WIDTH), -(-height // TILE_HEIGHT)


def blend(projected: Any, starts: Any, ids: Any, background: Any, width: int, height: int) -> Any:
    """Colour [H, W, 3] over ``background`` [H, W, 3] or [1, 1, 3], alpha [H, W], depth sum [H, W], and the number of
    Gaussians each tile went through [tiles]."""
    columns, rows = tiles_of(width, height)
    colour = np.empty((height, width, 3), np.float32)
    alpha, depth = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
    used = np.zeros(columns * rows, np.int64)
    drawn = (colour, alpha, depth, used)
    spread(_blend, columns * rows, _LEAST_TILES, columns, projected, starts, ids, background, *drawn)
    return drawn


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _blend_backward(
    start: int,
    stop: int,
    columns: int,
    projected: Any,
    starts: Any,
    ids: Any,
    slots: Any,
    used: Any,
    colour: Any,
    alpha_out: Any,
    depth: Any,
    d_colour: Any,
    d_alpha: Any,
    d_depth: Any,
    pairs: Any,
) -> None:
    height, width = alpha_out.shape
    # transmittance, rest (see below), gradients of red, green, blue, depth, pixel x, pixel y
    buf = np.empty(8 * PIXELS, np.float32)
    for tile in range(start, stop):
        if used[tile] == 0:
            continue
        y_tile, x_tile = (tile // columns) * TILE_HEIGHT, (tile % columns) * TILE_WIDTH
        buf[:] = _ZERO
        for p in range(PIXELS):
            buf[p] = _ONE
            buf[p + 6 * PIXELS] = _f(x_tile + p % TILE_WIDTH) + _HALF
            buf[p + 7 * PIXELS] = _f(y_tile + p // TILE_WIDTH) + _HALF
        for y in range(y_tile, min(y_tile + TILE_HEIGHT, height)):
            for x in range(x_tile, min(x_tile + TILE_WIDTH, width)):
                q = (y - y_tile) * TILE_WIDTH + x - x_tile
                rest = d_depth[y, x] * depth[y, x] - d_alpha[y, x] * (_ONE - alpha_out[y, x])
                for ch in range(3):
                    rest += d_colour[y, x, ch] * colour[y, x, ch]
                    buf[q + (2 + ch) * PIXELS] = d_colour[y, x, ch]
                buf[q + 5 * PIXELS] = d_depth[y, x]
                # what comes behind, times the gradients: it shrinks as the Gaussians in front are passed
                buf[q + PIXELS] = rest
        for k in range(starts[tile], starts[tile] + used[tile]):
            g = projected[ids[k]]
            low, high = _rows(g, _f(y_tile))
            u, v, a, b, c, o = g[0], g[1], _HALF * g[2], g[3], _HALF * g[4], g[5]
            red, green, blue, z = g[6], g[7], g[8], g[9]
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = _ZERO
            for p in range(low, high):
                dx, dy = u - buf[p + _P6], v - buf[p + _P7]
                raw = o * _exp(-(a * dx * dx + b * dx * dy + c * dy * dy))
                alpha = min(raw, _ALPHA_MAX)
                alpha = alpha if alpha >= _ALPHA_MIN else _ZERO
                t = buf[p]
                weight = alpha * t
                buf[p] = t - weight
                gr, gg, gb, gd = buf[p + _P2], buf[p + _P3], buf[p + _P4], buf[p + _P5]
                through = gr * red + gg * green + gb * blue + gd * z
                rest = buf[p + _P1] - weight * through
                buf[p + _P1] = rest
                h = -alpha * (t * through - rest / (_ONE - alpha))
                h = h if raw <= _ALPHA_MAX else _ZERO
                hx, hy = h * dx, h * dy
                s0 += h
                s1 += hx
                s2 += hy
                s3 += hx * dx
                s4 += hx * dy
                s5 += hy * dy
                s6 += weight * gr
                s7 += weight * gg
                s8 += weight * gb
                s9 += weight * gd
            out = pairs[slots[k]]
            out[0], out[1], out[2], out[3], out[4] = s0, s1, s2, s3, s4
            out[5], out[6], out[7], out[8], out[9] = s5, s6, s7, s8, s9


def blend_backward(
    projected: Any,
    starts: Any,
    ids: Any,
    slots: Any,
    used: Any,
    colour: Any,
    alpha: Any,
    depth: Any,
    d_colour: Any,
    d_alpha: Any,
    d_depth: Any,
) -> Any:
    """The SUMS of each pair of a Gaussian and a tile, float32 [pairs, SUMS]."""
    columns, _ = tiles_of(alpha.shape[1], alpha.shape[0])
    pairs = np.zeros((len(ids), SUMS), np.float32)
    drawn = (projected, starts, ids, slots, used, colour, alpha, depth)
    spread(_blend_backward, len(used), _LEAST_TILES, columns, *drawn, d_colour, d_alpha, d_depth, pairs)
    return pairs


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _gather(start: int, stop: int, projected: Any, first: Any, pairs: Any, out: Any) -> None:
    for i in range(start, stop):
        if first[i + 1] == first[i]:
            continue
        h = hx = hy = hxx = hxy = hyy = _ZERO
        for k in range(first[i], first[i + 1]):
            h += pairs[k, 0]
            hx += pairs[k, 1]
            hy += pairs[k, 2]
            hxx += pairs[k, 3]
            hxy += pairs[k, 4]
            hyy += pairs[k, 5]
            for ch in range(6, 10):
                out[i, ch] += pairs[k, ch]
        a, b, c = projected[i, 2], projected[i, 3], projected[i, 4]
        out[i, 0], out[i, 1] = a * hx + b * hy, b * hx + c * hy
        out[i, 2], out[i, 3], out[i, 4] = _HALF * hxx, hxy, _HALF * hyy
        out[i, 5] = -h / projected[i, 5]


def gather_gradients(projected: Any, first: Any, pairs: Any) -> Any:
    """Gradients [N, 10] of u, v, conic a, b, c, opacity, red, green, blue, depth, added up over each one's tiles."""
    out = np.zeros((len(projected), SUMS), np.float32)
    spread(_gather, len(projected), _LEAST_GAUSSIANS, projected, first, pairs, out)
    return out


@njit(cache=True, fastmath=True, error_model="numpy")
def _weights(g: Any, low: Any, high: Any, buf: Any) -> None:
    """What a Gaussian weighs in the pixels ``low`` to ``high`` of a tile; ``buf``: transmittance, weight, x, y."""
    u, v, a, b, c, o = g[0], g[1], _HALF * g[2], g[3], _HALF * g[4], g[5]
    for p in range(low, high):
        dx, dy = u - buf[p + _P2], v - buf[p + _P3]
        alpha = min(o * _exp(-(a * dx * dx + b * dx * dy + c * dy * dy)), _ALPHA_MAX)
        alpha = alpha if alpha >= _ALPHA_MIN else _ZERO
        weight = alpha * buf[p]
        buf[p] -= weight
        buf[p + _P1] = weight


@njit(cache=True, error_model="numpy")
def _begun(y_tile: int, x_tile: int, buf: Any) -> None:
    for p in range(PIXELS):
        buf[p] = _ONE
        buf[p + 2 * PIXELS] = _f(x_tile + p % TILE_WIDTH) + _HALF
        buf[p + 3 * PIXELS] = _f(y_tile + p // TILE_WIDTH) + _HALF


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _blend_values(
    start: int, stop: int, columns: int, projected: Any, starts: Any, ids: Any, used: Any, values: Any, out: Any
) -> None:
    channels, height, width = out.shape
    buf = np.empty((4 + channels) * PIXELS, np.float32)
    for tile in range(start, stop):
        y_tile, x_tile = (tile // columns) * TILE_HEIGHT, (tile % columns) * TILE_WIDTH
        buf[:] = _ZERO
        _begun(y_tile, x_tile, buf)
        for k in range(starts[tile], starts[tile] + used[tile]):
            low, high = _rows(projected[ids[k]], _f(y_tile))
            _weights(projected[ids[k]], low, high, buf)
            for c in range(channels):
                value, to = values[ids[k], c], _u((4 + c) * PIXELS)
                for p in range(low, high):
                    buf[p + to] += value * buf[p + _P1]
        for c in range(channels):
            for y in range(y_tile, min(y_tile + TILE_HEIGHT, height)):
                for x in range(x_tile, min(x_tile + TILE_WIDTH, width)):
                    out[c, y, x] = buf[(4 + c) * PIXELS + (y - y_tile) * TILE_WIDTH + x - x_tile]


def blend_values(projected: Any, starts: Any, ids: Any, used: Any, values: Any, width: int, height: int) -> Any:
    """Numbers [N, C] of the Gaussians blended as their colours are, over zero: float32 [C, H, W]."""
    columns, _ = tiles_of(width, height)
    out = np.empty((values.shape[1], height, width), np.float32)
    spread(_blend_values, len(used), _LEAST_TILES, columns, projected, starts, ids, used, values, out)
    return out


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _collect(
    start: int,
    stop: int,
    columns: int,
    projected: Any,
    starts: Any,
    ids: Any,
    slots: Any,
    used: Any,
    pictures: Any,
    pairs: Any,
) -> None:
    channels, height, width = pictures.shape
    buf = np.empty((4 + channels) * PIXELS, np.float32)
    for tile in range(start, stop):
        y_tile, x_tile = (tile // columns) * TILE_HEIGHT, (tile % columns) * TILE_WIDTH
        buf[:] = _ZERO
        _begun(y_tile, x_tile, buf)
        for c in range(channels):
            for y in range(y_tile, min(y_tile + TILE_HEIGHT, height)):
                for x in range(x_tile, min(x_tile + TILE_WIDTH, width)):
                    buf[(4 + c) * PIXELS + (y - y_tile) * TILE_WIDTH + x - x_tile] = pictures[c, y, x]
        for k in range(starts[tile], starts[tile] + used[tile]):
            low, high = _rows(projected[ids[k]], _f(y_tile))
            _weights(projected[ids[k]], low, high, buf)
            for c in range(channels):
                total, of = _ZERO, _u((4 + c) * PIXELS)
                for p in range(low, high):
                    total += buf[p + of] * buf[p + _P1]
                pairs[slots[k], c] = total


@njit(cache=True, nogil=True, error_model="numpy")
def _add_pairs(start: int, stop: int, first: Any, pairs: Any, out: Any) -> None:
    for i in range(start, stop):
        for k in range(first[i], first[i + 1]):
            for c in range(pairs.shape[1]):
                out[i, c] += pairs[k, c]


def collect(projected: Any, starts: Any, ids: Any, slots: Any, first: Any, used: Any, pictures: Any) -> Any:
    """Sums over the pixels of ``pictures`` [C, H, W] times the weight of each Gaussian there: float32 [N, C]."""
    columns, _ = tiles_of(pictures.shape[2], pictures.shape[1])
    pairs = np.zeros((len(ids), len(pictures)), np.float32)
    drawn = (projected, starts, ids, slots, used)
    spread(_collect, len(used), _LEAST_TILES, columns, *drawn, pictures, pairs)
    out = np.zeros((len(projected), len(pictures)), np.float32)
    spread(_add_pairs, len(out), _LEAST_GAUSSIANS, first, pairs, out)
    return out
