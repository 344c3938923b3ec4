"""Coloured triangles in world units, ready to be rendered: what a specimen's surface is, whole or damaged.

World frame: z is up, the object is centred on the origin. Colours are linear RGB. Corners are not shared between
triangles, so that every triangle has its own normals; it has one colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError
from paad.synth.model import Mesh
from paad.types import Float32, Float64

SOLID, METAL = 0, 1
FINISHES = ("solid", "metal")
"""Finishes that shade differently; ``Surface.finish`` indexes this tuple."""

_WORLD_FROM_LDRAW = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class Surface:
    """Triangles of one specimen.

    Attributes:
        corners: float32 [F, 3, 3] world positions, counter-clockwise seen from outside.
        normals: float32 [F, 3, 3] shading normals, interpolated linearly and normalized only then.
        colours: float32 [F, 3] linear RGB in [0, 1].
        part: int32 [F] index of the brick that a triangle belongs to.
        finish: int32 [F] index into ``FINISHES``.
    """

    corners: Float32
    normals: Float32
    colours: Float32
    part: NDArray[np.int32]
    finish: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.corners)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Surface:
        """The triangles chosen by a mask or by indices."""
        return Surface(
            self.corners[which], self.normals[which], self.colours[which], self.part[which], self.finish[which]
        )


@dataclass(frozen=True)
class Placement:
    """Where a model (LDU, LDraw axes) stands in the world: ``world = scale * R @ (ldraw - centre)``."""

    centre: Float64
    scale: float

    def apply(self, points: NDArray[np.floating]) -> Float32:
        """LDraw points [N, 3] to world points [N, 3]."""
        world: Float32 = (self.scale * (points - self.centre) @ _WORLD_FROM_LDRAW.T).astype(np.float32)
        return world


def linear_of_srgb(srgb: NDArray[np.floating] | Sequence[float]) -> Float32:
    """Inverse of the sRGB transfer curve (IEC 61966-2-1), any shape, values in [0, 1]."""
    v = np.asarray(srgb, np.float32)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb_of_linear(linear: NDArray[np.floating]) -> Float32:
    """The sRGB transfer curve (IEC 61966-2-1), any shape; values are clipped to [0, 1]."""
    v = np.clip(np.asarray(linear, np.float32), 0.0, 1.0)
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055).astype(np.float32)


def pictured(albedo: NDArray[np.floating]) -> Float32:
    """The sRGB colour, about, that a photo shows of a base colour (linear RGB, any shape) in soft light.

    What a surface returns of its own colour is dimmed by light from one side only, and the sheen of plastic lies over
    it: on black, a change of the base colour shows a third of itself. The two numbers are medians over the pixels of
    rendered toys.
    """
    return srgb_of_linear(_RETURNED * np.asarray(albedo, np.float32) + _SHEEN)


_RETURNED, _SHEEN = 0.38, 0.022


def corner_normals(corners: Float32) -> Float32:
    """Flat normals [F, 3, 3] of triangles [F, 3, 3]."""
    n = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    n /= np.linalg.norm(n, axis=1, keepdims=True).clip(1e-20)
    return np.repeat(n[:, None], 3, axis=1).astype(np.float32)


def triangle_areas(corners: Float32) -> Float64:
    """Areas [F] of triangles [F, 3, 3]."""
    c = corners.astype(np.float64)
    cross = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
    return np.asarray(0.5 * np.linalg.norm(cross, axis=1))


def concatenate(surfaces: Sequence[Surface]) -> Surface:
    """All triangles of several surfaces, in order."""
    return Surface(
        np.concatenate([s.corners for s in surfaces]),
        np.concatenate([s.normals for s in surfaces]),
        np.concatenate([s.colours for s in surfaces]),
        np.concatenate([s.part for s in surfaces]),
        np.concatenate([s.finish for s in surfaces]),
    )


def surface_of_mesh(mesh: Mesh, colour: Sequence[float], finish: int, part: int, placement: Placement) -> Surface:
    """One mesh (LDU, LDraw axes) as brick ``part``; triangles without area are left out.

    ``colour``: linear RGB, where the mesh has no colours of its own.
    """
    corners = placement.apply(mesh.vertices)[mesh.faces]
    keep = triangle_areas(corners) > 1e-12
    corners = corners[keep]
    if mesh.normals is None:
        normals = corner_normals(corners)
    else:
        normals = (mesh.normals @ _WORLD_FROM_LDRAW.T).astype(np.float32)[mesh.faces[keep]]
    n = len(corners)
    own = np.asarray(colour, np.float32) if mesh.colours is None else linear_of_srgb(mesh.colours[keep])
    colours = np.broadcast_to(own, (n, 3)).copy()
    return Surface(corners, normals, colours, np.full(n, part, np.int32), np.full(n, finish, np.int32))


def placed(meshes: Sequence[Mesh], radius: float) -> Placement:
    """The placement that centres the meshes' bounding box on the origin, all of them within ``radius`` of it.

    Raises:
        DataError: there is nothing to place, or it has no extent.
    """
    if not meshes or not sum(len(m.vertices) for m in meshes):
        raise DataError("the model has no parts; it needs at least one")
    points = np.concatenate([m.vertices for m in meshes]).astype(np.float64)
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    reach = float(np.linalg.norm(points - centre, axis=1).max())
    if not np.isfinite(reach) or reach <= 0.0:
        raise DataError("the model has no extent; its parts must span a volume")
    return Placement(centre, radius / reach)
