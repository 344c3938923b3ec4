"""Exact nearest neighbours by matrix products in blocks, and the greedy choice of a coreset.

Both have a plain twin (``*_plain``) that says what they compute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.types import Float32

Int64 = NDArray[np.int64]

# Measured by benchmarks/knn_speed.py: tall, narrow blocks keep the product at BLAS speed while the block that is
# searched for its minimum stays in the cache.
_QUERIES_A_BLOCK = 2048
_POINTS_A_BLOCK = 512


@dataclass(frozen=True)
class Bank:
    """Points [M, D] that are searched, with their squared norms [M]."""

    points: Float32
    norms: Float32

    @staticmethod
    def of(points: Float32) -> Bank:
        """A bank of ``points`` [M, D]."""
        own = np.ascontiguousarray(points, np.float32)
        return Bank(own, np.einsum("md,md->m", own, own))

    def nearest(self, queries: Float32) -> tuple[Float32, Int64]:
        """Squared distance [Q] to, and index [Q] of, the nearest point of each of ``queries`` [Q, D]."""
        count, points = len(queries), self.points
        least, index = np.full(count, np.inf, np.float32), np.zeros(count, np.int64)
        space = np.empty(min(_QUERIES_A_BLOCK, count) * min(_POINTS_A_BLOCK, len(points)), np.float32)
        for row in range(0, count, _QUERIES_A_BLOCK):
            part = queries[row : row + _QUERIES_A_BLOCK] * np.float32(-2.0)
            for start in range(0, len(points), _POINTS_A_BLOCK):
                block = points[start : start + _POINTS_A_BLOCK]
                found = space[: len(part) * len(block)].reshape(len(part), len(block))
                np.matmul(part, block.T, out=found)
                found += self.norms[start : start + _POINTS_A_BLOCK]
                smallest = found.min(1)
                better = np.flatnonzero(smallest < least[row : row + _QUERIES_A_BLOCK])
                least[row + better] = smallest[better]
                index[row + better] = found[better].argmin(1) + start
        least += np.einsum("qd,qd->q", queries, queries)
        return np.maximum(least, np.float32(0.0)), index


def nearest_plain(queries: Float32, points: Float32) -> tuple[Float32, Int64]:
    """What :meth:`Bank.nearest` computes, one query at a time."""
    pairs = []
    for query in queries:
        distances = ((points - query) ** 2).sum(1)
        pairs.append((distances.min(), distances.argmin()))
    return np.array([p[0] for p in pairs], np.float32), np.array([p[1] for p in pairs], np.int64)


def projected(points: Float32, dimensions: int, seed: int) -> Float32:
    """Points [N, D] under a random Gaussian projection to [N, dimensions], which about keeps distances (Johnson and
    Lindenstrauss); as they are, where they have no more dimensions than that."""
    if points.shape[1] <= dimensions:
        return points
    matrix = np.random.default_rng(seed).normal(0.0, dimensions**-0.5, (points.shape[1], dimensions))
    return points @ matrix.astype(np.float32)


def greedy_coreset(points: Float32, count: int, start: int) -> Int64:
    """Indices [count] of a greedy k-centre choice among ``points`` [N, D], in the order of choice, ``start`` first.

    Each next point is the one farthest from those chosen so far. By the triangle inequality a new centre c cannot be
    nearer to x than x's present centre a where |c - a| >= 2 |x - a|, so only the other points are compared with it.
    """
    centred = np.ascontiguousarray(points - points.mean(0), np.float32)
    norms = np.einsum("nd,nd->n", centred, centred)
    chosen = np.empty(count, np.int64)
    owner = np.zeros(len(points), np.int64)
    least = np.full(len(points), np.inf, np.float32)
    centres = np.empty((count, points.shape[1]), np.float32)
    centre_norms = np.empty(count, np.float32)
    index = int(start)
    for k in range(count):
        chosen[k], centres[k], centre_norms[k] = index, centred[index], norms[index]
        between = centre_norms[: k + 1] + norms[index] - 2.0 * (centres[: k + 1] @ centred[index])
        # A little slack for rounding; the first round takes all points.
        near = np.flatnonzero(4.0 * least > (0.999 * between)[owner]) if k else np.arange(len(points))
        rows = centred if 3 * len(near) > len(points) else centred[near]
        products = rows @ centred[index]
        distances = norms[near] + norms[index] - 2.0 * (products[near] if len(rows) == len(points) else products)
        closer = distances < least[near]
        least[near[closer]] = distances[closer]
        owner[near[closer]] = k
        least[index] = -1.0  # a copy of a chosen point may come again, the point itself not
        index = int(least.argmax())
    return chosen


def greedy_coreset_plain(points: Float32, count: int, start: int) -> Int64:
    """What :func:`greedy_coreset` computes, with all distances in every round."""
    chosen = [start]
    while len(chosen) < count:
        least = np.min([((points - points[i]) ** 2).sum(1) for i in chosen], axis=0)
        least[chosen] = -1.0
        chosen.append(int(least.argmax()))
    return np.array(chosen[:count], np.int64)
