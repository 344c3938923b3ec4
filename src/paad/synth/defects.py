"""Damaged specimens: what a defect is, how large, and where on the object.

A defect changes the object's surface in space, once; photos from many sides then show the same damage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paad.geometry.camera import Camera
from paad.geometry.se3 import inverse
from paad.synth.render_scene import Scene, ray_directions
from paad.synth.render_surface import Surface
from paad.types import Float32, Float64

KINDS = ("Burrs", "Missing", "Stains")
"""Folder names of the kinds, as in MAD."""
SHARE_MEDIAN, SHARE_SIGMA, SHARE_RANGE = 0.0053, 1.1, (0.0003, 0.045)
"""Log-normal spread of the defect's share of the picture, of 200 published test pictures of MAD-Sim."""


@dataclass(frozen=True)
class Damage:
    """One damaged specimen.

    Attributes:
        kind: one of ``KINDS``.
        surface: the whole damaged specimen.
        touched: world points [N, 3] whose convex hull holds every change of the surface.
        reshaped: whether the shape changed, not only colours.
        gone: bricks that are missing.
        grown_from: triangles from this index on were added and nothing else changed; None: not so.
        facts: what was done, for the manifest; JSON-able.
    """

    kind: str
    surface: Surface
    touched: Float32
    reshaped: bool = True
    gone: frozenset[int] = frozenset()
    grown_from: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spot:
    """An exposed place on the object: world point [3], outward normal [3], triangle and brick index."""

    point: Float64
    normal: Float64
    triangle: int
    part: int


def wanted_share(rng: np.random.Generator) -> float:
    """A random defect's share of the picture, with the spread of MAD's."""
    low, high = SHARE_RANGE
    return float(np.clip(SHARE_MEDIAN * np.exp(rng.normal(0.0, SHARE_SIGMA)), low, high))


def area_of_share(share: float, camera: Camera, distance: float) -> float:
    """The area in world units squared that fills ``share`` of a picture, seen face on from ``distance``."""
    return share * camera.width * camera.height * distance**2 / (camera.fx * camera.fy)


def exposed_spot(scene: Scene, cam_from_world: Float64, camera: Camera, rng: np.random.Generator) -> Spot | None:
    """A random place that a camera sees; None where it sees nothing of the object."""
    small = Camera.from_angle_x(camera.angle_x, 64, max(1, round(64 * camera.height / camera.width)))
    triangle, distance = scene.hits(small, cam_from_world)
    ys, xs = np.nonzero(triangle >= 0)
    if not len(ys):
        return None
    i = int(rng.integers(len(ys)))
    y, x = ys[i], xs[i]
    pose = inverse(cam_from_world)
    ray = pose[:3, :3] @ ray_directions(small)[y, x]
    index = int(triangle[y, x])
    a, b, c = scene.surface.corners[index].astype(np.float64)
    normal = np.cross(b - a, c - a)
    normal /= max(float(np.linalg.norm(normal)), 1e-20)
    normal *= -np.sign(normal @ ray) or 1.0
    return Spot(pose[:3, 3] + ray * float(distance[y, x]), normal, index, int(scene.surface.part[index]))


def tangents(normal: Float64, rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Two unit vectors across ``normal``, turned at random."""
    helper = np.eye(3)[int(np.abs(normal).argmin())]
    u = np.cross(normal, helper)
    u /= np.linalg.norm(u)
    v = np.cross(normal, u)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    return np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
