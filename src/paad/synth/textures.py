"""Procedural textures, and small inspection sets of one texture in a fixed pose with planted defects.

Two uses:

- :func:`procedural_texture` and :func:`perlin_noise` make training material (foreign textures, ragged masks).
- :func:`texture_set` makes good training images, good test images and defective ones with masks, as arrays;
  :func:`write_texture_object` writes them as an object folder without poses, which every detector that needs no poses
  can be fitted on::

      data = texture_set("weave", side=96, n_train=60, seed=0)    # data.train: uint8 [60, 96, 96, 3]
      detector.fit(data.views())
      scores = [detector.predict(image).score for image in data.images]    # data.labels, data.masks: the truth

      write_texture_object("out/weave", data)                     # paad fit out/weave --method stfpm ...

Everything is drawn from a seed: the same arguments give the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from paad.data.images import save_png
from paad.data.views import Photo
from paad.errors import UsageError
from paad.types import Bool, Float32, UInt8

TextureKind = Literal["weave", "tiles", "disc", "grain"]
TextureDefect = Literal["stain", "scratch", "patch", "dent"]
_PATTERNS = ("clouds", "marble", "wood", "cells", "stripes", "checks", "dots", "speckle")


@dataclass(frozen=True)
class TextureSet:
    """One texture's photos. Test images stand "good" first.

    Attributes:
        train: uint8 [N, H, W, 3], good.
        images: uint8 [T, H, W, 3], the test images.
        labels: length T, "good" or a defect's name.
        masks: bool [T, H, W], True on defective pixels.
    """

    train: UInt8
    images: UInt8
    labels: tuple[str, ...]
    masks: Bool

    def views(self) -> list[Photo]:
        """The training images as what a detector is fitted on."""
        return [Photo(f"train/good/{i:03d}.png", image, None) for i, image in enumerate(self.train)]


def perlin_noise(rng: np.random.Generator, height: int, width: int, cells_y: int, cells_x: int) -> Float32:
    """Gradient noise [height, width] in about [-1, 1] with ``cells_y`` x ``cells_x`` lattice cells.

    Random unit gradients at the lattice points, the fade curve of Perlin's "Improving noise" (2002); it is zero at the
    lattice points.
    """
    angle = rng.uniform(0.0, 2.0 * np.pi, (cells_y + 1, cells_x + 1))
    y, x = (np.arange(n) + 0.5 for n in (height, width))
    y, x = y * cells_y / height, x * cells_x / width
    iy, ix = np.floor(y).astype(int), np.floor(x).astype(int)
    ty, tx = (y - iy)[:, None], (x - ix)[None, :]
    fade_y, fade_x = (t * t * t * (t * (t * 6.0 - 15.0) + 10.0) for t in (ty, tx))
    total = np.zeros((height, width))
    for dy, dx in np.ndindex(2, 2):
        corner = angle[iy + dy][:, ix + dx]
        weight = (fade_y if dy else 1.0 - fade_y) * (fade_x if dx else 1.0 - fade_x)
        total += weight * (np.sin(corner) * (ty - dy) + np.cos(corner) * (tx - dx))
    return np.asarray(total * np.sqrt(2.0), np.float32)


def fractal_noise(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int = 3) -> Float32:
    """Perlin noise [height, width], summed over octaves of half the weight and twice the cells each."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        n = min(cells * 2**octave, max(height, width))
        total += np.float32(0.5**octave) * perlin_noise(rng, height, width, n, n)
    return total


def procedural_texture(rng: np.random.Generator, height: int, width: int) -> Float32:
    """A random texture, float32 RGB [height, width, 3] in [0, 1]: one of eight patterns in a random palette."""
    pattern = _PATTERNS[int(rng.integers(len(_PATTERNS)))]
    value = _pattern(rng, pattern, height, width)
    value = (value - value.min()) / max(float(np.ptp(value)), 1e-6)
    low, middle, high = rng.uniform(0.0, 1.0, (3, 3)).astype(np.float32)
    v = value[..., None]
    color = np.where(v < 0.5, low + (middle - low) * 2.0 * v, middle + (high - middle) * (2.0 * v - 1.0))
    grain = rng.normal(0.0, rng.uniform(0.0, 0.08), (height, width, 1))
    out: Float32 = np.clip(color + grain, 0.0, 1.0).astype(np.float32)
    return out


def _pattern(rng: np.random.Generator, pattern: str, height: int, width: int) -> Float32:
    """Values [height, width] of any range."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(max(height, width))
    turn, cells = rng.uniform(0.0, np.pi), float(rng.uniform(3.0, 16.0))
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    if pattern == "clouds":
        return fractal_noise(rng, height, width, int(cells), 4)
    if pattern == "marble":
        return np.float32(1.0) - np.abs(fractal_noise(rng, height, width, int(cells), 3))
    if pattern == "speckle":
        white = rng.normal(size=(height, width)).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(white, (0, 0), rng.uniform(0.6, 3.0)), np.float32)
    if pattern == "wood":
        rings = np.hypot(u - rng.uniform(-1, 1), v * 0.2) * cells * 2.0
        return np.asarray((rings + 0.6 * fractal_noise(rng, height, width, 4, 2)) % 1.0, np.float32)
    if pattern == "stripes":
        return np.asarray(np.sin(2.0 * np.pi * cells * u + 2.0 * perlin_noise(rng, height, width, 3, 3)), np.float32)
    if pattern == "checks":
        return np.asarray((np.floor(u * cells) + np.floor(v * cells)) % 2.0, np.float32)
    if pattern == "dots":
        return np.asarray(np.cos(2 * np.pi * cells * u) * np.cos(2 * np.pi * cells * v) > 0.4, np.float32)
    seeds = np.full((height, width), 255, np.uint8)
    n = int(cells * cells / 2) + 4
    seeds[rng.integers(0, height, n), rng.integers(0, width, n)] = 0
    return np.asarray(cv2.distanceTransform(seeds, cv2.DIST_L2, 5), np.float32)


def texture_set(
    kind: TextureKind,
    side: int = 96,
    n_train: int = 60,
    n_good: int = 20,
    n_defect: int = 20,
    seed: int = 0,
) -> TextureSet:
    """Photos [side, side] of one texture in a fixed pose.

    Good photos differ by a shift of up to a pixel, 4 % of brightness, sensor noise and the material's own grain;
    ``grain`` is new everywhere in every photo. Defects come in turn: stain, scratch, patch (a foreign texture), dent
    (the material is pushed aside and shaded).

    Raises:
        UsageError: no such kind, or a side under 32 pixels.
    """
    if kind not in get_args(TextureKind) or side < 32:
        raise UsageError(
            f"texture {kind!r} at {side} pixels: choose one of {', '.join(get_args(TextureKind))}, at 32 or more"
        )
    layout = int(np.random.default_rng([seed, 0]).integers(2**31))

    def photo(part: int, index: int) -> Float32:
        return _good_photo(kind, side, layout, np.random.default_rng([seed, part, index]))

    names: tuple[TextureDefect, ...] = get_args(TextureDefect)
    train = [_as_bytes(photo(1, i)) for i in range(n_train)]
    images = [_as_bytes(photo(2, i)) for i in range(n_good)]
    masks = [np.zeros((side, side), bool)] * n_good
    labels = ["good"] * n_good
    for i in range(n_defect):
        labels.append(names[i % len(names)])
        spoiled, mask = plant_defect(photo(3, i), names[i % len(names)], np.random.default_rng([seed, 4, i]))
        images.append(_as_bytes(spoiled))
        masks.append(mask)
    shape = (-1, side, side)
    return TextureSet(
        np.array(train, np.uint8).reshape(*shape, 3),
        np.array(images, np.uint8).reshape(*shape, 3),
        tuple(labels),
        np.array(masks, bool).reshape(shape),
    )


def _good_photo(kind: TextureKind, side: int, layout: int, rng: np.random.Generator) -> Float32:
    """One good photo, float32 [side, side, 3]. ``layout`` seeds what all photos share, ``rng`` what differs."""
    fixed = np.random.default_rng(layout)
    dy, dx = rng.uniform(-1.0, 1.0, 2)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    y, x = (y + np.float32(dy)) / side, (x + np.float32(dx)) / side
    first, second, third = fixed.uniform(0.15, 0.85, (3, 3)).astype(np.float32)
    grain = fractal_noise(rng, side, side, max(8, side // 4), 2)[..., None]
    if kind == "weave":
        over = np.sin(2 * np.pi * 12 * x) * np.sin(2 * np.pi * 12 * y) > 0
        thread = np.where(over, np.abs(np.cos(2 * np.pi * 12 * x)), np.abs(np.cos(2 * np.pi * 12 * y)))
        color = np.where(over[..., None], first, second) * (0.65 + 0.35 * thread[..., None]) + 0.05 * grain
    elif kind == "tiles":
        palette = fixed.uniform(0.2, 0.9, (7, 7, 3)).astype(np.float32)
        row, column = (np.clip((v * 6).astype(int), 0, 6) for v in (y, x))
        grout = np.minimum(np.abs(y * 6 - np.round(y * 6)), np.abs(x * 6 - np.round(x * 6))) < 0.08
        color = np.where(grout[..., None], np.float32(0.5), palette[row, column]) + 0.06 * grain
    elif kind == "disc":
        radius, angle = np.hypot(y - 0.5, x - 0.5), np.arctan2(y - 0.5, x - 0.5)
        rim = np.where((radius < 0.36)[..., None], first, second * (0.8 + 0.2 * np.cos(80 * radius))[..., None])
        holes = (np.abs(radius - 0.25) < 0.05) & (np.cos(6 * angle) > 0.8)
        color = np.where((radius < 0.44)[..., None], np.where(holes[..., None], third, rim) + 0.04 * grain, 0.95)
    else:
        color = first + 0.8 * fractal_noise(rng, side, side, 6, 4)[..., None] * (second - 0.5) + 0.05 * grain
    gain = 1.0 + rng.uniform(-0.04, 0.04)
    noise = rng.normal(0.0, 0.012, (side, side, 3))
    out: Float32 = np.clip(color * gain + noise, 0.0, 1.0).astype(np.float32)
    return out


def plant_defect(image: Float32, defect: TextureDefect, rng: np.random.Generator) -> tuple[Float32, Bool]:
    """A copy of ``image`` [H, W, 3] with one defect in its middle part, and its mask [H, W]."""
    height, width = image.shape[:2]
    side = min(height, width)
    cy, cx = rng.uniform(0.28, 0.72, 2) * (height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y - np.float32(cy), x - np.float32(cx)
    ragged = 1.0 + 0.5 * fractal_noise(rng, height, width, 8, 2)
    inside = np.hypot(y, x) < rng.uniform(0.06, 0.12) * side * ragged
    local = image[inside].mean(0) if inside.any() else image.mean((0, 1))
    contrast = np.where(local > 0.5, local - rng.uniform(0.3, 0.5, 3), local + rng.uniform(0.3, 0.5, 3))
    out = image.copy()
    if defect == "stain":
        out[inside] = 0.3 * image[inside] + 0.7 * contrast
    elif defect == "patch":
        inside = np.maximum(np.abs(y), np.abs(x)) < rng.uniform(0.06, 0.1) * side
        out[inside] = procedural_texture(rng, height, width)[inside]
    elif defect == "scratch":
        canvas = np.zeros((height, width), np.uint8)
        steps = np.cumsum(rng.normal(0.0, 0.05, 6)) + rng.uniform(0.0, 2 * np.pi)
        moves = np.stack([np.cos(steps), np.sin(steps)], 1) * 0.07 * side
        path = np.array([cx, cy]) + np.cumsum(moves, 0) - moves.sum(0) / 2
        cv2.polylines(canvas, [np.round(path).astype(np.int32)], False, 1, max(1, round(side / 48)))
        inside = canvas > 0
        out[inside] = contrast
    else:
        radius = rng.uniform(0.08, 0.12) * side
        fall = np.exp(-(y * y + x * x) / np.float32(radius * radius))
        push = fall * np.float32(0.9 * radius)
        turn = rng.uniform(0.0, 2 * np.pi)
        map_x = (x + cx + push * np.cos(turn)).astype(np.float32)
        map_y = (y + cy + push * np.sin(turn)).astype(np.float32)
        out = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        out = out * (1.0 - 0.45 * fall[..., None])
        inside = fall > 0.3
    return np.clip(out, 0.0, 1.0).astype(np.float32), np.asarray(inside, bool)


def _as_bytes(image: Float32) -> UInt8:
    return np.round(image * 255.0).astype(np.uint8)


def write_texture_object(out: str | Path, data: TextureSet) -> Path:
    """Write the set as an object folder without poses: train/good, test/<label>, ground_truth/<label>; returns it."""
    root = Path(out)
    for i, image in enumerate(data.train):
        save_png(root / "train/good" / f"{i:03d}.png", image)
    for i, (image, label, mask) in enumerate(zip(data.images, data.labels, data.masks, strict=True)):
        save_png(root / "test" / label / f"{i:03d}.png", image)
        if label != "good":
            save_png(root / "ground_truth" / label / f"{i:03d}_mask.png", mask.astype(np.uint8) * np.uint8(255))
    return root
