"""Anomaly maps put onto the object: cells of its surface, and what one photo shows in each of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.geometry.se3 import inverse
from paad.types import Float32, Float64

_SIZE = 0.08
"""Width of a cell as a share of the object's radius."""
_MOST_CELLS = 6000
_SOLID = 0.3
_BEYOND_PX = 2
"""A map's values so far outside the outline belong to the surface next to them: burrs stick out."""


@dataclass(frozen=True)
class Surface:
    """Cells of an object's surface: ``centres`` float32 [C, 3] in the world, and their ``size``, scene units."""

    centres: Float32
    size: float

    def nearest(self, points: Float64 | Float32) -> NDArray[np.intp]:
        """The cell of each point [N, 3]; C where none is within 1.5 sizes."""
        from scipy.spatial import cKDTree

        return np.asarray(cKDTree(self.centres).query(points, distance_upper_bound=1.5 * self.size)[1])


def surface_of(field: Field) -> Surface:
    """A grid's cells that hold opaque Gaussians, each at the mean of theirs; larger cells where there are very many."""
    opaque = 1.0 / (1.0 + np.exp(-field.splats.logit_opacities)) > _SOLID
    means = field.splats.means[opaque] if opaque.any() else field.splats.means
    size = _SIZE * field.radius
    while True:
        _, cell = np.unique(np.floor(means / size).astype(np.int64), axis=0, return_inverse=True)
        count = np.bincount(cell.ravel())
        if len(count) <= _MOST_CELLS:
            break
        size *= 1.3
    sums = [np.bincount(cell.ravel(), means[:, k]) for k in range(3)]
    return Surface((np.stack(sums, axis=1) / count[:, None]).astype(np.float32), float(size))


def on_surface(
    surface: Surface, anomaly: Float32, alpha: Float32, depth: Float32, cam_from_world: Float64, camera: Camera
) -> Float32:
    """The largest anomaly that a photo shows in each cell, float32 [C]; nan where it does not show the cell.

    Args:
        surface: of the object.
        anomaly: the photo's map [H, W].
        alpha, depth: the reference's coverage and depth [H, W], as :meth:`paad.fields.field.Field.draw` gives them.
        cam_from_world: the photo's pose [4, 4].
        camera: of the map.
    """
    solid = alpha > 0.5
    values = np.full(len(surface.centres) + 1, -1.0, np.float32)
    if solid.any():
        ys, xs = np.nonzero(solid)
        rays = camera.rays(np.stack([xs + 0.5, ys + 0.5], axis=1))
        points = rays / rays[:, 2:] * (depth[solid] / alpha[solid])[:, None]
        world = inverse(cam_from_world)
        cell = surface.nearest(points @ world[:3, :3].T + world[:3, 3])
        beyond = cv2.dilate(np.where(solid, np.float32(0.0), anomaly), np.ones((2 * _BEYOND_PX + 1,) * 2, np.uint8))
        np.maximum.at(values, cell, np.maximum(anomaly, beyond)[solid])
    values = values[:-1]
    values[values < 0.0] = np.nan
    return values
