"""A toy for tests: coloured blobs, rendered by the rasterizer itself, so that the truth is known exactly."""

from __future__ import annotations

import numpy as np
import torch

from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.geometry.se3 import look_at
from paad.pose.templates import sphere_directions
from paad.render import Gaussians, render
from paad.render.splats import Splats
from paad.types import Float32, Float64, PosedView

SIZE = 112
CAMERA = Camera.from_angle_x(0.7, SIZE, SIZE)
WHITE = torch.ones(3)


def toy_gaussians(seed: int = 0) -> Gaussians:
    """A lopsided solid of about 2000 small opaque blobs in a few saturated colours, within a ball of radius 0.8."""
    rng = np.random.default_rng(seed)
    parts = rng.uniform(-0.45, 0.45, (7, 3))
    sizes = rng.uniform(0.15, 0.32, (7, 3))
    colours = rng.uniform(0.0, 0.85, (7, 3))
    xyz, rgb = [], []
    for centre, size, colour in zip(parts, sizes, colours, strict=True):
        direction = rng.normal(size=(300, 3))
        direction /= np.abs(direction).max(axis=1, keepdims=True)  # a box
        xyz.append(centre + size * direction)
        rgb.append(np.clip(colour + 0.25 * np.sign(np.sin(9.0 * xyz[-1][:, :1])), 0.02, 0.98))
    points, shade = np.concatenate(xyz), np.concatenate(rgb)
    n = len(points)
    return Gaussians(
        torch.from_numpy(points.astype(np.float32)),
        torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(n, 1),
        torch.full((n, 3), float(np.log(0.035))),
        torch.full((n,), 3.0),
        torch.from_numpy(((shade - 0.5) / 0.28209479177387814).astype(np.float32))[:, None, :],
    )


def photograph(gaussians: Gaussians, pose: Float64, camera: Camera = CAMERA) -> tuple[np.ndarray, Float32]:
    """uint8 RGB [H, W, 3] on white and mask [H, W]."""
    with torch.no_grad():
        out = render(gaussians, torch.from_numpy(pose.astype(np.float32)), camera, WHITE)
    image = np.clip(out.colour.numpy() * 255 + 0.5, 0, 255).astype(np.uint8)
    return image, out.alpha.numpy()


def pose_from(direction: Float64, distance: float = 2.6, roll_deg: float = 0.0) -> Float64:
    """``cam_from_world`` of a camera that looks at the origin."""
    pose = look_at(distance * np.asarray(direction), [0.0, 0.0, 0.0])
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    turn = np.eye(4)
    turn[:2, :2] = [[c, -s], [s, c]]
    return turn @ pose


def posed_views(gaussians: Gaussians, spacing_deg: float = 32.0, with_masks: bool = True) -> list[PosedView]:
    """Views from all around."""
    views = []
    for i, direction in enumerate(sphere_directions(spacing_deg)):
        pose = pose_from(direction)
        image, mask = photograph(gaussians, pose)
        views.append(PosedView(f"{i}.png", image, mask if with_masks else None, CAMERA, pose))
    return views


def toy_field() -> Field:
    """The toy as a field that views from all around, 25 degrees apart, would give."""
    low = np.full(3, -0.9)
    directions = sphere_directions(25.0).astype(np.float32)
    splats = Splats.of(toy_gaussians())
    return Field(splats, np.ones(3, np.float32), np.zeros(3), 0.85, low, -low, True, False, CAMERA, 2.6, directions)
