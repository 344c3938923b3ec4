"""The field: the learned appearance of the good object, and what is needed to draw it and to bound it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from paad.geometry.camera import Camera
from paad.render.constants import SH_C0
from paad.render.draw import blended
from paad.render.splats import Picture, Splats
from paad.types import Float32, Float64

if TYPE_CHECKING:
    from paad.render import Backend, Gaussians, Rendering


@dataclass(frozen=True)
class Field:
    """A fitted object.

    Attributes:
        splats: its Gaussians, world coordinates of the input.
        background: RGB float32 [3] that it is rendered over.
        centre: float64 [3], the point that poses turn about.
        radius: of the object, scene units.
        low, high: float64 [3], corners of the box that holds the object.
        bounded: whether the object ends inside the box (silhouettes were known), or the scene goes on around it.
        cut_out: whether photos are put over ``background`` by their masks before they are compared.
        camera: the training views' usual camera.
        distance: median distance of the training cameras from ``centre``, scene units.
        directions: float32 [V, 3], unit vectors from ``centre`` to the training cameras.
        shading: float32 [N, COLUMNS], see :func:`paad.fields.shading.shading_of`, where the light differed from photo
            to photo, so that it has to be found for each; None where it stood still.
        device: "cpu" draws with the CPU kernels and without torch, "cuda" with gsplat.
    """

    splats: Splats
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
    device: str = "cpu"
    shading: Float32 | None = None

    @property
    def moving_light(self) -> bool:
        """Whether the light differs from photo to photo."""
        return self.shading is not None

    @cached_property
    def gaussians(self) -> Gaussians:
        """The Gaussians as torch tensors on ``device``."""
        import torch

        from paad.render import Gaussians

        return Gaussians(**{k: torch.from_numpy(a) for k, a in self.splats.named().items()}).to(self.device)

    def draw(self, cam_from_world: Float64, camera: Camera) -> Picture:
        """The good object seen from a pose [4, 4], as arrays."""
        if self.device == "cpu":
            return self.splats.draw(cam_from_world, camera, self.background)
        drawn = self.render(cam_from_world, camera)
        return Picture(*(t.cpu().numpy() for t in drawn))

    def draw_with(self, values: Float32, cam_from_world: Float64, camera: Camera) -> tuple[Picture, Float32]:
        """:meth:`draw`, and numbers ``values`` [N, C] of the Gaussians blended as colours are, over 0: [C, H, W]."""
        if self.device == "cpu":
            drawn = self.splats.drawn(cam_from_world, camera, self.background)
            return Picture(drawn.colour, drawn.alpha, drawn.depth), blended(drawn, values)
        picture = self.draw(cam_from_world, camera)
        least = np.minimum(values.min(axis=0), 0.0)  # there are no negative colours
        black = replace(self, background=np.zeros(3, np.float32))
        colours = np.pad(values - least, ((0, 0), (0, -values.shape[1] % 3))).reshape(len(values), -1, 3)
        drawn_colours = [
            replace(black, splats=replace(self.splats, sh=((colours[:, k : k + 1] - 0.5) / SH_C0).astype(np.float32)))
            .draw(cam_from_world, camera)
            .colour
            for k in range(colours.shape[1])
        ]
        shown = np.moveaxis(np.concatenate(drawn_colours, axis=2), 2, 0)[: values.shape[1]]
        return picture, shown + least[:, None, None] * picture.alpha

    def render(self, cam_from_world: Float64, camera: Camera, backend: Backend = "auto") -> Rendering:
        """The good object seen from a pose [4, 4], as torch tensors on ``device``, without gradients."""
        import torch

        from paad.render import render

        g = self.gaussians
        pose = torch.as_tensor(np.asarray(cam_from_world, np.float32), device=g.means.device)
        with torch.no_grad():
            return render(g, pose, camera, torch.as_tensor(self.background, device=g.means.device), backend=backend)

    def over(self, background: Float32) -> Field:
        """The same object before another plain background, RGB [3]."""
        return self if np.array_equal(background, self.background) else replace(self, background=background)

    def decimated(self, count: int) -> Field:
        """A field of at most ``count`` Gaussians, enlarged to cover as much: for pictures of few pixels."""
        n = len(self.splats)
        if n <= count:
            return self
        chosen = np.sort(np.random.default_rng(0).choice(n, count, replace=False))
        kept, shading = self.splats.chosen(chosen), None if self.shading is None else self.shading[chosen]
        enlarged = kept.log_scales + np.float32(0.5 * math.log(n / count))
        return replace(self, splats=replace(kept, log_scales=enlarged), shading=shading)
