"""Fit a NeRF to the posed views of one good object."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paad.errors import DataError
from paad.fields.build import LEAST_VIEWS, ground_of
from paad.fields.carve import carve
from paad.fields.config import FitLog
from paad.fields.framing import composite
from paad.fields.hull import visual_hull
from paad.fields.nerf import Nerf, NerfConfig
from paad.fields.nerf_field import NerfField, picture_rays, ray_range
from paad.geometry.views import optical_axes, view_volume
from paad.types import PosedView, Progress

_WHITE = (1.0, 1.0, 1.0)
_REPORT_EVERY = 50


@dataclass(frozen=True)
class RayBank:
    """All training pixels that are drawn from: ``colours`` uint8 [P, 3], ``origins`` float32 [V, 3], ``views`` int16
    [P], ``directions`` float32 [P, 3], ``near`` and ``far`` float32 [P]."""

    colours: Tensor
    origins: Tensor
    views: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor

    def __len__(self) -> int:
        return len(self.views)

    def batch(self, chosen: Tensor, device: str) -> tuple[Tensor, ...]:
        """Origins, directions, near, far and colours [R, 3] of the pixels ``chosen`` [R], on ``device``."""
        origins = self.origins[self.views[chosen].long()]
        colours = self.colours[chosen].float() / 255.0
        parts = (origins, self.directions[chosen], self.near[chosen], self.far[chosen], colours)
        return tuple(p.to(device) for p in parts)


def ray_bank(field: NerfField, views: Sequence[PosedView]) -> RayBank:
    """The rays of ``views`` that meet the field's hull, or all of them where it has none.

    Raises:
        DataError: no ray meets the hull.
    """
    hull = None if field.hull is None else field.hull.to("cpu")  # the bank stays on the host
    parts: list[list[Tensor]] = [[] for _ in range(5)]
    origins = []
    for i, view in enumerate(views):
        photo = view.image.astype(np.float32) / np.float32(255.0)
        if field.cut_out:
            photo = composite(photo, view.mask, field.background)
        o, d = picture_rays(view.cam_from_world, view.camera)
        near, far, hit = ray_range(hull, field.near, field.far, o, d)
        colours = torch.from_numpy((photo.reshape(-1, 3) * 255.0 + 0.5).astype(np.uint8))
        origins.append(o[0])
        kept = (colours[hit], torch.full((int(hit.sum()),), i, dtype=torch.int16), d[hit], near[hit], far[hit])
        for part, tensor in zip(parts, kept, strict=True):
            part.append(tensor)
    colours, index, directions, near, far = (torch.cat(p) for p in parts)
    if len(index) == 0:
        raise DataError("no ray of the training views meets the object; check the masks and the poses")
    return RayBank(colours, torch.stack(origins), index, directions, near, far)


def empty_field(views: Sequence[PosedView], config: NerfConfig, device: str = "cpu") -> NerfField:
    """A field with untrained networks, bounded by what ``views`` tell: masks where there are any, else cameras.

    Near and far are the ball that the cameras have in common, half as large again, from the nearest and the farthest
    camera.

    Raises:
        DataError: too few views, or nothing that all of them see.
    """
    if len(views) < LEAST_VIEWS:
        raise DataError(f"{len(views)} usable views; a field needs at least {LEAST_VIEWS}, and good ones 50 or more")
    poses = np.stack([v.cam_from_world for v in views])
    centre, reach = view_volume([v.camera for v in views], poses)
    radius, hull = reach, None
    masked = [v for v in views if v.mask is not None]
    bounded = len(masked) >= max(LEAST_VIEWS, len(views) // 2)
    background, cut_out = np.array(_WHITE, np.float32), False
    if bounded:
        ground = ground_of(masked)
        background, cut_out = ground.background, ground.cut_out
        surface, low, high = carve(masked, centre, 1.5 * reach)
        centre = 0.5 * (low + high)
        radius = float(np.linalg.norm(surface.xyz - centre, axis=1).max())
        hull = visual_hull(masked, low, high).to(device) if config.in_hull else None
    distances = np.linalg.norm(optical_axes(poses)[0] - centre, axis=1)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        nerf = Nerf(config, torch.as_tensor(centre, dtype=torch.float32), radius, torch.as_tensor(background))
    nerf = nerf.to(device)
    near, far = distances.min() - 1.5 * reach, distances.max() + 1.5 * reach
    return NerfField(
        nerf=nerf,
        hull=hull,
        near=float(max(near, 0.05 * distances.min())),
        far=float(far),
        background=background,
        centre=centre,
        radius=radius,
        bounded=bounded,
        cut_out=cut_out,
        camera=sorted((v.camera for v in views), key=lambda c: c.fx / c.width)[len(views) // 2],
        distance=float(np.median(distances)),
        device=device,
    )


def fit_nerf(
    views: Sequence[PosedView], config: NerfConfig, device: str = "cpu", progress: Progress | None = None
) -> tuple[NerfField, FitLog]:
    """Fit a NeRF to ``views``: squared error of the coarse and the fine colours of random rays, Adam.

    Raises:
        DataError: too few views, nothing that all of them see, or a loss that is not finite.
    """
    field = empty_field(views, config, device)
    bank = ray_bank(field, views)
    nerf = field.nerf
    adam = torch.optim.Adam(nerf.parameters(), lr=config.rate, fused=device in ("cpu", "cuda"))
    generator = torch.Generator().manual_seed(config.seed)
    log, began = FitLog(), time.perf_counter()
    for step in range(config.steps):
        adam.param_groups[0]["lr"] = config.rate * (config.rate_end / config.rate) ** (step / config.steps)
        chosen = torch.randint(len(bank), (config.rays,), generator=generator)
        origins, directions, near, far, colours = bank.batch(chosen, device)
        coarse, fine = nerf(origins, directions, near, far, generator)
        error = ((fine.colour - colours) ** 2).mean()
        loss = error + ((coarse.colour - colours) ** 2).mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        if step % _REPORT_EVERY == _REPORT_EVERY - 1 or step == config.steps - 1:
            log.losses.append(float(error.detach()))
            if not np.isfinite(log.losses[-1]):
                raise DataError("the fit diverged: its loss is not finite; check the images and poses for nan")
            if progress:
                decibels = -10.0 * np.log10(max(log.losses[-1], 1e-12))
                progress(step + 1, config.steps, f"rays at {decibels:.1f} dB")
    nerf.requires_grad_(False).eval()
    log.steps, log.seconds = config.steps, time.perf_counter() - began
    return field, log
