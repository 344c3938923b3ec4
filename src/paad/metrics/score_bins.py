"""Bins over float32 scores that need no value range: the order of the bit patterns is the order of the numbers.

A float32 with its sign bit turned (and a negative one with all bits turned) is an unsigned integer of the same
order. Its upper 16 bits choose one of 65,536 pages (1/128 of an octave each); each page is cut into 64 to 65,536
bins, the more the larger the share of the first pixels that fell into it. So a map in [0, 1], one in [-9, -8.99]
and one over twenty octaves all keep 5 digits of every ranking metric, with a few ten megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

PAGES = 1 << 16
_LEAST_BITS = 6
_FINEST_BIN = 2.0**-16  # target for the largest share of a class in one bin; shifts an AUROC by at most half of it

GOOD, DEFECT, REGION, GOOD_IMAGE = range(4)
"""Columns of the histogram: good pixels, defective pixels, region overlap, share of good images' area."""


@dataclass(frozen=True)
class Pages:
    """Where each page's bins start (int64 [65536]), how far a key's lower half is shifted (uint32 [65536]), total."""

    start: NDArray[np.int64]
    shift: NDArray[np.uint32]
    n_bins: int


def plan_pages(pages_seen: NDArray[np.float64]) -> Pages:
    """Cut pages into bins by what was seen so far: ``pages_seen`` [65536, 2] good and defective pixels by page."""
    share = (pages_seen / np.maximum(pages_seen.sum(axis=0), 1.0)).max(axis=1)
    with np.errstate(divide="ignore"):
        wanted = np.ceil(np.log2(share / _FINEST_BIN))
    bits = np.clip(wanted, _LEAST_BITS, 16).astype(np.uint32)
    sizes = np.left_shift(np.int64(1), bits.astype(np.int64))
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    return Pages(start, (16 - bits).astype(np.uint32), int(sizes.sum()))


def bits_of(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The bit patterns [N] of contiguous float32 values of any shape, without a copy."""
    return values.reshape(-1).view(np.uint32)


@njit(cache=True, nogil=True)
def _key(bits: Any) -> Any:
    if bits == np.uint32(0x80000000):  # -0.0 equals 0.0
        return np.uint32(0x80000000)
    if bits & np.uint32(0x80000000):
        return np.uint32(~bits)
    return np.uint32(bits | np.uint32(0x80000000))


@njit(cache=True, nogil=True)
def keys_of(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Order-preserving keys [N] of bit patterns [N]."""
    keys = np.empty_like(bits)
    for i in range(bits.size):
        keys[i] = _key(bits[i])
    return keys


@njit(cache=True, nogil=True)
def bins_of_keys(keys: NDArray[np.uint32], start: NDArray[np.int64], shift: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Bin numbers [N] of keys [N]."""
    bins = np.empty(keys.size, np.int64)
    for i in range(keys.size):
        page = keys[i] >> np.uint32(16)
        bins[i] = start[page] + np.int64((keys[i] & np.uint32(0xFFFF)) >> shift[page])
    return bins


@njit(cache=True, nogil=True)
def count_pages(bits: NDArray[np.uint32], regions: NDArray[np.int32], seen: NDArray[np.float64]) -> None:
    """Add pixels to ``seen`` [65536, 2] by page and class; ``regions`` [N] is 0 on good pixels, or empty."""
    labelled = regions.size > 0
    for i in range(bits.size):
        seen[_key(bits[i]) >> np.uint32(16), 1 if labelled and regions[i] > 0 else 0] += 1.0


@njit(cache=True, nogil=True)
def count_good_image(
    bits: NDArray[np.uint32], start: NDArray[np.int64], shift: NDArray[np.uint32], histogram: NDArray[np.float64]
) -> None:
    """Add all pixels of a good image to ``histogram`` [n_bins, 4]; each image weighs 1 in the column GOOD_IMAGE."""
    weight = 1.0 / bits.size
    for i in range(bits.size):
        key = _key(bits[i])
        page = key >> np.uint32(16)
        b = start[page] + np.int64((key & np.uint32(0xFFFF)) >> shift[page])
        histogram[b, GOOD] += 1.0
        histogram[b, GOOD_IMAGE] += weight


@njit(cache=True, nogil=True)
def count_defect_image(
    bits: NDArray[np.uint32],
    regions: NDArray[np.int32],
    areas: NDArray[np.float64],
    start: NDArray[np.int64],
    shift: NDArray[np.uint32],
    histogram: NDArray[np.float64],
) -> None:
    """Add a defective image's pixels; ``regions`` [N] numbers its regions from 1, ``areas`` [R + 1] in pixels."""
    for i in range(bits.size):
        key = _key(bits[i])
        page = key >> np.uint32(16)
        b = start[page] + np.int64((key & np.uint32(0xFFFF)) >> shift[page])
        region = regions[i]
        if region > 0:
            histogram[b, DEFECT] += 1.0
            histogram[b, REGION] += 1.0 / areas[region]
        else:
            histogram[b, GOOD] += 1.0


@njit(cache=True, nogil=True)
def occupied(histogram: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of the bins [M] that hold a pixel, the highest score first."""
    n = 0
    for b in range(histogram.shape[0]):
        if histogram[b, GOOD] > 0.0 or histogram[b, DEFECT] > 0.0:
            n += 1
    found = np.empty(n, np.int64)
    for b in range(histogram.shape[0]):
        if histogram[b, GOOD] > 0.0 or histogram[b, DEFECT] > 0.0:
            n -= 1
            found[n] = b
    return found
