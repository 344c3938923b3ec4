"""Smooth, patterned bodies that nobody designed: objects to develop and to train on beside the brick assemblies.

    python -m paad.synth.random_bodies OUT --count 12 [--seed 0]

writes coloured meshes ``body_<seed>.ply``, which ``paad synth DATA --toys OUT/body_0.ply ...`` photographs.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paad.synth.defects_noise import SpaceNoise
from paad.synth.random_toys import write_some
from paad.types import Float64

if TYPE_CHECKING:
    import trimesh

_FINE, _COARSE = 5, 4
"""Subdivisions of the trunk's and of a limb's sphere: 20,000 and 5,000 triangles, a pixel or two each at 160 px."""

Pattern = Callable[[Float64, np.random.Generator], Float64]
"""How much of the second colour [N], 0 to 1, lies at points [N, 3] of a body whose trunk has a radius of about 1."""


def random_body(seed: int) -> trimesh.Trimesh:
    """A closed, coloured mesh of a trunk and two to eight limbs, the same for the same seed; z is up.

    Trunk and limbs are dented superellipsoids (Barr, "Superquadrics and angle-preserving transformations", 1981) that
    reach into each other; each is plain, striped, spotted, patched, grained or shaded.
    """
    import trimesh

    rng = np.random.default_rng(seed)
    palette = [_paint(rng) for _ in range(int(rng.integers(2, 6)))]
    trunk = _lump(rng, _FINE, np.exp(rng.normal(0.0, 0.25, 3)))
    pieces = [_painted(trunk, palette, rng)]
    for _ in range(int(rng.integers(2, 9))):
        limb = _lump(rng, _COARSE, np.exp(rng.normal(0.0, 0.35, 3)) * rng.uniform(0.18, 0.5))
        away = rng.normal(size=3)
        away /= np.linalg.norm(away)
        host = pieces[0 if rng.random() < 0.7 else int(rng.integers(len(pieces)))]
        reach = host.vertices[int((host.vertices @ away).argmax())]
        long = limb.vertices[:, 2].max()
        limb.apply_transform(trimesh.geometry.align_vectors([0.0, 0.0, 1.0], away + rng.normal(0.0, 0.3, 3)))
        limb.apply_translation(reach + away * long * rng.uniform(0.0, 0.6))
        pieces.append(_painted(limb, palette, rng))
    whole: trimesh.Trimesh = trimesh.util.concatenate(pieces)
    return whole


def _lump(rng: np.random.Generator, subdivisions: int, radii: Float64) -> trimesh.Trimesh:
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions)
    squareness = float(rng.uniform(0.5, 1.2)) if rng.random() < 0.6 else 1.0
    points = np.sign(ball.vertices) * np.abs(ball.vertices) ** squareness
    dents = SpaceNoise(rng)(points, float(rng.uniform(0.6, 1.6)), 2) * rng.uniform(0.0, 0.18)
    relief = SpaceNoise(rng)(points, float(rng.uniform(5.0, 14.0)), 2) * rng.choice([0.0, rng.uniform(0.0, 0.025)])
    ball.vertices = points * (1.0 + dents + relief)[:, None] * radii
    return ball


def _paint(rng: np.random.Generator) -> Float64:
    """sRGB [3]: grey, pastel or full, dark or light."""
    return np.array(
        colorsys.hsv_to_rgb(rng.random(), rng.choice([0.0, 0.35, 0.8]) * rng.random(), rng.uniform(0.12, 0.95))
    )


def _plain(points: Float64, rng: np.random.Generator) -> Float64:
    return np.zeros(len(points))


def _stripes(points: Float64, rng: np.random.Generator) -> Float64:
    along = points @ _direction(rng) + 0.1 * SpaceNoise(rng)(points, 2.0)
    return np.clip(0.5 + 4.0 * np.sin(along * rng.uniform(6.0, 25.0)), 0.0, 1.0)


def _patches(points: Float64, rng: np.random.Generator) -> Float64:
    return np.clip(0.5 + 12.0 * (SpaceNoise(rng)(points, rng.uniform(1.5, 7.0)) - rng.uniform(-0.2, 0.4)), 0.0, 1.0)


def _grain(points: Float64, rng: np.random.Generator) -> Float64:
    return np.clip(0.5 + rng.uniform(0.3, 1.0) * SpaceNoise(rng)(points, rng.uniform(9.0, 40.0)), 0.0, 1.0)


def _shaded(points: Float64, rng: np.random.Generator) -> Float64:
    return np.clip(0.5 + rng.uniform(0.3, 1.2) * points @ _direction(rng), 0.0, 1.0)


_PATTERNS: tuple[Pattern, ...] = (_plain, _stripes, _patches, _grain, _shaded)


def _direction(rng: np.random.Generator) -> Float64:
    way = rng.normal(size=3)
    return np.asarray(way / np.linalg.norm(way))


def _painted(mesh: trimesh.Trimesh, palette: list[Float64], rng: np.random.Generator) -> trimesh.Trimesh:
    """The mesh with a colour for each face: one paint, or two in a pattern, and a faint grain over it at times."""
    middle = np.asarray(mesh.triangles_center)
    first, second = (palette[int(i)] for i in rng.choice(len(palette), 2, replace=False))
    share = _PATTERNS[int(rng.integers(len(_PATTERNS)))](middle, rng)[:, None]
    srgb = (1.0 - share) * first + share * second
    if rng.random() < 0.4:
        srgb = srgb * (1.0 + rng.uniform(0.03, 0.25) * SpaceNoise(rng)(middle, rng.uniform(15.0, 50.0)))[:, None]
    mesh.visual.face_colors = _bytes(np.clip(srgb, 0.02, 0.98))
    return mesh


def _bytes(srgb: Float64) -> NDArray[np.uint8]:
    opaque = np.full((len(srgb), 1), 255.0)
    return np.hstack([np.rint(255.0 * srgb), opaque]).astype(np.uint8)


def write_body(path: Path, seed: int) -> None:
    """Write :func:`random_body` as a PLY file, whole or not at all."""
    from paad.data.files import write_bytes

    write_bytes(path, random_body(seed).export(file_type="ply"))


def main() -> None:
    """Write some bodies into a folder."""
    write_some(main.__doc__ or "", "body_{}.ply", write_body)


if __name__ == "__main__":
    main()
