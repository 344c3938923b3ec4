"""Screws, losses, interest regions, and poses that descend to the truth from 10 degrees and 5 % away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paad.errors import PoseError
from paad.fields.losses import photometric_loss, ssim_torch, window_blur
from paad.fields.quality import ssim
from paad.geometry.se3 import rotation_error_deg, se3_exp, translation_error_relative
from paad.pose.interest import interest_region
from paad.pose.photometric import Descent, camera_rays, descend, ray_loss, splat_loss
from paad.pose.screw import ScrewMotion, twist_exp
from paad.render import Gaussians, render
from paad.render.twin import rotation_matrices
from paad.types import Float64
from toy import CAMERA, WHITE, photograph, pose_from, toy_gaussians

DIRECTION = np.array([0.5, -0.6, 0.62]) / np.linalg.norm([0.5, -0.6, 0.62])
DISTANCE = 2.6


def away(truth: Float64, seed: int) -> Float64:
    """A pose 10 degrees and 5 % of the distance away from ``truth``."""
    rng = np.random.default_rng(seed)
    axis, shift = rng.normal(size=3), rng.normal(size=3)
    twist = [*(axis * np.radians(10.0) / np.linalg.norm(axis)), *np.zeros(3)]
    out = truth @ se3_exp(twist)
    out[:3, 3] += shift * 0.05 * DISTANCE / np.linalg.norm(shift)
    return out


@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3, 0.02, 0.04, 1.0, 3.0])
def test_the_exponential_is_that_of_the_geometry_room(size: float) -> None:
    twist = size * np.array([0.3, -0.7, 0.4, 1.0, 0.2, -0.5])
    assert np.allclose(twist_exp(torch.tensor(twist)).numpy(), se3_exp(twist), atol=1e-9)
    assert torch.autograd.gradcheck(twist_exp, torch.tensor(twist, requires_grad=True))


def test_a_screw_turns_about_its_centre() -> None:
    centre = torch.tensor([1.0, 2.0, 3.0])
    motion = ScrewMotion(centre, 0.5)
    with torch.no_grad():
        motion.theta.fill_(2.0)
        motion.omega.copy_(torch.tensor([0.0, 0.0, 0.25]))
        motion.v.zero_()
        turn = motion()
        assert torch.allclose(turn[:3, :3] @ centre + turn[:3, 3], centre, atol=1e-6)
        assert rotation_error_deg(turn.double().numpy(), np.eye(4)) == pytest.approx(np.degrees(0.5), abs=1e-3)
        motion.omega.zero_()
        motion.v.copy_(torch.tensor([1.0, 0.0, 0.0]))
        assert motion()[:3, 3].tolist() == pytest.approx([1.0, 0.0, 0.0])  # theta * unit


def test_structural_similarity() -> None:
    rng = np.random.default_rng(0)
    a = rng.random((40, 48, 3)).astype(np.float32)
    b = np.clip(a + 0.2 * rng.normal(size=a.shape), 0, 1).astype(np.float32)
    x, y = torch.from_numpy(a).requires_grad_(True), torch.from_numpy(b)
    fast = ssim_torch(x, y)
    (slope,) = torch.autograd.grad(fast, x)
    wide = torch.from_numpy(a).double().requires_grad_(True)  # float64 takes the convolutions
    slow = ssim_torch(wide, y.double())
    (reference,) = torch.autograd.grad(slow, wide)
    assert float(fast.detach()) == pytest.approx(float(slow.detach()), abs=1e-5)
    assert torch.allclose(slope.double(), reference, atol=1e-6)
    assert float(fast.detach()) == pytest.approx(ssim(a, b), abs=0.02)  # which mirrors the rim
    assert float(ssim_torch(y, y)) == pytest.approx(1.0, abs=1e-5)
    assert float(window_blur(torch.ones(30, 30, 1))[15, 15, 0]) == pytest.approx(1.0)
    assert float(photometric_loss(x.detach(), y, 0.0)) == pytest.approx(float(np.abs(a - b).mean()), abs=1e-6)


def test_moving_the_gaussians_is_moving_the_camera() -> None:
    gaussians = toy_gaussians()
    pose = torch.from_numpy(pose_from(DIRECTION)).float()
    photo = torch.from_numpy(photograph(gaussians, pose_from(DIRECTION, roll_deg=4.0))[0] / np.float32(255))
    start = torch.tensor([0.03, -0.02, 0.05, 0.02, 0.01, -0.03])
    by_camera = start.clone().requires_grad_(True)
    splat_loss(gaussians, photo, CAMERA, WHITE, photometric_loss)(pose @ twist_exp(by_camera), 0).backward()
    by_bodies = start.clone().requires_grad_(True)
    motion = twist_exp(by_bodies)
    turned = motion[:3, :3] @ rotation_matrices(gaussians.quats)
    moved = Gaussians(
        gaussians.means @ motion[:3, :3].T + motion[:3, 3],
        torch.stack([_quaternion(r) for r in turned.detach()]),  # round blobs: their turn has no gradient
        gaussians.log_scales,
        gaussians.logit_opacities,
        gaussians.sh,
    )
    drawn = render(moved, pose, CAMERA, WHITE).colour
    photometric_loss(drawn, photo).backward()
    with torch.no_grad():
        same = render(gaussians, pose @ motion, CAMERA, WHITE).colour
    assert float((drawn - same).detach().abs().max()) < 2e-3
    assert by_camera.grad is not None
    assert by_bodies.grad is not None
    assert torch.allclose(by_camera.grad, by_bodies.grad, rtol=0.02, atol=1e-4)


def _quaternion(rotation: torch.Tensor) -> torch.Tensor:
    w = 0.5 * (1 + rotation.trace()).sqrt()
    r = rotation
    return torch.stack([w, (r[2, 1] - r[1, 2]) / (4 * w), (r[0, 2] - r[2, 0]) / (4 * w), (r[1, 0] - r[0, 1]) / (4 * w)])


@pytest.mark.parametrize("seed", [0, 3])
def test_splatpose_converges_from_10_degrees_and_5_percent(seed: int) -> None:
    gaussians, truth = toy_gaussians(), pose_from(DIRECTION, DISTANCE, roll_deg=20.0)
    photo = torch.from_numpy(photograph(gaussians, truth)[0] / np.float32(255))
    loss = splat_loss(gaussians, photo, CAMERA, WHITE, photometric_loss)
    found = descend(away(truth, seed), loss, Descent(steps=175), np.zeros(3), DISTANCE / 4, seed)
    assert rotation_error_deg(found.cam_from_world, truth) < 0.2
    assert translation_error_relative(found.cam_from_world, truth, np.zeros(3)) < 0.003
    assert found.loss < 0.1 * found.losses[0]


def test_inerf_converges_from_10_degrees_and_5_percent() -> None:
    """On a ball of smooth colours whose rays are known in closed form: what is tested is the descent, not a fit."""
    truth = pose_from(DIRECTION, DISTANCE, roll_deg=20.0)
    rows, columns = np.mgrid[: CAMERA.height, : CAMERA.width]
    pixels = torch.from_numpy(np.stack([columns.ravel(), rows.ravel()], axis=1))
    with torch.no_grad():
        rays = camera_rays(torch.from_numpy(truth).float(), CAMERA, pixels.float() + 0.5)
        photo = coloured_cloud(*rays).reshape(CAMERA.height, CAMERA.width, 3)
    loss = ray_loss(coloured_cloud, photo, CAMERA, pixels, 512)
    found = descend(away(truth, 1), loss, Descent(steps=200), np.zeros(3), DISTANCE / 4)
    assert rotation_error_deg(found.cam_from_world, truth) < 0.5
    assert translation_error_relative(found.cam_from_world, truth, np.zeros(3)) < 0.01


def coloured_cloud(origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Colours [R, 3] of rays through three soft balls, by composited samples."""
    from paad.fields.nerf import composite

    depths = (torch.arange(32) + 0.5) / 32 * 2.4 + DISTANCE - 1.2
    points = origins[:, None] + depths[:, None] * directions[:, None]
    centres = torch.tensor([[0.4, 0.1, 0.0], [-0.3, 0.4, 0.2], [0.0, -0.4, -0.3]])
    near = torch.exp(-12.0 * ((points[:, :, None] - centres) ** 2).sum(dim=-1))
    density = 25.0 * near.sum(dim=-1)
    rgb = (near[..., None] * torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.8, 0.2], [0.1, 0.2, 0.9]])).sum(dim=2)
    rgb = rgb / near.sum(dim=-1, keepdim=True).clamp_min(1e-6)
    far = torch.full((len(origins),), float(DISTANCE + 1.2))
    return composite(density, rgb, depths.expand(len(origins), 32), far, torch.ones(3)).colour


def test_the_rate_falls_by_a_fifth_every_hundred_steps() -> None:
    schedule = Descent()
    assert [schedule.rate_at(k) for k in (0, 100, 250)] == pytest.approx([0.01, 0.008, 0.01 * 0.8**2.5])


def test_a_loss_that_is_not_finite_is_a_failed_pose() -> None:
    with pytest.raises(PoseError, match="diverged"):
        descend(np.eye(4), lambda pose, step: pose.sum() * float("nan"), Descent(steps=3), np.zeros(3), 1.0)


def test_rays_go_through_their_pixels() -> None:
    pose = pose_from(DIRECTION)
    pixels = torch.tensor([[10.5, 20.5], [100.5, 3.5]])
    origins, directions = camera_rays(torch.from_numpy(pose), CAMERA, pixels.double())
    uv, depth = CAMERA.project((origins + 1.7 * directions).numpy(), pose)
    assert np.allclose(uv, pixels.numpy(), atol=1e-6)
    assert (depth > 0).all()


def test_interest_regions_lie_around_texture() -> None:
    photo = np.ones((96, 96, 3), np.float32)
    photo[30:50, 30:50] = np.random.default_rng(0).random((20, 20, 3)) > 0.5
    region = interest_region(photo)
    assert region[35:45, 35:45].all()
    assert not region[:, 75:].any()
    assert interest_region(photo, dilations=1).sum() < region.sum()
    assert interest_region(np.full((96, 96, 3), 0.5, np.float32)).all()
    mask = np.zeros((96, 96), np.float32)
    mask[60:80, 60:80] = 1.0
    assert interest_region(photo, mask)[65, 65]
    assert not interest_region(photo, mask)[40, 40]
