"""Lamps that an object's faces mirror: brighter, white, as wide as a lamp, and the same lamps for all of the object.

A face that flashes at one photo's lamp and at no other's is unlike anything that was learned, and looks like a stain.
But where a lamp stands is one direction for all of the object, and a face that mirrors it flashes over all of its
breadth: what a photo shows more than the field under its light is explained by lamps of one width in any directions,
with brightnesses >= 0 by robust least squares. A stain covers a part of a face, and most have a colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from paad.fields.shading import all_around
from paad.types import Float32

_LAMPS = 192
_SHARPNESS = 30.0
"""Of a lamp's lobe exp(sharpness (cosine - 1)): half as bright 12 degrees aside."""
_STIFFNESS = 0.1
"""Pixels' worth of 'there is no lamp'."""
_FACING, _MOST = 0.04, 6.0
"""Schlick's share that a face mirrors straight on, and how many times that at grazing views is believed."""
_MOST_PIXELS = 3000
_LEAST_WEIGHT = 1.0
"""Pixels at full strength that must mirror a lamp for it to be asked for."""
_ROUNDS, _SWEEPS = 3, 10
_DARK = 1e-4
_LEAST_SCALE = 0.02


@dataclass(frozen=True)
class Lamps:
    """Lamps around an object: ``towards`` unit vectors [L, 3], ``brightness`` [L]."""

    towards: Float32
    brightness: Float32

    def shown(self, cosine: Float32, mirrored: Float32, unshaded: Float32) -> Float32:
        """What they add to each of M pixels [M], the same to all channels; arguments as of :func:`lamps_of`."""
        out: Float32 = (_lobes(_strength(cosine, unshaded), mirrored, self.towards) * self.brightness).sum(axis=1)
        return out


def lamps_of(residual: Float32, cosine: Float32, mirrored: Float32, unshaded: Float32) -> Lamps:
    """The lamps that M pixels of an object mirror.

    Args:
        residual: [M, 3], the photo less the field under the photo's diffuse light.
        cosine: [M], between the normal and the direction towards the camera.
        mirrored: unit vectors [M, 3] that a mirror would show.
        unshaded: [M], in [0, 1], how open to light the place is.
    """
    chosen = slice(None, None, max(1, len(residual) // _MOST_PIXELS))
    towards = all_around(_LAMPS).astype(np.float32)
    lobes = _lobes(_strength(cosine[chosen], unshaded[chosen]), mirrored[chosen], towards).astype(np.float64)
    asked = lobes.sum(axis=0) > _LEAST_WEIGHT
    if not asked.any():
        return Lamps(towards[:0], np.zeros(0, np.float32))
    lobes, seen = lobes[:, asked], residual[chosen].astype(np.float64)
    brightness, weight = np.zeros(lobes.shape[1]), np.ones(len(lobes))
    for _ in range(_ROUNDS):
        matrix = (lobes * weight[:, None]).T @ lobes + _STIFFNESS * np.eye(len(brightness))
        brightness = _not_negative(matrix, (lobes * weight[:, None]).T @ seen.mean(axis=1), brightness, _SWEEPS)
        off = np.sqrt(((seen - (lobes @ brightness)[:, None]) ** 2).mean(axis=1))
        weight = 1.0 / (1.0 + (off / max(_LEAST_SCALE, 1.5 * float(np.median(off)))) ** 2)
    burning = brightness > _DARK
    return Lamps(towards[asked][burning], brightness[burning].astype(np.float32))


def _strength(cosine: Float32, unshaded: Float32) -> Float32:
    share = np.float32(_FACING) + np.float32(1.0 - _FACING) * np.clip(1.0 - cosine, 0.0, 1.0) ** 5
    out: Float32 = unshaded * np.minimum(share / np.float32(_FACING), np.float32(_MOST))
    return out


def _lobes(strength: Float32, mirrored: Float32, towards: Float32) -> Float32:
    """What lamps of brightness 1 in the directions ``towards`` [L, 3] add to each pixel [M, L]."""
    cosine = sum(mirrored[:, None, a] * towards[None, :, a] for a in range(3))
    out: Float32 = strength[:, None] * np.exp(np.float32(_SHARPNESS) * (cosine - np.float32(1.0)))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _not_negative(matrix: Any, side: Any, start: Any, sweeps: int) -> Any:
    """x >= 0 that makes x.matrix.x / 2 - side.x small: by one coordinate after another."""
    x = start.copy()
    for _ in range(sweeps):
        for k in range(len(side)):
            rest = side[k]
            for j in range(len(side)):
                rest -= matrix[k, j] * x[j]
            x[k] = max(0.0, x[k] + rest / matrix[k, k])
    return x
