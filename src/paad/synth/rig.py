"""Where the cameras stand. Poses are ``cam_from_world`` (OpenCV axes), the object is at the origin, z is up."""

from __future__ import annotations

import numpy as np

from paad.errors import UsageError
from paad.geometry.se3 import look_at
from paad.types import Float64

ANGLE_X = 0.6911111611634243
"""Horizontal field of view of MAD-Sim's cameras, radians."""
OBJECT_RADIUS = 0.85
"""The object lies within this distance of the origin, in MAD's units."""
RADIUS = {
    "Gorilla": 3.5, "Unicorn": 3.5, "Mallard": 3.5, "Turtle": 3.5, "Whale": 3.5, "Bird": 3.0, "Owl": 3.5,
    "Sabertooth": 3.0, "Swan": 3.5, "Sheep": 3.0, "Pig": 3.0, "Zalika": 3.0, "Phoenix": 3.0, "Elephant": 3.0,
    "Parrot": 3.5, "Cat": 3.0, "Scorpion": 3.5, "Obesobeso": 3.0, "Bear": 3.5, "Puppy": 4.0,
}  # fmt: skip
"""Camera distance by toy, as published for MAD-Sim; 3.5 where the original's is not known."""

_ELEVATIONS, _AZIMUTHS = 14, 15
GOLDEN_ANGLE = 137.50776405003785


def radius_of(name: str) -> float:
    """Camera distance of a toy or any other object."""
    return RADIUS.get(name, 3.5)


def orbit(elevation_deg: float, azimuth_deg: float, radius: float) -> Float64:
    """The camera [4, 4] at a place on the sphere that looks at the origin."""
    e, a = np.radians([elevation_deg, azimuth_deg])
    eye = radius * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    return look_at(eye, (0.0, 0.0, 0.0))


def mad_rig(n_views: int, radius: float) -> list[Float64]:
    """MAD-Sim's training rig: 14 elevations by 15 azimuths, elevation-major (pose files of arXiv 2310.07716).

    105 views are every second one of it (a checkerboard); any other number below 210 lies on a golden spiral, which
    covers the sphere evenly.

    Raises:
        UsageError: ``n_views`` is not in 1 to 210.
    """
    full = _ELEVATIONS * _AZIMUTHS
    if not 1 <= n_views <= full:
        raise UsageError(f"{n_views} training views asked for; the rig has 1 to {full}")
    if n_views in (full, full // 2):
        elevations = np.linspace(-85.0, 85.0, _ELEVATIONS)
        azimuths = (120.0 + np.linspace(0.0, 320.0, _AZIMUTHS)) % 360.0
        poses = [orbit(e, a, radius) for e in elevations for a in azimuths]
        return poses[:: full // n_views]
    z = 1.0 - 2.0 * (np.arange(n_views) + 0.5) / n_views
    return [orbit(float(e), i * GOLDEN_ANGLE, radius) for i, e in enumerate(np.degrees(np.arcsin(z)))]


def sphere_view(rng: np.random.Generator, radius: float) -> Float64:
    """A test camera from anywhere on the sphere, 3 % nearer or farther than the training rig at most."""
    elevation = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0)))
    return orbit(float(elevation), float(rng.uniform(0.0, 360.0)), radius * float(rng.uniform(0.97, 1.03)))


def table_rig(n_views: int, radius: float, rng: np.random.Generator) -> list[Float64]:
    """Hand-held rings above a table: ``n_views`` cameras at 12 to 72 degrees, all jittered as by :func:`table_view`."""
    z = np.linspace(np.sin(np.radians(12.0)), np.sin(np.radians(72.0)), n_views)
    azimuths = np.arange(n_views) * GOLDEN_ANGLE
    return [
        _jittered(rng, float(np.degrees(np.arcsin(h))) + rng.normal(0.0, 2.0), a + rng.normal(0.0, 4.0), radius)
        for h, a in zip(z, azimuths)
    ]


def table_view(rng: np.random.Generator, radius: float) -> Float64:
    """A hand-held test camera anywhere above a table, 10 to 75 degrees high."""
    z = rng.uniform(np.sin(np.radians(10.0)), np.sin(np.radians(75.0)))
    return _jittered(rng, float(np.degrees(np.arcsin(z))), float(rng.uniform(0.0, 360.0)), radius)


def _jittered(rng: np.random.Generator, elevation: float, azimuth: float, radius: float) -> Float64:
    """A camera near the orbit: distance ±6 %, target ±5 % of the object, rolled by about 2 degrees."""
    pose = orbit(elevation, azimuth, radius * float(rng.uniform(0.94, 1.06)))
    shift = np.eye(4)
    shift[:3, 3] = rng.uniform(-0.05, 0.05, 3) * OBJECT_RADIUS
    roll = np.radians(rng.normal(0.0, 2.0))
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]
    return np.asarray(turn @ pose @ shift)
