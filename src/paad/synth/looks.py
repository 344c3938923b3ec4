"""The two looks of the photos: light around the object, what it stands on, and what the camera does to the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paad.errors import UsageError
from paad.types import Float32

ENV_HEIGHT, ENV_WIDTH = 32, 64


@dataclass(frozen=True)
class SoftBox:
    """A soft light at infinity: where it stands (degrees), how wide it is, and its peak radiance (linear RGB)."""

    elevation_deg: float
    azimuth_deg: float
    width_deg: float
    radiance: tuple[float, float, float]


@dataclass(frozen=True)
class Lighting:
    """Light from all around: a vertical gradient from ``ground`` to ``sky`` (linear RGB), plus soft boxes."""

    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    boxes: tuple[SoftBox, ...]


LOOKS = ("sim", "real")

SIM_LIGHTING = Lighting(
    sky=(0.50, 0.50, 0.50),
    ground=(0.34, 0.34, 0.34),
    boxes=(
        SoftBox(50.0, 40.0, 22.0, (1.9, 1.9, 1.9)),
        SoftBox(25.0, 200.0, 28.0, (0.8, 0.8, 0.8)),
        SoftBox(-35.0, 300.0, 30.0, (0.5, 0.5, 0.5)),
    ),
)
"""Light of the ``sim`` look, fixed to the object: soft from everywhere, three wide boxes, as in MAD-Sim's pictures."""


def check_look(look: str) -> str:
    """``look`` itself.

    Raises:
        UsageError: it is neither of ``LOOKS``.
    """
    if look not in LOOKS:
        raise UsageError(f"look {look!r} is not known; choose one of: {', '.join(LOOKS)}")
    return look


def environment(lighting: Lighting) -> Float32:
    """Radiance [ENV_HEIGHT, ENV_WIDTH, 3] from every direction: rows from zenith to nadir, columns by azimuth.

    Column 0 looks along azimuth 0 (world +x); azimuth grows with the column. A box is a Gaussian of the angle.
    """
    elevation = np.radians(90.0 - (np.arange(ENV_HEIGHT) + 0.5) * 180.0 / ENV_HEIGHT)[:, None]
    azimuth = np.radians((np.arange(ENV_WIDTH) + 0.5) * 360.0 / ENV_WIDTH)[None, :]
    up = 0.5 + 0.5 * np.sin(elevation)[..., None]
    image = up * np.asarray(lighting.sky) + (1.0 - up) * np.asarray(lighting.ground)
    image = np.repeat(image, ENV_WIDTH, axis=1)
    for box in lighting.boxes:
        e, a = np.radians([box.elevation_deg, box.azimuth_deg])
        cosine = np.sin(elevation) * np.sin(e) + np.cos(elevation) * np.cos(e) * np.cos(azimuth - a)
        angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        image += np.exp(-0.5 * (angle / (0.5 * box.width_deg)) ** 2)[..., None] * np.asarray(box.radiance)
    return image.astype(np.float32)


def random_lighting(rng: np.random.Generator) -> Lighting:
    """Room light of one photo of the ``real`` look: two to four lamps and windows of different size and tint."""
    tint = 1.0 + 0.12 * rng.uniform(-1.0, 1.0) * np.array([1.0, 0.1, -1.0])
    level = rng.uniform(0.20, 0.38)
    boxes = tuple(
        SoftBox(
            float(rng.uniform(25.0, 75.0)),
            float(rng.uniform(0.0, 360.0)),
            float(rng.uniform(14.0, 38.0)),
            _rgb(rng.uniform(1.2, 5.0) * (1.0 + 0.1 * rng.uniform(-1.0, 1.0) * np.array([1.0, 0.0, -1.0]))),
        )
        for _ in range(int(rng.integers(2, 5)))
    )
    lighting = Lighting(_rgb(level * tint), _rgb(0.5 * level * tint), boxes)
    # The camera's exposure follows the light: the mean irradiance from above is kept near one value.
    image = environment(lighting)
    weight = np.clip(np.sin(np.radians(90.0 - (np.arange(ENV_HEIGHT) + 0.5) * 180.0 / ENV_HEIGHT)), 0.0, None)
    weight = weight * np.cos(np.radians(90.0 - (np.arange(ENV_HEIGHT) + 0.5) * 180.0 / ENV_HEIGHT))
    mean = float((image.mean(axis=(1, 2)) * weight).sum() / weight.sum())
    return scaled(lighting, 0.75 / mean)


def scaled(lighting: Lighting, factor: float) -> Lighting:
    """The same light, ``factor`` times as bright."""
    return Lighting(
        _rgb(factor * np.asarray(lighting.sky)),
        _rgb(factor * np.asarray(lighting.ground)),
        tuple(replace(b, radiance=_rgb(factor * np.asarray(b.radiance))) for b in lighting.boxes),
    )


def _rgb(values: np.ndarray) -> tuple[float, float, float]:
    r, g, b = (float(v) for v in values)
    return (r, g, b)
