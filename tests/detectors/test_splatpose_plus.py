"""SplatPose+: a pose from points, the map step by step, what has no pose, and what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from paad.detectors.modelfile import read_model
from paad.detectors.splatpose_plus import SplatPosePlus
from paad.errors import DataError, MissingDependencyError, UsageError
from paad.geometry.se3 import rotation_error_deg, translation_error_relative
from paad.pose import absolute
from paad.pose.absolute import locate_camera
from paad.pose.local_features import find_features
from paad.pose.structure import correspondences
from paad.types import PosedView
from toy import CAMERA, SIZE, photograph, pose_from, toy_gaussians

MIDDLE = np.array([0.48, -0.6, 0.64])
OPTIONS = {"weights": "random", "steps": 120, "gaussians": 4000, "sh_degree": 0, "side": 96, "retrieval_side": 96}


def _poses() -> list[np.ndarray]:
    across = np.cross(MIDDLE, [0.0, 0.0, 1.0])
    up = np.cross(across, MIDDLE)
    steps = np.radians([-20.0, -7.0, 7.0, 20.0])
    return [pose_from((d := MIDDLE + a * across + b * up) / np.linalg.norm(d)) for a in steps for b in steps]


@pytest.fixture(scope="module")
def views() -> list[PosedView]:
    toy = toy_gaussians()
    return [PosedView(f"{i}.png", *photograph(toy, p), CAMERA, p) for i, p in enumerate(_poses())]


@pytest.fixture(scope="module")
def fitted(views: list[PosedView]) -> SplatPosePlus:
    detector = SplatPosePlus("cpu", **OPTIONS)
    detector.fit(views)
    return detector


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return photograph(toy_gaussians(), pose_from(MIDDLE, roll_deg=6.0))[0]


def test_finds_the_pose_and_marks_a_stain(fitted: SplatPosePlus, photo: np.ndarray) -> None:
    good = fitted.predict(photo)
    truth = pose_from(MIDDLE, roll_deg=6.0)
    assert good.cam_from_world is not None
    assert rotation_error_deg(good.cam_from_world, truth) < 1.5
    assert translation_error_relative(good.cam_from_world, truth, np.zeros(3)) < 0.03
    stained = photo.copy()
    stained[48:60, 50:62] = [250, 0, 250]
    bad = fitted.predict(stained)
    assert bad.score > 1.3 * good.score
    y, x = np.unravel_index(int(bad.map.argmax()), bad.map.shape)
    assert 42 < y < 66
    assert 44 < x < 68
    assert good.reference is not None
    assert np.abs(good.reference - photo / 255.0).mean() < 0.05
    assert set(good.seconds) >= {"coarse", "fine", "pose", "render", "score", "total"}


def test_agrees_with_the_method_step_by_step(fitted: SplatPosePlus, photo: np.ndarray) -> None:
    image = photo.astype(np.float32) / np.float32(255)
    found = fitted.predict(photo)
    # 1: rank the training views, match the ten best, PnP
    order = fitted.gallery.ranker.rank(image).order[:10]
    mask = np.abs(image - 1).max(axis=2) > 0.004
    own = find_features(image, mask.astype(np.float32), 400, 2.0)
    pixels, xyz = correspondences(fitted.structure, own, order.tolist(), 0.85)
    pose = locate_camera(pixels, xyz, CAMERA, 3.0).cam_from_world
    assert found.cam_from_world is not None
    assert rotation_error_deg(found.cam_from_world, pose) < 0.6  # the mask of the photo is estimated there
    # 2: the reference at that pose, and every stage side by side with the colours
    reference = fitted.field.draw(found.cam_from_world, CAMERA).colour.clip(0, 1)
    pair = torch.from_numpy(np.stack([image, reference]).transpose(0, 3, 1, 2)).float()
    pair = torch.from_numpy(
        np.stack([_resized(p, 96) for p in pair.numpy().transpose(0, 2, 3, 1)]).transpose(0, 3, 1, 2)
    )
    with torch.inference_mode():
        stages = [pair, *fitted.net(pair).values()]
        stages = [functional.interpolate(s, (96, 96), mode="bilinear", align_corners=False) for s in stages]
    beside = torch.cat(stages, dim=1).numpy()
    length = np.sqrt(((beside[0] - beside[1]) ** 2).sum(axis=0))
    # 3: smoothed, its maximum
    smooth = gaussian_filter(length, 4.0, mode="reflect", truncate=4.0)
    assert found.score == pytest.approx(float(smooth.max()), rel=1e-3)
    assert found.map.shape == (SIZE, SIZE)
    assert np.allclose(found.map, _enlarged(smooth), rtol=2e-3, atol=2e-3 * smooth.max())


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    import cv2

    return cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=cv2.INTER_AREA)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(picture.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("what", ["empty", "noise", "constant"])
def test_a_photo_without_the_object_is_unknown(fitted: SplatPosePlus, what: str) -> None:
    image = {
        "empty": np.full((SIZE, SIZE, 3), 255, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8),
        "constant": np.full((SIZE, SIZE, 3), 90, np.uint8),
    }[what]
    found = fitted.predict(image)
    assert found.status == "unknown"
    assert np.isnan(found.score)
    assert found.cam_from_world is None
    assert found.reference is None
    assert found.message
    assert found.map.shape == (SIZE, SIZE)


def test_saved_and_loaded_says_the_same(fitted: SplatPosePlus, photo: np.ndarray, tmp_path: Path) -> None:
    again = SplatPosePlus.from_state(*read_model(fitted.save(tmp_path / "m.paad")), device="cpu")
    one, two = fitted.predict(photo), again.predict(photo)
    assert one.score == pytest.approx(two.score, rel=1e-4)
    assert np.allclose(one.cam_from_world, two.cam_from_world, atol=1e-4)


def test_photos_of_other_sizes(fitted: SplatPosePlus) -> None:
    large, _ = photograph(toy_gaussians(), pose_from(MIDDLE), CAMERA.scaled(2.0))
    found = fitted.predict(large)
    assert found.map.shape == large.shape[:2]
    assert found.cam_from_world is not None
    assert rotation_error_deg(found.cam_from_world, pose_from(MIDDLE)) < 2.0


def test_learned_descriptors(views: list[PosedView], photo: np.ndarray, tmp_path: Path) -> None:
    detector = SplatPosePlus("cpu", **OPTIONS, features="bricknet", feature_weights="random")
    detector.fit(views)
    found = detector.predict(photo)
    assert detector.structure.descriptors.shape[1] == sum(detector._describer.channels.values())  # type: ignore[union-attr]
    assert found.cam_from_world is not None
    assert rotation_error_deg(found.cam_from_world, pose_from(MIDDLE, roll_deg=6.0)) < 4.0
    with pytest.raises(MissingDependencyError, match="paad weights fetch resnet18"):
        SplatPosePlus("cpu", **OPTIONS, features="resnet18", feature_weights=None)


def test_what_is_refused(views: list[PosedView], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not fitted"):
        SplatPosePlus("cpu", **OPTIONS).predict(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="1 training views"):
        SplatPosePlus("cpu", **OPTIONS).fit(views[:1])
    with pytest.raises(UsageError, match="solver"):
        SplatPosePlus("cpu", solver="ceres")
    monkeypatch.setattr(absolute, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'paad\[sfm\]'"):
        SplatPosePlus("cpu", preset="paper")
    assert SplatPosePlus("cpu")._solver == "opencv"
