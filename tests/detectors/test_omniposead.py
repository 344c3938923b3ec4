"""OmniposeAD end to end on a small toy; its NeRF and iNeRF have tests of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paad
from paad.detectors.omniposead import nerf_config
from paad.fields.nerf_field import picture_rays
from paad.geometry.se3 import rotation_error_deg
from toy import CAMERA, SIZE, photograph, pose_from, posed_views, toy_gaussians

OPTIONS: dict[str, Any] = {
    "depth": 3, "width": 48, "coarse_width": 32, "coarse_samples": 16, "fine_samples": 8, "frequencies": 5,
    "steps": 150, "rays": 256, "rate": 1e-2, "rate_end": 2e-3, "pose_steps": 80, "pose_rays": 128, "side": 96,
    "retrieval_side": 96, "weights": "random",
}  # fmt: skip
DIRECTION = np.array([0.55, -0.5, 0.67]) / np.linalg.norm([0.55, -0.5, 0.67])


@pytest.fixture(scope="module")
def detector() -> Any:
    return paad.create("omniposead", device="cpu", **OPTIONS).fit(posed_views(toy_gaussians(), spacing_deg=45.0))


def test_it_finds_the_pose_and_draws_the_reference(detector: Any, tmp_path: Path) -> None:
    truth = pose_from(DIRECTION)
    good = photograph(toy_gaussians(), truth)[0]
    result = detector.predict(good)
    coarse = rotation_error_deg(result.extra["coarse_pose"], truth)
    assert rotation_error_deg(result.cam_from_world, truth) < 0.5 * coarse
    assert result.map.shape == (SIZE, SIZE)
    blank = np.abs(good / 255.0 - 1.0).mean()
    assert np.abs(result.reference - good / 255.0).mean() < 0.5 * blank
    assert np.isfinite(result.score)
    again = paad.load(detector.save(tmp_path / "o.paad"), device="cpu")
    assert again.predict(good).score == result.score
    assert again.field.hull.size == detector.field.hull.size


def test_an_empty_photo_has_no_verdict(detector: Any) -> None:
    result = detector.predict(np.full((SIZE, SIZE, 3), 255, np.uint8))
    assert result.status == "unknown"
    assert np.isnan(result.score)


def test_rays_and_pictures_agree(detector: Any) -> None:
    field, view = detector.field, pose_from(DIRECTION)
    origins, directions = picture_rays(view, CAMERA)
    drawn = field.draw(view, CAMERA).reshape(-1, 3)
    chosen = np.arange(0, len(drawn), 501)
    assert np.allclose(field.colours(origins[chosen], directions[chosen]).numpy(), drawn[chosen], atol=1e-5)


def test_the_paper_preset_is_the_papers() -> None:
    config = paad.create("omniposead", device="cpu", preset="paper").config
    nerf = nerf_config(config)
    assert (nerf.depth, nerf.width, nerf.skip, nerf.frequencies, nerf.view_frequencies) == (8, 256, 4, 10, 4)
    assert (nerf.coarse_samples, nerf.fine_samples, nerf.both, nerf.in_hull) == (64, 64, True, False)
    assert (config.pose_steps, config.pose_rays, config.pose_rate, config.dilations) == (300, 3072, 0.01, 3)
    assert (config.backbone, config.side, config.sigma_px) == ("efficientnet_b4", 224, 4.0)
