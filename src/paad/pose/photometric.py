"""Refine a pose by gradient descent through a differentiable renderer: iNeRF's way and SplatPose's.

One loop for all: a rigid motion of the object (:class:`paad.pose.screw.ScrewMotion`) is turned by Adam until the
picture that the renderer makes looks like the photo. What differs is the loss: on batches of rays from interest regions
(iNeRF: Yen-Chen et al., "iNeRF: Inverting Neural Radiance Fields for Pose Estimation", 2021) or on whole pictures
(SplatPose: Kruse et al., "SplatPose & Detect: Pose-Agnostic 3D Anomaly Detection", 2024).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from paad.errors import PoseError
from paad.geometry.camera import Camera
from paad.geometry.se3 import is_rigid
from paad.pose.screw import ScrewMotion
from paad.render import Gaussians, render
from paad.types import Float64

PoseLoss = Callable[[Tensor, int], Tensor]
"""Loss (a scalar) of a pose [4, 4] in one step (0, 1, ...); differentiable in the pose."""


@dataclass(frozen=True)
class Descent:
    """The schedule; the defaults are iNeRF's as OmniposeAD uses it: Adam, 0.01 * 0.8 ** (step / 100)."""

    steps: int = 300  # steps of Adam
    rate: float = 0.01  # learning rate at the start, radians and shares of the unit
    decay: float = 0.8  # what the rate is multiplied by ...
    decay_steps: float = 100.0  # ... over so many steps, exponentially
    patience: int = 0  # steps without a gain after which the descent ends at its best pose; 0 is never
    least_gain: float = 0.0  # share of the best loss that counts as a gain

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        return float(self.rate * self.decay ** (step / self.decay_steps))


@dataclass(frozen=True)
class Refined:
    """A refined pose.

    Attributes:
        cam_from_world: float64 [4, 4].
        loss: mean loss of the last tenth of the steps; of a descent with patience, the best one.
        losses: of every step.
    """

    cam_from_world: Float64
    loss: float
    losses: list[float] = field(default_factory=list)


def descend(
    start: Float64,
    loss: PoseLoss,
    schedule: Descent,
    centre: Float64,
    unit: float,
    seed: int = 0,
    device: str = "cpu",
) -> Refined:
    """Follow the gradient of ``loss`` from the pose ``start`` [4, 4].

    Args:
        start: ``cam_from_world`` to begin at.
        loss: see :data:`PoseLoss`.
        schedule: steps and rates.
        centre: [3], world coordinates of the point that the object turns about.
        unit: scene units of one unit of translation; the papers' cameras are 4 of them away.
        seed: of the motion's start.
        device: of the loss.

    Raises:
        PoseError: the loss or the pose is not finite, or the object left the picture, so that no gradient is left.
    """
    begin = torch.as_tensor(start, dtype=torch.float32, device=device)
    motion = ScrewMotion(torch.as_tensor(centre, dtype=torch.float32, device=device), unit, seed)
    adam = torch.optim.Adam(motion.parameters(), lr=schedule.rate)
    losses: list[float] = []
    best, best_step, best_motion = math.inf, 0, torch.eye(4, device=device)
    for step in range(schedule.steps):
        adam.param_groups[0]["lr"] = schedule.rate_at(step)
        moved = motion()
        value = loss(begin @ moved, step)
        losses.append(float(value.detach()))
        if not math.isfinite(losses[-1]):
            raise PoseError(f"the refinement diverged in step {step}: its loss is {losses[-1]}")
        if schedule.patience:
            if losses[-1] < best * (1.0 - schedule.least_gain):
                best, best_step, best_motion = losses[-1], step, moved.detach()
            elif step - best_step >= schedule.patience:
                break
        adam.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        adam.step()
    with torch.no_grad():
        last_motion = best_motion if schedule.patience else motion()
    pose = start @ last_motion.double().cpu().numpy()
    if not is_rigid(pose):
        raise PoseError("the refinement left the rigid motions: its pose is not finite")
    if schedule.patience and losses:
        return Refined(pose, best, losses)
    last = losses[-max(1, len(losses) // 10) :]
    return Refined(pose, sum(last) / len(last) if last else math.nan, losses)


def splat_loss(
    gaussians: Gaussians,
    photo: Tensor,
    camera: Camera,
    background: Tensor,
    compare: Callable[[Tensor, Tensor], Tensor],
) -> PoseLoss:
    """SplatPose's loss: the whole picture of the Gaussians against ``photo`` [H, W, 3].

    SplatPose moves the Gaussians and keeps the camera. Moving them by M and looking through the camera C draws what
    looking at the unmoved ones through C M draws (for colours that do not depend on the direction), with the same
    gradient in M; so the motion goes into the camera, and no Gaussian is copied.
    """
    frozen = gaussians.detached()

    def loss(cam_from_world: Tensor, step: int) -> Tensor:
        return compare(render(frozen, cam_from_world, camera, background).colour, photo)

    return loss


RayRenderer = Callable[[Tensor, Tensor], Tensor]
"""Colours [R, 3] of rays: origins [R, 3] and unit directions [R, 3], both in world coordinates; differentiable."""


def camera_rays(cam_from_world: Tensor, camera: Camera, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """World origins [R, 3] and unit directions [R, 3] through ``pixels`` [R, 2] (x, y; centres at 0.5)."""
    rotation = cam_from_world[:3, :3]
    x = (pixels[:, 0] - camera.cx) / camera.fx
    y = (pixels[:, 1] - camera.cy) / camera.fy
    directions = torch.nn.functional.normalize(torch.stack([x, y, torch.ones_like(x)], dim=1), dim=1) @ rotation
    origin = -(rotation.T @ cam_from_world[:3, 3])
    return origin.expand_as(directions), directions


def ray_loss(rays: RayRenderer, photo: Tensor, camera: Camera, pixels: Tensor, count: int, seed: int = 0) -> PoseLoss:
    """iNeRF's loss: mean squared colour error of ``count`` random rays of ``pixels``, drawn anew in every step.

    Args:
        rays: the renderer.
        photo: [H, W, 3].
        camera: of the photo.
        pixels: int64 [M, 2], x and y of the pixels that are drawn from: the interest region.
        count: rays of a step.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)

    def loss(cam_from_world: Tensor, step: int) -> Tensor:
        chosen = pixels[torch.randperm(len(pixels), generator=generator)[:count].to(pixels.device)]
        origins, directions = camera_rays(cam_from_world, camera, chosen.to(photo.dtype) + 0.5)
        error = rays(origins, directions) - photo[chosen[:, 1], chosen[:, 0]]
        return (error * error).mean()

    return loss
