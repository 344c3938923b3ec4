"""Fit the Gaussians of one good object to its posed views."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paad.errors import DataError
from paad.fields.config import FieldConfig, FitLog
from paad.fields.density import chosen_to_split, idle, split_longest
from paad.fields.light import light_maps
from paad.fields.loss import colour_loss
from paad.fields.moving_light import Explained, View, explained_by_lights
from paad.fields.optimize import GaussianAdam
from paad.fields.shading import shading_of
from paad.fields.targets import Target
from paad.render import Gaussians, Rendering, render
from paad.render.draw import blended
from paad.render.gaussians import SH_BASES, concatenate
from paad.render.splats import Picture, Splats
from paad.types import Float32, Float64, Progress

RATES = {
    "means": 2e-3,  # times the object's radius
    "quats": 6e-3,
    "log_scales": 1.4e-1,  # the start is round, a surface flat: slower, and most of a short schedule goes into this
    "logit_opacities": 4e-2,
    "base": 5e-3,
    "rest": 6e-3,
}


_WATCH_EVERY = 250
_MEASURE_AGAIN = 0.2
"""Share of the schedule after which the Gaussians' shading is measured anew; those that are split hand theirs on."""


def initial_gaussians(xyz: Float64, rgb: Float32, spacing: float | Float64, config: FieldConfig) -> Gaussians:
    """Round, half-opaque Gaussians at points [N, 3] of colours [N, 3]; at most ``config.initial_gaussians`` of them.

    ``spacing`` is the points' distance from each other in scene units, for all or for each [N].

    Raises:
        DataError: no points.
    """
    if len(xyz) == 0:
        raise DataError("no points to start the field from; check the masks, the poses and the COLMAP points")
    sizes = np.broadcast_to(np.asarray(spacing, np.float32), (len(xyz),))
    if len(xyz) > config.initial_gaussians:
        chosen = np.sort(np.random.default_rng(config.seed).choice(len(xyz), config.initial_gaussians, replace=False))
        sizes = sizes[chosen] * np.float32(np.sqrt(len(xyz) / config.initial_gaussians))
        xyz, rgb = xyz[chosen], rgb[chosen]
    n = len(xyz)
    degree = max(SH_BASES) if config.sh_degree is None else config.sh_degree
    sh = torch.zeros(n, SH_BASES[degree], 3)
    sh[:, 0] = (torch.from_numpy(np.ascontiguousarray(rgb)) - 0.5) / 0.28209479177387814
    return Gaussians(
        torch.from_numpy(xyz.astype(np.float32)),
        torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(n, 1),
        torch.from_numpy(np.log(0.6 * sizes)).float()[:, None].repeat(1, 3),
        torch.full((n,), 0.5),
        sh,
    )


def view_loss(
    gaussians: Gaussians, target: Target, background: Tensor, config: FieldConfig, shading: Float32 | None = None
) -> Tensor:
    """Absolute and squared colour error, and the silhouette's where the target has a mask; a scalar.

    With a ``shading`` of the Gaussians the rendering is put under the target's light before it is compared; that light
    counts as known, no gradient passes through its estimate.
    """
    out = render(gaussians, target.cam_from_world, target.camera, background)
    colour = out.colour if shading is None else under_light_of(gaussians, shading, out, target, background)
    loss = colour_loss(colour, target.colour, config.squared)
    if target.mask is not None and config.silhouette > 0:
        known = target.mask >= 0
        loss = loss + config.silhouette * ((out.alpha - target.mask).abs() * known).mean()
    return loss


def _as_picture(out: Rendering) -> Picture:
    return Picture(*(t.detach().cpu().numpy() for t in out))


def _pose_of(target: Target) -> Float64:
    return target.cam_from_world.cpu().numpy().astype(np.float64)


def under_light_of(
    gaussians: Gaussians, shading: Float32, out: Rendering, target: Target, background: Tensor
) -> Tensor:
    """The rendered colours [H, W, 3] under the target's light, see :mod:`paad.fields.light`; differentiable in them.

    ``shading`` [N, COLUMNS] is that of ``gaussians``, which ``out`` shows.
    """
    pose, photo = _pose_of(target), target.colour.cpu().numpy()
    drawn = Splats.of(gaussians).drawn(pose, target.camera, np.ones(3, np.float32))
    maps = light_maps(_as_picture(out), blended(drawn, shading), photo, target.camera, pose)
    if maps is None:
        return out.colour
    gain, offset = (torch.from_numpy(m).to(out.colour.device) for m in maps)
    ground = (1.0 - out.alpha)[..., None] * background
    return (out.colour - ground) * gain + offset + ground


def _explained_by_lights(gaussians: Gaussians, targets: Sequence[Target], background: Tensor) -> Explained:
    def view(number: int) -> View:
        target = targets[number]
        with torch.no_grad():
            out = render(gaussians, target.cam_from_world, target.camera, background)
        return View(_as_picture(out), target.colour.cpu().numpy(), target.camera, _pose_of(target))

    return explained_by_lights(np.stack([_pose_of(t) for t in targets]), view, background.cpu().numpy())


def optimize(
    start: Gaussians,
    targets: Sequence[Target],
    background: Float32,
    radius: float,
    box: tuple[Float64, Float64] | None,
    config: FieldConfig,
    progress: Progress | None = None,
    watch: Callable[[Gaussians, Float32 | None], float] | None = None,
    begun: float = 0.0,
) -> tuple[Gaussians, FitLog]:
    """Fit ``start`` to ``targets``.

    Args:
        start: initial Gaussians.
        targets: the training pictures, full resolution.
        background: RGB [3] to render over.
        radius: of the object, scene units; scales the learning rate of the means.
        box: corners [3], [3] outside of which Gaussians are pruned; None for open scenes.
        config: the schedule.
        progress: called as ``progress(step, steps, message)``.
        watch: how good the Gaussians, with their shading where their light moves, are on views that are not fitted
            (dB), asked in the second half of the schedule;
            the fit stops when two answers in a row are worse than the best, and goes back to that.
        begun: share of the schedule that ``start`` has behind it; the steps are spread over the rest.

    Raises:
        DataError: the loss is not finite.
    """
    device = start.means.device
    ground = torch.as_tensor(background, dtype=torch.float32, device=device)
    adam = GaussianAdam(start, {**RATES, "means": RATES["means"] * radius})
    corners = None
    if box is not None:
        corners = (torch.tensor(box[0], device=device).float(), torch.tensor(box[1], device=device).float())
    limit = float("inf") if box is None else 0.15 * radius
    coarse = [t.halved() for t in targets]
    rng = np.random.default_rng(config.seed)
    pull, log, began = torch.zeros(len(start), device=device), FitLog(), time.perf_counter()
    order: list[int] = []
    best: tuple[float, Gaussians] | None = None
    worse = 0
    moving = config.moving_light
    shading: Float32 | None = None
    measured_at = 0.0
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        for step in range(config.steps):
            done = step / config.steps
            if config.seconds is not None:
                done = max(done, (time.perf_counter() - began) / config.seconds)
                if done >= 1.0:
                    break
            done = begun + (1.0 - begun) * done
            if not order:
                order = rng.permutation(len(targets)).tolist()
            if moving is None and done >= config.coarse_until:
                moving = False
                if box is not None:
                    explained = _explained_by_lights(adam.gaussians.detached(), coarse, ground)
                    log.explained_by_light, log.explained_by_neighbours = explained
                    moving = explained.moves
            if moving and not log.moving_light:
                log.moving_light = True
                adam = GaussianAdam(_without_gloss(adam.gaussians.detached()), adam.rates)
            if log.moving_light and (shading is None or done >= measured_at + _MEASURE_AGAIN):
                shading, measured_at = _shading(adam.gaussians, targets, box), done
            view = order.pop()
            target = (coarse if done < config.coarse_until else targets)[view]
            loss = view_loss(adam.gaussians, target, ground, config, shading)
            loss.backward()  # type: ignore[no-untyped-call]
            pull += adam.gradient("means").norm(dim=1)
            pixels = target.camera.width * target.camera.height
            adam.step(_rate_factors(done), {"rest": 2.0 * config.gloss / pixels})
            if step % config.grow_every == config.grow_every - 1:
                log.losses.append(float(loss.detach()))
                if not np.isfinite(log.losses[-1]):
                    raise DataError("the fit diverged: its loss is not finite; check the images and poses for nan")
                if done < 0.9:
                    grown = config.grow_from <= done < config.grow_until
                    origin = _restructure(adam, pull, corners, limit, config, done if grown else None)
                    shading = None if shading is None else shading[origin]
                    pull = torch.zeros(len(adam.values["means"]), device=device)
                if progress:
                    progress(step + 1, config.steps, f"{len(pull)} Gaussians, loss {log.losses[-1]:.4f}")
            log.steps = step + 1
            if watch and done > 0.5 and step % _WATCH_EVERY == 0:
                now = adam.gaussians.detached()
                value = watch(now, shading)
                log.watched.append(round(value, 3))
                worse = 0 if best is None or value > best[0] else worse + 1
                if worse == 0:
                    best = (value, now.map(torch.clone))
                if worse == 2:
                    break
    finally:
        torch.set_num_threads(threads)
    fitted = best[1] if best is not None and worse == 2 else adam.gaussians.detached()
    fitted = fitted[torch.nonzero(~idle(fitted, corners, limit, 1 / 255))[:, 0]]
    log.seconds, log.gaussians = time.perf_counter() - began, len(fitted)
    return fitted, log


def _shading(gaussians: Gaussians, targets: Sequence[Target], box: tuple[Float64, Float64] | None) -> Float32:
    splats = Splats.of(gaussians)
    low, high = (splats.means.min(axis=0), splats.means.max(axis=0)) if box is None else box
    return shading_of(splats, [(_pose_of(t), t.camera) for t in targets], np.asarray(low), np.asarray(high))


def _without_gloss(gaussians: Gaussians) -> Gaussians:
    """Colours of degree 1 at most: under a light that moves, what shines from one side shines from another next."""
    return replace(gaussians, sh=gaussians.sh[:, :4].contiguous())


def _rate_factors(done: float) -> dict[str, float]:
    """The learning rates' decay: means to a hundredth, the rest to a tenth, all exponentially."""
    tenth = 0.1**done
    return {"means": 0.01**done, **dict.fromkeys(("quats", "log_scales", "logit_opacities", "base", "rest"), tenth)}


def _restructure(
    adam: GaussianAdam,
    pull: Tensor,
    corners: tuple[Tensor, Tensor] | None,
    limit: float,
    config: FieldConfig,
    growing: float | None,
) -> NDArray[np.intp]:
    """One round of pruning and, where ``growing`` gives the share of the schedule done, of splitting.

    Returns which Gaussian each one is or comes from.
    """
    now = adam.gaussians.detached()
    alive = ~idle(now, corners, limit, 0.01)
    added, parents = None, torch.zeros(0, dtype=torch.long)
    if growing is not None:
        rounds = (config.grow_until - growing) * config.steps / config.grow_every
        room = config.max_gaussians - int(alive.sum())
        share = max(0, round(room / max(1.0, rounds)))
        if share > 0:
            parents = chosen_to_split(torch.where(alive, pull, torch.zeros_like(pull)), now, share)
            added = concatenate(list(split_longest(now[parents])))
            alive[parents] = False
    kept = torch.nonzero(alive)[:, 0]
    adam.restructure(kept, added)
    return np.concatenate([kept.cpu().numpy(), *(parents.cpu().numpy(),) * 2])
