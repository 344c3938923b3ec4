"""From posed views to a field: split, find the object, start, optimize, and say how good it is on views kept aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from paad.errors import DataError
from paad.fields.carve import carve
from paad.fields.config import FieldConfig, FitLog, Quality, mean_quality
from paad.fields.field import Field
from paad.fields.fit import initial_gaussians, optimize, under_light_of
from paad.fields.framing import composite
from paad.fields.light import drawn_beside
from paad.fields.open_scene import consistent_points
from paad.fields.quality import psnr, ssim
from paad.fields.shading import shading_of
from paad.fields.targets import targets_of
from paad.geometry.camera import Camera
from paad.geometry.se3 import camera_centre
from paad.geometry.views import view_volume
from paad.render import Gaussians, render
from paad.render.splats import Splats
from paad.types import Float32, Float64, PosedView, Progress

LEAST_VIEWS = 3
LEAST_TO_SPLIT = 16
"""Fewer views are all fitted, and calibrated by leaving them out in turn."""


@dataclass(frozen=True)
class Split:
    """Indices of the views that are fitted and of those that are kept aside."""

    fitted: tuple[int, ...]
    held_out: tuple[int, ...]


def split_views(count: int, share: float, at_most: int = 40) -> Split:
    """Keep every 1 / ``share``-th view aside, evenly spread over the sequence; none of fewer than 16 views."""
    held = 0 if count < LEAST_TO_SPLIT else min(at_most, max(2, round(count * share)))
    aside = {round((k + 0.5) * count / held) for k in range(held)} if held else set()
    return Split(tuple(i for i in range(count) if i not in aside), tuple(sorted(aside)))


@dataclass(frozen=True)
class Ground:
    """What lies behind the object in the training views.

    ``plain``: the pictures are taken as they are, over ``background``; ``cut_out``: masks were given, and what is
    outside of them means nothing.
    """

    background: Float32
    cut_out: bool


def ground_of(views: Sequence[PosedView]) -> Ground:
    """White where masks were given with the pictures, the border's median colour where the background is plain."""
    border = []
    outside_varies = False
    for view in views[:: max(1, len(views) // 16)]:
        if view.mask is None:
            continue
        ground = view.image[view.mask < 0.01].astype(np.float32) / 255.0
        if len(ground) < 16:
            outside_varies = True
            continue
        border.append(np.median(ground, axis=0))
        outside_varies |= bool(np.abs(ground - border[-1]).mean() > 0.05)
    if not border or outside_varies or np.std(border, axis=0).max() > 0.05:
        return Ground(np.ones(3, np.float32), True)
    background = np.median(border, axis=0).astype(np.float32)
    return Ground(background, bool(background.max() < 0.02))


def build_field(
    views: Sequence[PosedView],
    config: FieldConfig,
    points: tuple[Float64, Float32] | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    watched: Sequence[PosedView] = (),
) -> tuple[Field, FitLog]:
    """Fit a field to ``views``, all of them; keep some aside with :func:`split_views` beforehand.

    Args:
        views: at least 3 posed views.
        config: the schedule.
        points: xyz [N, 3] and RGB [N, 3] in [0, 1] of a sparse reconstruction, for scenes without masks.
        device: "cpu" or "cuda".
        progress: called as ``progress(step, steps, message)``.
        watched: views that are not fitted; when they get worse, the fit stops.

    Raises:
        DataError: too few views, or nothing that all of them see.
    """
    if len(views) < LEAST_VIEWS:
        raise DataError(f"{len(views)} usable views; a field needs at least {LEAST_VIEWS}, and good ones 50 or more")
    config = config.for_views(len(views))
    poses = np.stack([v.cam_from_world for v in views])
    centre, reach = view_volume([v.camera for v in views], poses)
    bounded = sum(v.mask is not None for v in views) >= max(LEAST_VIEWS, len(views) // 2)
    if bounded:
        views = [v for v in views if v.mask is not None]
        ground = ground_of(views)
        surface, low, high = carve(views, centre, 1.5 * reach)
        centre = 0.5 * (low + high)
        radius = float(np.linalg.norm(surface.xyz - centre, axis=1).max())
        start = initial_gaussians(surface.xyz, surface.rgb, surface.spacing, config)
        side = config.max_side
    else:
        ground = Ground(_mean_colour(views), False)
        start = initial_gaussians(*consistent_points(views, centre, reach, points, config.seed), config)
        side = config.max_side // 2  # every pixel of an open scene is covered many times over
        radius = reach
        low, high = centre - reach, centre + reach
    box = (low, high) if bounded else None
    # a plain background can be painted in its own colour, and what is painted there shows from elsewhere
    targets = targets_of(views, ground.background, box, ground.cut_out, "exact" if ground.cut_out else "outside", side)
    targets = [t.to(device) for t in targets]
    aside = targets_of(watched[:: max(1, len(watched) // 6)], ground.background, box, ground.cut_out, "none", side)
    aside = [t.to(device) for t in aside]
    behind = torch.as_tensor(ground.background, device=device)

    def watch(gaussians: Gaussians, shading: Float32 | None) -> float:
        errors = []
        for t in aside:
            with torch.no_grad():
                out = render(gaussians, t.cam_from_world, t.camera, behind)
            drawn = out.colour if shading is None else under_light_of(gaussians, shading, out, t, behind)
            errors.append(float(((drawn.clamp(0, 1) - t.colour) ** 2).mean()))
        return float(np.mean([-10.0 * np.log10(max(e, 1e-12)) for e in errors]))

    gaussians, log = optimize(
        start.to(device), targets, ground.background, radius, box, config, progress, watch if aside else None
    )
    splats = Splats.of(gaussians)
    eyes = np.stack([camera_centre(v.cam_from_world) for v in views]) - centre
    distances = np.linalg.norm(eyes, axis=1)
    field = Field(
        splats,
        ground.background,
        centre,
        radius,
        low,
        high,
        bounded,
        ground.cut_out,
        _usual_camera([v.camera for v in views]),
        float(np.median(distances)),
        (eyes / distances[:, None]).astype(np.float32),
        device,
        shading_of(splats, [(v.cam_from_world, v.camera) for v in views], low, high) if log.moving_light else None,
    )
    return field, log


def _mean_colour(views: Sequence[PosedView]) -> Float32:
    means = [v.image.reshape(-1, 3).mean(axis=0) / 255.0 for v in views[:: max(1, len(views) // 16)]]
    mean: Float32 = np.mean(means, axis=0).astype(np.float32)
    return mean


def _usual_camera(cameras: Sequence[Camera]) -> Camera:
    """The camera of median focal length, seen over the width."""
    return sorted(cameras, key=lambda c: c.fx / c.width)[len(cameras) // 2]


def measure_quality(field: Field, views: Sequence[PosedView]) -> Quality | None:
    """How well ``field`` reproduces ``views`` that it was not fitted to, at their true poses; None without views."""
    rows = []
    for view in views:
        photo = view.image.astype(np.float32) / np.float32(255.0)
        truth = composite(photo, view.mask, field.background) if field.cut_out else photo
        colour = drawn_beside(field, truth, view.cam_from_world, view.camera).colour
        inside = np.ones(truth.shape[:2], np.bool_) if view.mask is None else view.mask > 0.5
        rows.append(Quality(psnr(colour, truth), psnr(colour, truth, inside), ssim(colour, truth)))
    return mean_quality(rows)
