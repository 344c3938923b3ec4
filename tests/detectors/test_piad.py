"""PIAD: a pose on reflectance, an early stop, the product of two maps step by step, and a changed light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from paad.detectors.modelfile import read_model
from paad.detectors.piad import Piad
from paad.errors import DataError, UsageError
from paad.fields.losses import photometric_loss
from paad.geometry.se3 import rotation_error_deg
from paad.pose.photometric import Descent, descend
from paad.types import PosedView
from toy import CAMERA, SIZE, photograph, pose_from, toy_gaussians

MIDDLE = np.array([0.48, -0.6, 0.64])
OPTIONS = {
    "weights": "random",
    "steps": 150,
    "paint_steps": 40,
    "gaussians": 4000,
    "pose_steps": 50,
    "side": 96,
    "retrieval_side": 96,
}


@pytest.fixture(scope="module")
def fitted() -> Piad:
    toy = toy_gaussians()
    across = np.cross(MIDDLE, [0.0, 0.0, 1.0])
    up = np.cross(across, MIDDLE)
    steps = np.radians([-20.0, -7.0, 7.0, 20.0])
    poses = [pose_from((d := MIDDLE + a * across + b * up) / np.linalg.norm(d)) for a in steps for b in steps]
    detector = Piad("cpu", **OPTIONS)
    detector.fit([PosedView(f"{i}.png", *photograph(toy, p), CAMERA, p) for i, p in enumerate(poses)])
    return detector


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return photograph(toy_gaussians(), pose_from(MIDDLE))[0]


def _shaded(photo: np.ndarray) -> np.ndarray:
    """The photo's object under a light that falls off from left to right; the white ground stays."""
    light = np.linspace(1.05, 0.55, SIZE)[None, :, None]
    ground = (photo.min(axis=2) > 252)[..., None]
    return np.where(ground, photo, np.clip(photo * light, 0, 255)).astype(np.uint8)


def test_early_stop_ends_at_the_best_pose() -> None:
    """The loss is the distance of the camera from a target, which Adam reaches in some 20 steps of 0.01."""
    start, target = pose_from(MIDDLE), pose_from(MIDDLE)
    target[0, 3] += 0.2

    def loss(pose: Tensor, step: int) -> Tensor:
        return (pose[:3, 3] - torch.as_tensor(target[:3, 3], dtype=torch.float32)).norm()

    schedule = Descent(steps=100, rate=0.01, patience=6, least_gain=0.001)
    found = descend(start, loss, schedule, np.zeros(3), 1.0)
    best = int(np.argmin(found.losses))
    assert 6 < len(found.losses) < 90
    assert found.loss <= min(found.losses) / (1.0 - 0.001)
    assert len(found.losses) - 1 - best <= 6
    assert float(loss(torch.as_tensor(found.cam_from_world, dtype=torch.float32), 0)) == pytest.approx(
        found.loss, abs=1e-5
    )
    assert len(descend(start, loss, replace(schedule, patience=0), np.zeros(3), 1.0).losses) == 100
    flat = descend(start, lambda pose, step: pose.sum() * 0.0 + 1.0, schedule, np.zeros(3), 1.0)
    assert len(flat.losses) == 7
    assert np.allclose(flat.cam_from_world, start, atol=1e-6)


def test_the_loss_is_six_parts_absolute_and_four_structural() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(20, 20, 3, generator=generator) for _ in range(2))
    absolute, whole = photometric_loss(a, b, 0.0), photometric_loss(a, b, 1.0)
    assert float(photometric_loss(a, b, Piad("cpu").config.ssim)) == pytest.approx(float(0.6 * absolute + 0.4 * whole))


def test_finds_the_pose_and_marks_a_stain(fitted: Piad, photo: np.ndarray) -> None:
    good = fitted.predict(photo)
    assert good.cam_from_world is not None
    assert rotation_error_deg(good.cam_from_world, pose_from(MIDDLE)) < 2.0
    assert rotation_error_deg(good.extra["coarse_pose"], pose_from(MIDDLE)) > 3.0
    stained = photo.copy()
    stained[48:60, 50:62] = [250, 0, 250]
    bad = fitted.predict(stained)
    assert bad.score > 1.5 * good.score
    y, x = np.unravel_index(int(bad.map.argmax()), bad.map.shape)
    assert 42 < y < 66
    assert 44 < x < 68
    assert good.seconds["total"] >= good.seconds["retinex"] > 0


def test_another_light_keeps_the_pose_and_raises_the_score_little(fitted: Piad, photo: np.ndarray) -> None:
    lit, plain = fitted.predict(_shaded(photo)), fitted.predict(photo)
    assert lit.cam_from_world is not None
    assert rotation_error_deg(lit.cam_from_world, pose_from(MIDDLE)) < 3.0
    object_ = photo.min(axis=2) < 250
    before = np.abs(_shaded(photo) / 255.0 - photo / 255.0)[object_].mean()
    after = np.abs(lit.extra["reflectance"] - plain.extra["reflectance"])[object_].mean()
    assert after < 0.6 * before


def test_agrees_with_the_method_step_by_step(fitted: Piad, photo: np.ndarray) -> None:
    found = fitted.predict(photo)
    pose = found.cam_from_world
    assert pose is not None
    image = photo.astype(np.float32) / np.float32(255)
    colour = _difference(fitted, image, fitted.field.draw(pose, CAMERA).colour)
    paint = _difference(fitted, found.extra["reflectance"], fitted.paint_field.draw(pose, CAMERA).colour)
    smooth = gaussian_filter(colour * paint, 4.0, mode="reflect", truncate=4.0)
    assert found.score == pytest.approx(float(smooth.max()), rel=1e-3)
    full = cv2.resize(smooth.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    assert np.allclose(found.map, full, rtol=2e-3, atol=2e-3 * smooth.max())


def _difference(fitted: Piad, query: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Length of the difference of all stages, enlarged first and put side by side."""
    pair = [cv2.resize(p.clip(0, 1), (96, 96), interpolation=cv2.INTER_AREA) for p in (query, reference)]
    batch = torch.from_numpy(np.stack(pair).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        stages = [batch, *fitted.net(batch).values()]
        stages = [functional.interpolate(s, (96, 96), mode="bilinear", align_corners=False) for s in stages]
    beside = torch.cat(stages, dim=1).numpy()
    return np.sqrt(((beside[0] - beside[1]) ** 2).sum(axis=0))


@pytest.mark.parametrize("shade", [255, 90])
def test_a_photo_without_the_object_is_unknown(fitted: Piad, shade: int) -> None:
    found = fitted.predict(np.full((SIZE, SIZE, 3), shade, np.uint8))
    assert found.status == "unknown"
    assert np.isnan(found.score)
    assert found.cam_from_world is None
    assert found.message


def test_a_scene_without_masks(fitted: Piad, photo: np.ndarray) -> None:
    poses = [pose_from(d / np.linalg.norm(d)) for d in MIDDLE + 0.2 * np.eye(3)]
    views = [PosedView("v.png", photograph(toy_gaussians(), p)[0], None, CAMERA, p) for p in poses]
    detector = Piad("cpu", **{**OPTIONS, "steps": 40, "pose_steps": 3})
    detector.fit(views)
    assert not detector.field.bounded
    assert np.isfinite(detector.predict(photo).score)
    assert detector.predict(np.full((40, 30, 3), 255, np.uint8)).status == "unknown"


def test_saved_and_loaded_says_the_same(fitted: Piad, photo: np.ndarray, tmp_path: Path) -> None:
    again = Piad.from_state(*read_model(fitted.save(tmp_path / "m.paad")), device="cpu")
    one, two = fitted.predict(photo), again.predict(photo)
    assert one.score == pytest.approx(two.score, rel=1e-4)
    assert np.allclose(one.cam_from_world, two.cam_from_world, atol=1e-4)


def test_what_is_refused(photo: np.ndarray) -> None:
    with pytest.raises(UsageError, match="not fitted"):
        Piad("cpu", weights="random").predict(photo)
    with pytest.raises(UsageError, match="retinex_size"):
        Piad("cpu", retinex_size=3)
    view = PosedView("0.png", photo, None, CAMERA, pose_from(MIDDLE))
    with pytest.raises(DataError, match="1 training views"):
        Piad("cpu", weights="random").fit([view])
