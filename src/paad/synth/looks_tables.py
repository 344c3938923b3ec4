"""Procedural tables and cloths for the ``real`` look: sRGB textures, tileable by mirroring."""

from __future__ import annotations

import numpy as np

from paad.synth.defects_noise import SpaceNoise
from paad.types import Float32, Float64

TEXTURE_PX = 384
_PALETTE = np.array(
    [
        (0.55, 0.38, 0.24), (0.72, 0.56, 0.38), (0.35, 0.22, 0.15), (0.78, 0.77, 0.74), (0.36, 0.40, 0.45),
        (0.23, 0.35, 0.30), (0.62, 0.30, 0.28), (0.25, 0.33, 0.52), (0.80, 0.72, 0.55), (0.50, 0.50, 0.52),
    ]
)  # fmt: skip


def table_texture(rng: np.random.Generator) -> tuple[Float32, str]:
    """A random table or cloth: sRGB texture [384, 384, 3] and what it is."""
    kinds = {"wood": _wood, "weave": _weave, "check": _check, "speckle": _speckle, "stripes": _stripes}
    name = str(rng.choice(list(kinds)))
    y, x = np.mgrid[0:TEXTURE_PX, 0:TEXTURE_PX] / TEXTURE_PX
    texture = kinds[name](x, y, rng)
    worn = SpaceNoise(rng)(_points(x, y), 3.0, 4).reshape(x.shape)
    return np.clip(texture * (1.0 + 0.06 * worn[..., None]), 0.02, 0.95).astype(np.float32), name


def _points(x: Float64, y: Float64) -> Float64:
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)


def _colour(rng: np.random.Generator, low: int = 0) -> Float64:
    return np.asarray(_PALETTE[rng.integers(low, len(_PALETTE))] * rng.uniform(0.85, 1.15))


def _wood(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    noise = SpaceNoise(rng)
    stretched = noise(_points(x * 0.8, y * 9.0), 2.0, 3).reshape(x.shape)
    rings = 0.5 + 0.5 * np.sin(2.0 * np.pi * (7.0 * y + 1.4 * stretched))
    fibre = noise(_points(x * 3.0, y * 90.0), 1.0, 2).reshape(x.shape)
    planks = np.floor(y * 4.0) * 0.37 % 1.0
    seam = np.abs((y * 4.0) % 1.0 - 0.5) > 0.488
    tone = 0.80 + 0.18 * rings + 0.07 * fibre + 0.12 * (planks - 0.5)
    return np.asarray(_PALETTE[rng.integers(0, 3)] * np.where(seam, 0.45, tone)[..., None])


def _weave(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    threads = float(rng.integers(40, 80))
    u, v = np.abs(np.sin(np.pi * threads * x)), np.abs(np.sin(np.pi * threads * y))
    over = (np.floor(threads * x) + np.floor(threads * y)) % 2 == 0
    shade = 0.72 + 0.28 * np.where(over, u, v)
    fold = SpaceNoise(rng)(_points(x, y), 2.0, 2).reshape(x.shape)
    return np.asarray(_colour(rng, 3) * (shade * (1.0 + 0.08 * fold))[..., None])


def _check(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    n = int(rng.integers(5, 12))
    level = 0.5 * ((np.floor(n * x) % 2) + (np.floor(n * y) % 2))[..., None]
    weave = 0.93 + 0.07 * np.sin(np.pi * 120.0 * x) * np.sin(np.pi * 120.0 * y)
    return np.asarray(((1.0 - level) * np.array([0.86, 0.85, 0.81]) + level * _colour(rng, 4)) * weave[..., None])


def _speckle(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    grain = SpaceNoise(rng)(_points(x, y), 55.0, 2).reshape(x.shape)[..., None]
    ground, dots = _colour(rng, 3), _colour(rng)
    return np.asarray(np.where(grain > 0.55, dots, ground) * (1.0 + 0.08 * grain))


def _stripes(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    wave = y + 0.01 * np.sin(2.0 * np.pi * 2.0 * x)
    n = float(rng.integers(6, 14))
    stripe = np.clip(4.0 * np.sin(2.0 * np.pi * n * wave) + 0.5, 0.0, 1.0)[..., None]
    weave = 0.92 + 0.08 * np.sin(np.pi * 150.0 * x)[..., None]
    return np.asarray((stripe * _colour(rng, 3) + (1.0 - stripe) * np.array([0.82, 0.80, 0.74])) * weave)
