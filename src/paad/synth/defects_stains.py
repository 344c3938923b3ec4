"""Stains: blots, smears, scratches and fading painted in space, so that they follow the surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paad.synth.defects import Damage, Spot, tangents
from paad.synth.defects_noise import SpaceNoise
from paad.synth.render_surface import Surface, concatenate, linear_of_srgb, srgb_of_linear
from paad.types import Bool, Float32, Float64

SHAPES = ("blot", "smear", "scratch", "fading")
MIN_CONTRAST, MAX_CONTRAST = 10.0 / 255.0, 170.0 / 255.0
"""Largest change of an sRGB channel at a stain's middle: barely visible to glaring."""
INKS = {
    "black ink": (0.05, 0.05, 0.06), "coffee": (0.33, 0.20, 0.10), "rust": (0.55, 0.25, 0.10),
    "grease": (0.28, 0.26, 0.20), "red paint": (0.75, 0.08, 0.08), "green marker": (0.10, 0.55, 0.20),
    "blue ink": (0.10, 0.15, 0.60), "chalk": (0.93, 0.92, 0.90), "mustard": (0.80, 0.65, 0.10),
}  # fmt: skip
"""sRGB."""

Strength = Callable[[Float64], Float64]
"""How much of the stain covers the points [N, 3]: [N] in [0, 1]."""


def stain(surface: Surface, area: float, spot: Spot, rng: np.random.Generator) -> Damage | None:
    """Paint a random stain of about ``area`` (world units squared) around ``spot``."""
    shape = str(rng.choice(SHAPES, p=[0.4, 0.2, 0.2, 0.2]))
    strength, reach, detail = _field(shape, area, spot, rng)
    near = _near(surface.corners, spot.point, reach)
    if not near.any():
        return None
    fine = refined(surface.take(near), spot.point, reach, detail)
    cover = strength(fine.corners.mean(axis=1, dtype=np.float64))
    facing = fine.normals.mean(axis=1) @ spot.normal
    cover = cover * np.clip((facing + 0.35) / 0.3, 0.0, 1.0)
    base = srgb_of_linear(surface.colours[spot.triangle])
    ink, name, opacity, contrast = _ink(shape, base, rng)
    blend = (opacity * cover)[..., None].astype(np.float32)
    painted = linear_of_srgb((1.0 - blend) * srgb_of_linear(fine.colours) + blend * ink)
    changed = cover > 1e-3
    if not changed.any():
        return None
    colours = np.where(changed[:, None], painted, fine.colours)
    patched = Surface(fine.corners, fine.normals, colours, fine.part, fine.finish)
    facts = {"shape": shape, "ink": name, "contrast": round(contrast, 4), "reach": round(reach, 4)}
    return Damage("Stains", concatenate([surface.take(~near), patched]), fine.corners[changed].reshape(-1, 3), facts)


def refined(surface: Surface, centre: Float64, reach: float, longest: float) -> Surface:
    """The same surface with the edges of triangles within ``reach`` of ``centre`` no longer than ``longest``.

    Longest edges are halved until all are short enough; normals are interpolated.
    """
    done: list[Surface] = []
    todo = surface
    while len(todo):
        sides = todo.corners[:, [1, 2, 0]].astype(np.float64) - todo.corners
        length = np.linalg.norm(sides, axis=2)
        split = (length.max(axis=1) > longest) & _near(todo.corners, centre, reach)
        done.append(todo.take(~split))
        if not split.any():
            break
        todo = _halved(todo.take(split), length[split].argmax(axis=1))
    return concatenate(done)


def _halved(surface: Surface, edge: np.ndarray) -> Surface:
    """Every triangle cut in two at the middle of its edge number ``edge`` [F] (from corner k to k + 1)."""
    rows, turn = np.arange(len(surface))[:, None], (edge[:, None] + np.arange(3)) % 3

    def cut(values: Float32, unit: bool = False) -> Float32:
        v = values[rows, turn]
        middle = 0.5 * (v[:, 0] + v[:, 1])
        if unit:
            middle /= np.linalg.norm(middle, axis=1, keepdims=True).clip(1e-12)
        return np.concatenate(
            [np.stack([v[:, 0], middle, v[:, 2]], axis=1), np.stack([middle, v[:, 1], v[:, 2]], axis=1)]
        )

    twice = (np.tile(surface.colours, (2, 1)), np.tile(surface.part, 2), np.tile(surface.finish, 2))
    return Surface(cut(surface.corners), cut(surface.normals, unit=True), *twice)


def _near(corners: Float32, centre: Float64, reach: float) -> Bool:
    """Triangles [F] whose plane patch may come within ``reach`` of ``centre``: nearest point, exactly."""
    a, b, c = (corners[:, k].astype(np.float64) - centre for k in range(3))
    best = np.full(len(a), np.inf)
    for p, q in ((a, b), (b, c), (c, a)):
        d = q - p
        t = np.clip(-(p * d).sum(axis=1) / np.maximum((d * d).sum(axis=1), 1e-30), 0.0, 1.0)
        best = np.minimum(best, np.linalg.norm(p + t[:, None] * d, axis=1))
    n = np.cross(b - a, c - a)
    unit = n / np.linalg.norm(n, axis=1, keepdims=True).clip(1e-30)
    inside = np.ones(len(a), bool)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= (np.cross(q - p, -p) * n).sum(axis=1) >= 0.0
    best = np.where(inside, np.abs((a * unit).sum(axis=1)), best)
    return np.asarray(best < reach)


def _field(shape: str, area: float, spot: Spot, rng: np.random.Generator) -> tuple[Strength, float, float]:
    """The stain's strength in space, how far it reaches from the spot, and the edge length that shows its detail."""
    noise = SpaceNoise(rng)
    u, v = tangents(spot.normal, rng)
    length = {"blot": rng.uniform(1.0, 1.5), "smear": rng.uniform(2.5, 4.0), "scratch": rng.uniform(10.0, 18.0)}
    aspect = length.get(shape, 1.2)
    half_width = max(float(np.sqrt(area / (np.pi * aspect))), 0.004)
    half_length = min(aspect * half_width, 0.7)
    bend = rng.normal(0.0, 0.12 if shape == "scratch" else 0.0)
    softness = {"blot": 0.12, "smear": 0.5, "scratch": 0.5, "fading": 0.8}[shape]

    def strength(points: Float64) -> Float64:
        p = points - spot.point
        along, across, depth = p @ u, p @ v, p @ spot.normal
        across = across - bend * along**2 / half_length
        across = across + 0.6 * half_width * noise(np.repeat(along[:, None], 3, axis=1), 3.0 / half_length, 2)
        radius = np.sqrt((along / half_length) ** 2 + (across / half_width) ** 2 + (0.8 * depth / half_length) ** 2)
        edge = 1.0 + 0.38 * noise(points, 1.3 / half_width if shape != "scratch" else 4.0 / half_length)
        cover = np.clip((edge - radius) / softness + 0.5, 0.0, 1.0)
        if shape == "smear":
            streaks = noise(np.stack([across / half_width * 2.5, along / half_length * 0.4, 0 * along], axis=1), 1.0, 2)
            cover = cover * np.clip(0.75 + 0.7 * streaks, 0.0, 1.0)
        return np.asarray(cover * cover * (3.0 - 2.0 * cover))

    reach = 1.75 * half_length
    detail = half_width / (2.0 if shape == "scratch" else 9.0)
    return strength, reach, max(detail, reach / 180.0)


def _ink(shape: str, base: Float32, rng: np.random.Generator) -> tuple[Float32, str, float, float]:
    """Colour (sRGB), its name, opacity, and the contrast that they make on ``base`` (sRGB)."""
    wanted = float(np.exp(rng.uniform(np.log(MIN_CONTRAST), np.log(MAX_CONTRAST))))
    if shape == "fading":
        grey = float(base.mean())
        pale = np.clip(0.35 * base + 0.65 * (0.45 * grey + 0.52), 0.0, 1.0).astype(np.float32)
        yellowed = (base * np.array([0.97, 0.88, 0.62])).astype(np.float32)
        choices = {"bleached": pale, "yellowed": yellowed}
        wanted = min(wanted, 0.25)
    else:
        choices = {name: np.asarray(rgb, np.float32) for name, rgb in INKS.items()}
    contrasts = {name: float(np.abs(rgb - base).max()) for name, rgb in choices.items()}
    able = [name for name in choices if contrasts[name] >= wanted] or [max(contrasts, key=lambda k: contrasts[k])]
    name = str(rng.choice(able))
    opacity = min(1.0, wanted / max(contrasts[name], 1e-6))
    return choices[name], name, opacity, opacity * contrasts[name]
