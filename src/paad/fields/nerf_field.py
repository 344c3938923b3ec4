"""A fitted NeRF of the good object: what draws it, ray by ray or as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paad.fields.hull import Hull
from paad.fields.nerf import Nerf
from paad.geometry.camera import Camera
from paad.types import Float32, Float64

_CHUNK = 4096


@dataclass(frozen=True)
class NerfField:
    """A fitted NeRF.

    Attributes:
        nerf: the networks.
        hull: where the object may be; None where rays are sampled from ``near`` to ``far``.
        near, far: scene units along a ray, from the training cameras.
        background: RGB float32 [3].
        centre: float64 [3], the point that poses turn about.
        radius: of the object, scene units.
        bounded: whether silhouettes were known.
        cut_out: whether photos are put over ``background`` by their masks before they are compared.
        camera: the training views' usual camera.
        distance: median distance of the training cameras from ``centre``, scene units.
        device: of the networks.
    """

    nerf: Nerf
    hull: Hull | None
    near: float
    far: float
    background: Float32
    centre: Float64
    radius: float
    bounded: bool
    cut_out: bool
    camera: Camera
    distance: float
    device: str = "cpu"

    def colours(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Colours [R, 3] of rays [R, 3] in world coordinates, unit directions; differentiable in both.

        Rays that miss the hull have the background's colour and no gradient.
        """
        near, far, hit = ray_range(self.hull, self.near, self.far, origins, directions)
        if bool(hit.all()):
            return self.nerf(origins, directions, near, far)[1].colour  # type: ignore[no-any-return]
        out = self.nerf.background.expand(len(origins), 3)
        index = torch.nonzero(hit)[:, 0]
        if len(index) == 0:
            return out + 0.0 * (origins + directions)
        drawn = self.nerf(origins[index], directions[index], near[index], far[index])[1].colour
        return out.index_copy(0, index, drawn)

    def draw(self, cam_from_world: Float64, camera: Camera) -> Float32:
        """The good object seen from a pose [4, 4]: RGB [H, W, 3]."""
        origins, directions = picture_rays(cam_from_world, camera)
        parts = []
        with torch.inference_mode():
            for o, d in zip(torch.split(origins, _CHUNK), torch.split(directions, _CHUNK), strict=True):
                parts.append(self.colours(o.to(self.device), d.to(self.device)).cpu())
        picture: Float32 = torch.cat(parts).reshape(camera.height, camera.width, 3).numpy()
        return picture


def ray_range(
    hull: Hull | None, near: float, far: float, origins: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """``near`` [R], ``far`` [R] and whether the rays are to be drawn at all, bool [R]."""
    if hull is not None:
        return hull.span(origins, directions)
    ones = torch.ones(len(origins), device=origins.device)
    return near * ones, far * ones, ones > 0


def picture_rays(cam_from_world: Float64, camera: Camera) -> tuple[Tensor, Tensor]:
    """World origins and unit directions [H * W, 3] of all pixels, row by row, float32."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    directions = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1)) @ cam_from_world[:3, :3]
    origin = -cam_from_world[:3, :3].T @ cam_from_world[:3, 3]
    rays = torch.from_numpy(directions.astype(np.float32))
    return torch.from_numpy(origin.astype(np.float32)).expand_as(rays), rays
