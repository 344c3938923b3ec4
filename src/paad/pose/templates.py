"""Templates: the field rendered and described from all around, to find a query's pose from nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError
from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.geometry.se3 import camera_centre, look_at
from paad.pose.descriptors import Hypothesis, PolarView, Spectra, describe, rotation_between, spectra_of
from paad.types import Float64

_SIZE = 72
_GAUSSIANS = 8000


@dataclass(frozen=True)
class Templates:
    """N described views of the field.

    Attributes:
        rings: uint8 [N, RINGS, ANGLES, 4], descriptors times 255.
        poses: float64 [N, 4, 4], cam_from_world.
        rays: float64 [N, 3], direction of the silhouette's centroid in each camera.
        sizes: float64 [N], as :attr:`PolarView.size`.
        rolls: float64 [N], radians by which the nearest training view is turned about the line of sight against each.
    """

    rings: NDArray[np.uint8]
    poses: Float64
    rays: Float64
    sizes: Float64
    rolls: Float64

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """Colours [M, 3] that the object shows, at most 2,000 or so."""
        solid = self.rings[self.rings[..., 3] > 240, :3]
        return np.ascontiguousarray(solid[:: max(1, len(solid) // 2000)])

    @cached_property
    def spectra(self) -> Spectra:
        """The descriptors' spectra; they are kept, since every photo is compared with all of them."""
        return spectra_of(self.rings)


def sphere_directions(spacing_deg: float) -> Float64:
    """Unit vectors [N, 3] spread evenly over the sphere, about ``spacing_deg`` apart: a Fibonacci lattice."""
    n = max(12, round(4.0 * math.pi / math.radians(spacing_deg) ** 2))
    k = np.arange(n) + 0.5
    z = 1.0 - 2.0 * k / n
    azimuth = math.pi * (1.0 + math.sqrt(5.0)) * k
    r = np.sqrt(1.0 - z * z)
    return np.stack([r * np.cos(azimuth), r * np.sin(azimuth), z], axis=-1)


def render_templates(
    field: Field, trained: Sequence[Float64], spacing_deg: float = 6.0, margin_deg: float = 25.0
) -> Templates:
    """Describe the field from directions that lie within ``margin_deg`` of a training view.

    From elsewhere nobody has seen the object, and what the field shows there means nothing. ``trained``: poses [4, 4]
    of the training views, for how they are rolled.

    Raises:
        DataError: the field is empty.
    """
    field = field.decimated(_GAUSSIANS)
    directions = sphere_directions(spacing_deg)
    near = (directions @ field.directions.T.astype(np.float64)).max(axis=1) >= math.cos(math.radians(margin_deg))
    half_angle = math.asin(min(0.95, field.radius / field.distance))
    focal = 0.5 * _SIZE / math.tan(half_angle)
    camera = Camera(_SIZE, _SIZE, focal, focal, 0.5 * _SIZE, 0.5 * _SIZE)
    poses, views = [], []
    for direction in directions[near]:
        pose = look_at(field.centre + field.distance * direction, field.centre)
        colour, alpha, _ = field.draw(pose, camera)
        if alpha.sum() < 4.0:
            continue
        # over black, so that premultiplied colour is what is left
        colour = colour - (1.0 - alpha)[..., None] * field.background
        straight = np.clip(colour / np.maximum(alpha, 1e-3)[..., None], 0.0, 1.0)
        views.append(describe(straight.astype(np.float32), alpha, camera))
        poses.append(pose)
    if not views:
        raise DataError("the fitted object is not to be seen from any direction; check the masks and the poses")
    return Templates(
        np.stack([np.clip(v.rings * 255.0 + 0.5, 0, 255).astype(np.uint8) for v in views]),
        np.stack(poses),
        np.stack([v.ray for v in views]),
        np.array([v.size for v in views]),
        _rolls(np.stack(poses), np.stack(list(trained)), field.centre),
    )


def _rolls(poses: Float64, trained: Float64, centre: Float64) -> Float64:
    """By how much the nearest of the views ``trained`` [V, 4, 4] is rolled against each of ``poses`` [N, 4, 4]."""

    def towards(cameras: Float64) -> Float64:
        eyes = np.stack([camera_centre(camera) for camera in cameras]) - centre
        out: Float64 = eyes / np.linalg.norm(eyes, axis=1, keepdims=True)
        return out

    nearest = trained[(towards(poses) @ towards(trained).T).argmax(axis=1)]
    turns = np.einsum("nij,nkj->nik", nearest[:, :3, :3], poses[:, :3, :3])
    out: Float64 = np.arctan2(turns[:, 1, 0] - turns[:, 0, 1], turns[:, 0, 0] + turns[:, 1, 1])
    return out


def pose_of_hypothesis(hypothesis: Hypothesis, query: PolarView, templates: Templates, centre: Float64) -> Float64:
    """``cam_from_world`` [4, 4] that puts the template's silhouette where the query's is, as large and as rolled."""
    i = hypothesis.template
    axis = np.array([0.0, 0.0, 1.0])
    c, s = math.cos(hypothesis.roll), math.sin(hypothesis.roll)
    roll = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    turn = rotation_between(axis, query.ray) @ roll @ rotation_between(templates.rays[i], axis)
    template_pose = templates.poses[i]
    centre_in_template = template_pose[:3, :3] @ centre + template_pose[:3, 3]
    out = np.eye(4)
    out[:3, :3] = turn @ template_pose[:3, :3]
    out[:3, 3] = turn @ centre_in_template * (templates.sizes[i] / query.size) - out[:3, :3] @ centre
    return out
