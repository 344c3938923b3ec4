"""From posed views to a field: split, find the object, start, optimize, and say how good it is on views kept aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
from paad.fields.targets import Target, targets_of
from paad.geometry.camera import Camera
from paad.geometry.se3 import camera_centre
from paad.geometry.views import view_volume
from paad.render import Gaussians, render
from paad.render.splats import Splats
from paad.types import Float32, Float64, PosedView, Progress

LEAST_VIEWS = 3
LEAST_TO_SPLIT = 16
"""Fewer views are all fitted, and calibrated by leaving them out in turn."""
_LESS, _BEGUN = 4, 0.2
"""Of the schedule of :func:`fit_also`. From 0.4, 0.6 and 0.8 on, and with half of the steps, unseen views gain less;
with twice as many 0.1 dB more where the light stands still, and less where it moves."""


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
    else:
        ground = Ground(_mean_colour(views), False)
        start = initial_gaussians(*consistent_points(views, centre, reach, points, config.seed), config)
        radius = reach
        low, high = centre - reach, centre + reach
    box = (low, high) if bounded else None
    targets = _targets(views, ground, box, config, device)
    aside = targets_of(
        watched[:: max(1, len(watched) // 6)], ground.background, box, ground.cut_out, "none", _side(box, config)
    )
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
    splats, (distances, directions) = Splats.of(gaussians), _eyes(views, centre)
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
        directions,
        device,
        shading_of(splats, _seen(views), low, high) if log.moving_light else None,
    )
    return field, log


def fit_also(field: Field, views: Sequence[PosedView], config: FieldConfig, progress: Progress | None = None) -> Field:
    """``field`` fitted on to ``views``, its own and others that were kept aside: a quarter of the steps, none of them
    to split, at the rates that it had after a fifth of its schedule.

    Unseen views of random assembly 209 and body 713 (160 px) gain 0.55 and 0.67 dB over the object, of 508 on tables
    0.19, where a fit to all views from the beginning gains 0.94, 0.70 and 0.24.

    Raises:
        DataError: the fit diverged.
    """
    box = (field.low, field.high) if field.bounded else None
    ground = Ground(field.background, field.cut_out)
    views = [v for v in views if v.mask is not None or not field.bounded]
    rest = replace(
        config,
        steps=max(1, config.steps // _LESS),
        seconds=None if config.seconds is None else config.seconds / _LESS,
        grow_until=0.0,
        coarse_until=0.0,
        moving_light=field.moving_light,
    )
    targets = _targets(views, ground, box, config, field.device)
    gaussians, log = optimize(
        field.gaussians, targets, field.background, field.radius, box, rest, progress, begun=_BEGUN
    )
    splats, (_, directions) = Splats.of(gaussians), _eyes(views, field.centre)
    shading = shading_of(splats, _seen(views), field.low, field.high) if log.moving_light else None
    return replace(field, splats=splats, directions=directions, shading=shading)


def _targets(
    views: Sequence[PosedView],
    ground: Ground,
    box: tuple[Float64, Float64] | None,
    config: FieldConfig,
    device: str,
) -> list[Target]:
    # a plain background can be painted in its own colour, and what is painted there shows from elsewhere
    masks: Literal["exact", "outside"] = "exact" if ground.cut_out else "outside"
    made = targets_of(views, ground.background, box, ground.cut_out, masks, _side(box, config))
    return [t.to(device) for t in made]


def _side(box: tuple[Float64, Float64] | None, config: FieldConfig) -> int:
    # every pixel of an open scene is covered many times over
    return config.max_side // 2 if box is None else config.max_side


def _seen(views: Sequence[PosedView]) -> list[tuple[Float64, Camera]]:
    return [(v.cam_from_world, v.camera) for v in views]


def _eyes(views: Sequence[PosedView], centre: Float64) -> tuple[Float64, Float32]:
    """How far the cameras are from the centre [V], and in which directions [V, 3]."""
    eyes = np.stack([camera_centre(v.cam_from_world) for v in views]) - centre
    distances = np.linalg.norm(eyes, axis=1)
    return distances, (eyes / distances[:, None]).astype(np.float32)


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
