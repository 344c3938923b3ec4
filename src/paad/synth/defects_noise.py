"""Seeded gradient-free noise in space: value noise on a lattice, summed over octaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paad.types import Float64


class SpaceNoise:
    """Smooth random values in about [-1, 1] everywhere in space (value noise, Perlin's fade curve of 2002)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._table = rng.permutation(256)
        self._values = rng.uniform(-1.0, 1.0, 256)

    def __call__(self, points: NDArray[np.floating], frequency: float, octaves: int = 3) -> Float64:
        """Values [N] at ``points`` [N, 3]; ``frequency`` in cells a world unit of the first octave."""
        total, weight = np.zeros(len(points)), 0.0
        for octave in range(octaves):
            total += 0.5**octave * self._lattice(
                np.asarray(points, np.float64) * frequency * 2.0**octave + 7.3 * octave
            )
            weight += 0.5**octave
        return total / (0.6 * weight)

    def _lattice(self, p: Float64) -> Float64:
        cell = np.floor(p).astype(np.int64)
        t = p - cell
        fade = t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
        ends = (cell & 255, (cell + 1) & 255)
        out = np.zeros(len(p))
        for i, j, k in np.ndindex(2, 2, 2):
            row = self._table[ends[i][:, 0]]
            hashed = self._table[(self._table[(row + ends[j][:, 1]) & 255] + ends[k][:, 2]) & 255]
            x, y, z = (fade[:, a] if end else 1.0 - fade[:, a] for a, end in enumerate((i, j, k)))
            out += x * y * z * self._values[hashed]
        return out
