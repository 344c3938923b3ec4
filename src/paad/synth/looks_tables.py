"""Procedural tables and cloths for the ``real`` look: sRGB textures, tileable by mirroring."""

from __future__ import annotations

import numpy as np

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
    worn = _noise(rng, 3, 3, 4)
    return np.clip(texture * (1.0 + 0.06 * worn[..., None]), 0.02, 0.95).astype(np.float32), name


def _noise(rng: np.random.Generator, across: int, down: int, octaves: int) -> Float64:
    """Smooth random values in about [-1, 1]: grids of ``across`` x ``down`` cells, doubled each octave, enlarged."""
    import cv2

    total, weight = np.zeros((TEXTURE_PX, TEXTURE_PX)), 0.0
    for octave in range(octaves):
        grid = rng.uniform(-1.0, 1.0, (min(down << octave, TEXTURE_PX) + 1, min(across << octave, TEXTURE_PX) + 1))
        total += 0.5**octave * cv2.resize(grid, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_CUBIC)
        weight += 0.5**octave
    return np.asarray(total / (0.6 * weight))


def _colour(rng: np.random.Generator, low: int = 0) -> Float64:
    return np.asarray(_PALETTE[rng.integers(low, len(_PALETTE))] * rng.uniform(0.85, 1.15))


def _wood(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    stretched = _noise(rng, 2, 18, 3)
    rings = 0.5 + 0.5 * np.sin(2.0 * np.pi * (7.0 * y + 1.4 * stretched))
    fibre = _noise(rng, 4, 90, 2)
    planks = np.floor(y * 4.0) * 0.37 % 1.0
    seam = np.abs((y * 4.0) % 1.0 - 0.5) > 0.488
    tone = 0.80 + 0.18 * rings + 0.07 * fibre + 0.12 * (planks - 0.5)
    return np.asarray(_PALETTE[rng.integers(0, 3)] * np.where(seam, 0.45, tone)[..., None])


def _weave(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    threads = float(rng.integers(40, 80))
    u, v = np.abs(np.sin(np.pi * threads * x)), np.abs(np.sin(np.pi * threads * y))
    over = (np.floor(threads * x) + np.floor(threads * y)) % 2 == 0
    shade = 0.72 + 0.28 * np.where(over, u, v)
    fold = _noise(rng, 2, 2, 2)
    return np.asarray(_colour(rng, 3) * (shade * (1.0 + 0.08 * fold))[..., None])


def _check(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    n = int(rng.integers(5, 12))
    level = 0.5 * ((np.floor(n * x) % 2) + (np.floor(n * y) % 2))[..., None]
    weave = 0.93 + 0.07 * np.sin(np.pi * 120.0 * x) * np.sin(np.pi * 120.0 * y)
    return np.asarray(((1.0 - level) * np.array([0.86, 0.85, 0.81]) + level * _colour(rng, 4)) * weave[..., None])


def _speckle(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    grain = _noise(rng, 55, 55, 2)[..., None]
    ground, dots = _colour(rng, 3), _colour(rng)
    return np.asarray(np.where(grain > 0.55, dots, ground) * (1.0 + 0.08 * grain))


def _stripes(x: Float64, y: Float64, rng: np.random.Generator) -> Float64:
    wave = y + 0.01 * np.sin(2.0 * np.pi * 2.0 * x)
    n = float(rng.integers(6, 14))
    stripe = np.clip(4.0 * np.sin(2.0 * np.pi * n * wave) + 0.5, 0.0, 1.0)[..., None]
    weave = 0.92 + 0.08 * np.sin(np.pi * 150.0 * x)[..., None]
    return np.asarray((stripe * _colour(rng, 3) + (1.0 - stripe) * np.array([0.82, 0.80, 0.74])) * weave)
