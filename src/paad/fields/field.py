"""The field: the learned appearance of the good object, and what is needed to render it and to bound it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from paad.geometry.camera import Camera
from paad.render import Backend, Gaussians, Rendering, render
from paad.types import Float32, Float64


@dataclass(frozen=True)
class Field:
    """A fitted object.

    Attributes:
        gaussians: its Gaussians, world coordinates of the input.
        background: RGB float32 [3] that it is rendered over.
        centre: float64 [3], the point that poses turn about.
        radius: of the object, scene units.
        low, high: float64 [3], corners of the box that holds the object.
        bounded: whether the object ends inside the box (silhouettes were known), or the scene goes on around it.
        cut_out: whether photos are put over ``background`` by their masks before they are compared.
        camera: the training views' usual camera.
        distance: median distance of the training cameras from ``centre``, scene units.
        directions: float32 [V, 3], unit vectors from ``centre`` to the training cameras.
    """

    gaussians: Gaussians
    background: Float32
    centre: Float64
    radius: float
    low: Float64
    high: Float64
    bounded: bool
    cut_out: bool
    camera: Camera
    distance: float
    directions: Float32

    def render(self, cam_from_world: Float64, camera: Camera, backend: Backend = "auto") -> Rendering:
        """Render the good object at a pose [4, 4], without gradients; tensors on the Gaussians' device."""
        g = self.gaussians
        device = g.means.device
        pose = torch.as_tensor(np.asarray(cam_from_world, np.float32), device=device)
        with torch.no_grad():
            return render(g, pose, camera, torch.as_tensor(self.background, device=device), backend=backend)

    def decimated(self, count: int) -> Field:
        """A field of at most ``count`` Gaussians, enlarged to cover as much: for pictures of few pixels."""
        n = len(self.gaussians)
        if n <= count:
            return self
        chosen = torch.from_numpy(np.sort(np.random.default_rng(0).choice(n, count, replace=False)))
        kept = self.gaussians[chosen.to(self.gaussians.means.device)]
        return replace(self, gaussians=replace(kept, log_scales=kept.log_scales + 0.5 * math.log(n / count)))
