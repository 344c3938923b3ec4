"""SplatPose, and with it the frame it shares with OmniposeAD: retrieval, refinement, map, failures, the model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import paad
from paad.compare.feature_maps import FeatureScore, compare_features, score_and_map, smoothed
from paad.errors import DataError, MissingDependencyError, ModelFileError, UsageError
from paad.geometry.se3 import rotation_error_deg
from paad.pose.retrieval import FeatureRanker, SiftRanker, global_descriptor, grey_thumbnails
from toy import CAMERA, SIZE, photograph, pose_from, posed_views, toy_gaussians

OPTIONS: dict[str, Any] = {
    "steps": 150, "gaussians": 4000, "pose_steps": 80, "side": 96, "retrieval_side": 96, "weights": "random",
    "sigma_px": 2.0,
}  # fmt: skip
DIRECTION = np.array([0.55, -0.5, 0.67]) / np.linalg.norm([0.55, -0.5, 0.67])


@pytest.fixture(scope="module")
def detector() -> Any:
    torch.manual_seed(0)
    return paad.create("splatpose", device="cpu", **OPTIONS).fit(posed_views(toy_gaussians(), spacing_deg=32.0))


@pytest.fixture(scope="module")
def good() -> np.ndarray:
    return photograph(toy_gaussians(), pose_from(DIRECTION))[0]


def test_it_finds_the_pose_and_marks_the_stain(detector: Any, good: np.ndarray) -> None:
    stained = good.copy()
    stained[50:60, 50:60] = (10, 240, 10)
    clean, dirty = detector.predict(good), detector.predict(stained)
    for result in (clean, dirty):
        assert rotation_error_deg(result.cam_from_world, pose_from(DIRECTION)) < 1.0
        assert result.map.shape == (SIZE, SIZE)
        assert result.map.dtype == np.float32
        assert result.reference.shape == (SIZE, SIZE, 3)
        assert result.status is None
        assert set(result.seconds) == {"coarse", "fine", "pose", "render", "score", "total"}
    assert dirty.score > clean.score
    row, column = np.unravel_index((dirty.map - clean.map).argmax(), dirty.map.shape)
    assert 45 <= row <= 65
    assert 45 <= column <= 65


def test_map_and_score_step_by_step(detector: Any, good: np.ndarray) -> None:
    """Nothing but loops over stages and plain resizing: what the fast path must equal."""
    result = detector.predict(good)
    drawn = detector.field.render(result.cam_from_world, CAMERA).colour.numpy().clip(0, 1)
    pair = [cv2.resize(p, (96, 96), interpolation=cv2.INTER_AREA) for p in (good / np.float32(255), drawn)]
    query, reference = (torch.from_numpy(p.transpose(2, 0, 1))[None] for p in pair)
    stacks = []
    for picture in (query, reference):
        maps = [picture]
        with torch.no_grad():
            for stage in detector.net(picture).values():
                maps.append(torch.nn.functional.interpolate(stage, size=(96, 96), mode="bilinear"))
        stacks.append(torch.cat(maps, dim=1)[0])
    length = (stacks[0] - stacks[1]).norm(dim=0).numpy()
    taps = np.exp(-0.5 * (np.arange(-8, 9) / 2.0) ** 2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    padded = np.pad(length, 8, mode="symmetric")
    blurred = np.array([[(padded[r : r + 17, c : c + 17] * kernel).sum() for c in range(96)] for r in range(96)])
    assert result.score == pytest.approx(float(blurred.max()), rel=1e-3)
    assert np.allclose(result.map, cv2.resize(blurred.astype(np.float32), (SIZE, SIZE)), rtol=1e-2, atol=1e-3)


def test_a_frozen_map() -> None:
    """Two stages of a network that is written out: the map's values are known."""

    def net(images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"a": 2.0 * images[:, :1], "b": torch.nn.functional.avg_pool2d(images, 2)}

    a, b = np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.float32)
    a[0, 0, 0] = 1.0
    score, anomaly = compare_features(net, a, b, FeatureScore(side=4, sigma_px=0.0))
    assert score == pytest.approx(np.sqrt(1.0 + 4.0 + 0.25**2), abs=1e-6)  # colour, stage a, stage b
    assert anomaly[3, 3] == 0.0
    assert anomaly[0, 1] == pytest.approx(0.75 * 0.25, abs=1e-6)  # bilinear: only stage b reaches there
    assert compare_features(net, a, b, FeatureScore(4, 0.0, with_rgb=False))[0] == pytest.approx(np.sqrt(4 + 0.0625))
    with pytest.raises(DataError, match="finite"):
        compare_features(net, a * np.nan, b, FeatureScore(side=4))


def test_smoothing_keeps_a_constant_and_the_score_is_its_maximum() -> None:
    assert np.allclose(smoothed(np.full((40, 40), 0.3, np.float32), 4.0), 0.3, atol=1e-6)
    spike = np.zeros((64, 64), np.float32)
    spike[32, 32] = 1.0
    score, anomaly = score_and_map(spike, FeatureScore(64, 4.0), 128, 100)
    assert score == pytest.approx(1 / (2 * np.pi * 16), rel=0.01)
    assert anomaly.shape == (100, 128)


def test_a_saved_model_says_the_same(detector: Any, good: np.ndarray, tmp_path: Path) -> None:
    loaded = paad.load(detector.save(tmp_path / "m.paad"), device="cpu")
    a, b = detector.predict(good), loaded.predict(good)
    assert a.score == b.score
    assert np.array_equal(a.map, b.map)
    assert loaded.config == detector.config
    tensors, manifest = detector.state()
    with pytest.raises(ModelFileError, match="other weights"):
        type(detector).from_state(tensors, {**manifest, "network": "0" * 16}, device="cpu")


@pytest.mark.parametrize("what", ["white", "noise", "other"])
def test_a_photo_of_something_else_has_no_verdict(detector: Any, what: str) -> None:
    photos = {
        "white": np.full((SIZE, SIZE, 3), 255, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8),
        "other": np.full((SIZE, SIZE, 3), 255, np.uint8),
    }
    photos["other"][4:24, 80:108] = (200, 0, 0)
    result = detector.predict(photos[what])
    assert result.status == "unknown"
    assert np.isnan(result.score)
    assert result.cam_from_world is None
    assert not result.map.any()
    assert result.message


def test_photos_of_other_sizes_and_kinds(detector: Any, good: np.ndarray) -> None:
    large = cv2.resize(good, (200, 200), interpolation=cv2.INTER_CUBIC)
    result = detector.predict(large)
    assert result.map.shape == (200, 200)
    assert rotation_error_deg(result.cam_from_world, pose_from(DIRECTION)) < 2.0
    alpha = np.concatenate([good, (good.min(axis=2, keepdims=True) < 250).astype(np.uint8) * 255], axis=2)
    assert detector.predict(alpha).map.shape == (SIZE, SIZE)
    for wrong in (np.zeros((0, 5, 3), np.uint8), np.zeros((8, 8), np.uint8), np.full((SIZE, SIZE, 3), np.nan)):
        with pytest.raises(DataError):
            detector.predict(wrong)


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="stepz"):
        paad.create("splatpose", stepz=3)
    with pytest.raises(UsageError, match="not fitted"):
        paad.create("splatpose", device="cpu", weights="random").predict(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match="at least 3"):
        paad.create("splatpose", device="cpu", **OPTIONS).fit(posed_views(toy_gaussians(), 60.0)[:1])
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="cuda"):
            paad.create("splatpose", device="cuda")


def test_the_paper_preset_is_the_papers() -> None:
    config = paad.create("splatpose", device="cpu", preset="paper").config
    assert (config.pose_steps, config.pose_rate, config.ssim) == (175, 0.01, 0.2)
    assert (config.backbone, config.side, config.sigma_px, config.steps) == ("efficientnet_b4", 224, 4.0, 30_000)


def test_rankers_put_a_gallery_photo_first(detector: Any) -> None:
    photos = [v.image / np.float32(255) for v in posed_views(toy_gaussians(), 50.0)]
    by_features = FeatureRanker.of_photos(detector.net, photos, 96, 4)
    by_sift = SiftRanker.of_photos(photos)
    for i in (0, 7, 11):
        assert by_features.rank(photos[i]).order[0] == i
        assert by_sift.rank(photos[i]).order[0] == i
    again = SiftRanker.from_state(by_sift.state())
    assert again.rank(photos[5]).order[0] == 5
    assert not SiftRanker.of_photos(photos).rank(np.ones((SIZE, SIZE, 3), np.float32)).similarity.any()
    row = global_descriptor(detector.net(torch.rand(2, 3, 96, 96)), 3)
    assert torch.allclose(row.norm(dim=1), torch.ones(2), atol=1e-5)


def test_loftr_says_what_is_missing() -> None:
    from paad.pose.loftr import load_loftr

    try:
        import kornia  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"paad\[loftr\]"):
            load_loftr(None)
    assert grey_thumbnails([np.ones((9, 9, 3), np.float32)], 8).shape == (1, 8, 8)
    with pytest.raises(DataError, match="no views"):
        grey_thumbnails([], 8)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(detector: Any, good: np.ndarray, tmp_path: Path) -> None:
    on_gpu = paad.load(detector.save(tmp_path / "m.paad"), device="cuda").predict(good)
    on_cpu = detector.predict(good)
    assert rotation_error_deg(on_gpu.cam_from_world, on_cpu.cam_from_world) < 0.3
    assert on_gpu.score == pytest.approx(on_cpu.score, rel=0.1)
