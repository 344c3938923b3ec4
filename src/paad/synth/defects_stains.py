"""Stains: blots, smears, scratches and fading painted in space, so that they follow the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paad.synth.defects import Damage, Spot, tangents
from paad.synth.defects_noise import SpaceNoise
from paad.synth.render_surface import Surface, concatenate, linear_of_srgb, pictured, srgb_of_linear
from paad.types import Bool, Float32, Float64

SHAPES = ("blot", "smear", "scratch", "fading")
MIN_CONTRAST, MAX_CONTRAST = 45.0 / 255.0, 130.0 / 255.0
"""Largest change of an sRGB channel at a stain's middle as a picture shows it, from what is plain to the eye upwards.

In 60 published pictures of MAD-Sim the same figure runs from 55 to 214 (5th to 95th percentile), with a median of 116;
inks on plastic in soft light hardly reach more than 130.
"""
AWAY = -0.35
"""Cosine to the spot's normal below which a surface faces away and stays clean."""
INKS = {
    "black ink": (0.05, 0.05, 0.06), "coffee": (0.33, 0.20, 0.10), "rust": (0.55, 0.25, 0.10),
    "grease": (0.28, 0.26, 0.20), "red paint": (0.75, 0.08, 0.08), "green marker": (0.10, 0.55, 0.20),
    "blue ink": (0.10, 0.15, 0.60), "chalk": (0.93, 0.92, 0.90), "mustard": (0.80, 0.65, 0.10),
}  # fmt: skip
"""sRGB."""


@dataclass(frozen=True)
class Patch:
    """Where and how strongly a stain covers the surface.

    Attributes:
        spot: its middle.
        along, across: unit directions of its axes in the surface.
        half_length, half_width: along them, world units.
        bend: sideways drift of the middle line, as a share of the length.
        softness: width of the rim as a share of the half width.
        frequency: of the noise that frays the rim, cells a world unit.
        streaked: whether it breaks up into streaks along its length.
        noise: the randomness of its shape.
    """

    spot: Spot
    along: Float64
    across: Float64
    half_length: float
    half_width: float
    bend: float
    softness: float
    frequency: float
    streaked: bool
    noise: SpaceNoise

    @property
    def detail(self) -> float:
        """Edge length of triangles that shows the shape, world units."""
        return max(self.half_width / (6.0 if self.half_width > 0.2 * self.half_length else 2.5), 0.0025)

    def local(self, points: Float64) -> tuple[Float64, Float64, Float64]:
        """Coordinates [N] along, across (less the bend) and above the stain of world points [N, 3]."""
        p = points - self.spot.point
        along = p @ self.along
        return along, p @ self.across - self.bend * along**2 / self.half_length, p @ self.spot.normal

    def may_touch(self, surface: Surface) -> Bool:
        """Triangles [F] that the stain could reach; errs on the side of yes."""
        corners = surface.corners
        middle = corners.mean(axis=1, dtype=np.float64)
        size = 1.4 * np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1)
        along, across, depth = (np.abs(v) - size for v in self.local(middle))
        reach = 1.5 + 0.5 * self.softness
        inside = (along < reach * self.half_length) & (across < (reach + 0.6) * self.half_width + 0.3 * size)
        facing = (surface.normals @ self.spot.normal).max(axis=1) > AWAY
        return np.asarray(inside & facing & (depth < reach / 1.6 * self.half_length))

    def strength(self, points: Float64) -> Float64:
        """How much of the stain covers world points [N, 3]: [N] in [0, 1]."""
        along, across, depth = self.local(points)
        line = np.repeat(along[:, None], 3, axis=1)
        across = across + 0.6 * self.half_width * self.noise(line, 3.0 / self.half_length, 2)
        radius = np.sqrt(
            (along / self.half_length) ** 2 + (across / self.half_width) ** 2 + (1.6 * depth / self.half_length) ** 2
        )
        rim = 1.0 + 0.38 * self.noise(points, self.frequency)
        cover = np.clip((rim - radius) / self.softness + 0.5, 0.0, 1.0)
        if self.streaked:
            lanes = np.stack([2.5 * across / self.half_width, 0.4 * along / self.half_length, 0.0 * along], axis=1)
            cover = cover * np.clip(0.75 + 0.7 * self.noise(lanes, 1.0, 2), 0.0, 1.0)
        return np.asarray(cover * cover * (3.0 - 2.0 * cover))


def stain(surface: Surface, area: float, spot: Spot, rng: np.random.Generator) -> Damage | None:
    """Paint a random stain of about ``area`` (world units squared) around ``spot``."""
    shape = str(rng.choice(SHAPES, p=[0.4, 0.2, 0.2, 0.2]))
    patch = _patch(shape, area, spot, rng)
    near = patch.may_touch(surface)
    if not near.any():
        return None
    fine = refined(surface.take(near), patch)
    facing = fine.normals.mean(axis=1) @ spot.normal
    cover = patch.strength(fine.corners.mean(axis=1, dtype=np.float64)) * np.clip((facing - AWAY) / 0.3, 0.0, 1.0)
    changed = cover > 1e-3
    if not changed.any():
        return None
    inked = _ink(shape, srgb_of_linear(surface.colours[spot.triangle]), rng)
    if inked is None:
        return None
    ink, name, opacity, contrast = inked
    blend = (opacity * cover)[..., None].astype(np.float32)
    painted = linear_of_srgb((1.0 - blend) * srgb_of_linear(fine.colours) + blend * ink)
    colours = np.where(changed[:, None], painted, fine.colours)
    patched = Surface(fine.corners, fine.normals, colours, fine.part, fine.finish)
    facts = {"shape": shape, "ink": name, "contrast": round(contrast, 4), "length": round(2.0 * patch.half_length, 4)}
    touched = fine.corners[changed].reshape(-1, 3)
    return Damage("Stains", concatenate([surface.take(~near), patched]), touched, reshaped=False, facts=facts)


def refined(surface: Surface, patch: Patch) -> Surface:
    """The same surface, its triangles small enough to show the stain where the stain may be.

    Longest edges are halved until all are short enough. Normals are interpolated but not normalized again, so that
    the shading stays what it was.
    """
    done: list[Surface] = []
    todo = surface
    while len(todo):
        sides = todo.corners[:, [1, 2, 0]].astype(np.float64) - todo.corners
        length = np.linalg.norm(sides, axis=2)
        split = (length.max(axis=1) > patch.detail) & patch.may_touch(todo)
        done.append(todo.take(~split))
        if not split.any():
            break
        todo = _halved(todo.take(split), length[split].argmax(axis=1))
    return concatenate(done)


def _halved(surface: Surface, edge: np.ndarray) -> Surface:
    """Every triangle cut in two at the middle of its edge number ``edge`` [F] (from corner k to k + 1)."""
    rows, turn = np.arange(len(surface))[:, None], (edge[:, None] + np.arange(3)) % 3

    def cut(values: Float32) -> Float32:
        v = values[rows, turn]
        middle = 0.5 * (v[:, 0] + v[:, 1])
        return np.concatenate(
            [np.stack([v[:, 0], middle, v[:, 2]], axis=1), np.stack([middle, v[:, 1], v[:, 2]], axis=1)]
        )

    twice = (np.tile(surface.colours, (2, 1)), np.tile(surface.part, 2), np.tile(surface.finish, 2))
    return Surface(cut(surface.corners), cut(surface.normals), *twice)


def _patch(shape: str, area: float, spot: Spot, rng: np.random.Generator) -> Patch:
    """A random patch of one of ``SHAPES`` that covers about ``area``."""
    noise = SpaceNoise(rng)
    along, across = tangents(spot.normal, rng)
    long = {"blot": (1.0, 1.5), "smear": (2.5, 4.0), "scratch": (9.0, 18.0), "fading": (1.0, 1.6)}[shape]
    aspect = float(rng.uniform(*long))
    half_width = max(float(np.sqrt(area / (np.pi * aspect))), 0.004)
    half_length = min(aspect * half_width, 0.7)
    bend = float(rng.normal(0.0, 0.12)) if shape == "scratch" else 0.0
    softness = {"blot": 0.12, "smear": 0.5, "scratch": 0.5, "fading": 0.8}[shape]
    frequency = 4.0 / half_length if shape == "scratch" else 1.3 / half_width
    return Patch(spot, along, across, half_length, half_width, bend, softness, frequency, shape == "smear", noise)


def _ink(shape: str, base: Float32, rng: np.random.Generator) -> tuple[Float32, str, float, float] | None:
    """Colour (sRGB), its name, opacity, and the contrast that they make on ``base`` (sRGB); None: none shows there."""
    wanted = float(np.exp(rng.uniform(np.log(MIN_CONTRAST), np.log(MAX_CONTRAST))))
    if shape == "fading":
        grey = float(base.mean())
        pale = np.clip(0.35 * base + 0.65 * (0.45 * grey + 0.52), 0.0, 1.0).astype(np.float32)
        yellowed = (base * np.array([0.97, 0.88, 0.62])).astype(np.float32)
        choices = {"bleached": pale, "yellowed": yellowed}
        wanted = min(wanted, 0.25)
    else:
        choices = {name: np.asarray(rgb, np.float32) for name, rgb in INKS.items()}
    opacity = np.linspace(0.0, 1.0, 101, dtype=np.float32)
    contrasts = {name: _contrast(base, ink, opacity) for name, ink in choices.items()}
    strongest = {name: float(made.max()) for name, made in contrasts.items()}
    able = [name for name in choices if strongest[name] >= wanted] or [max(strongest, key=lambda k: strongest[k])]
    name = str(rng.choice(able))
    if strongest[name] < MIN_CONTRAST:
        return None
    least = int((contrasts[name] >= min(wanted, strongest[name])).argmax())
    return choices[name], name, float(opacity[least]), float(contrasts[name][least])


def _contrast(base: Float32, ink: Float32, opacity: Float32) -> Float32:
    """Largest change [N] of a picture's sRGB channel that ``ink`` makes on ``base`` (both sRGB) at opacities [N]."""
    mixed = (1.0 - opacity[:, None]) * base + opacity[:, None] * ink
    change: Float32 = np.abs(pictured(linear_of_srgb(mixed)) - pictured(linear_of_srgb(base))).max(axis=1)
    return change
