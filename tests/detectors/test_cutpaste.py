"""CutPaste: the geometry of its augmentations, its covariance against scikit-learn's, its map against autograd."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from flow_reference import wave

from paad.detectors.cutpaste import CutPaste, grad_cam, shrunk_covariance
from paad.detectors.cutpaste_augment import cut_paste, cut_paste_scar, jittered, shifted
from paad.errors import UsageError


def _ramp(height: int, width: int) -> np.ndarray:
    """A photo whose pixels tell their place."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([y / height, x / width, np.full_like(x, 0.5)], 2)


def test_a_pasted_rectangle_is_a_piece_of_the_photo() -> None:
    image, rng = _ramp(100, 140), np.random.default_rng(0)
    areas, aspects = [], []
    for _ in range(60):
        made = cut_paste(image, rng, jitter=0.0)
        changed = np.abs(made - image).max(2) > 1e-6
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if len(rows) == 0:  # pasted where it was cut
            continue
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        moved = made[box] - image[box]
        assert np.ptp(moved[..., 0]) < 1e-4  # all of it by the same way
        assert np.ptp(moved[..., 1]) < 1e-4
        areas.append(moved[..., 0].size / (100 * 140))
        aspects.append(moved.shape[1] / moved.shape[0])
    assert min(areas) > 0.017
    assert max(areas) < 0.155
    assert min(aspects) < 0.6
    assert max(aspects) > 1.8
    assert min(aspects) > 0.27
    assert max(aspects) < 3.6


def test_a_scar_is_thin_and_turned() -> None:
    image, rng = np.random.default_rng(0).random((256, 256, 3)).astype(np.float32), np.random.default_rng(1)
    angles = []
    for _ in range(60):
        changed = np.abs(cut_paste_scar(image, rng) - image).max(2) > 1e-6
        points = np.argwhere(changed)[:, ::-1].astype(np.float32)
        (_, _), sides, _ = cv2.minAreaRect(points)
        assert min(sides) < 17
        assert max(sides) < 28
        assert changed.sum() < 16 * 25 * 1.15
        spread = np.linalg.eigh(np.cov(points.T))[1][:, 1]
        angles.append(abs(np.degrees(np.arctan2(spread[0], spread[1]))))
    assert np.ptp([min(a, 180 - a) for a in angles]) > 30


def test_jitter_keeps_grey_grey_and_nothing_at_strength_0() -> None:
    grey = np.full((4, 4, 3), 0.4, np.float32)
    made = jittered(grey, np.random.default_rng(0), 0.1)
    assert np.ptp(made) < 1e-6
    assert 0.35 < made.mean() < 0.45
    image = _ramp(8, 8)
    np.testing.assert_allclose(jittered(image, np.random.default_rng(0), 0.0), image, atol=1e-6)
    assert np.abs(jittered(image, np.random.default_rng(0), 0.1) - image).max() > 0.02


def test_a_shift_moves_whole_pixels() -> None:
    image = _ramp(50, 50)
    made = shifted(image, np.random.default_rng(3))
    moved = (made - image)[10:40, 10:40]
    assert np.ptp(moved[..., :2], axis=(0, 1)).max() < 1e-6
    assert 0 < np.abs(moved).max() <= 0.0401


@pytest.mark.parametrize("shape", [(40, 12), (10, 30)])
def test_covariance_is_scikit_learns(shape: tuple[int, int]) -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    rng = np.random.default_rng(0)
    points = rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1]))
    found = shrunk_covariance(torch.from_numpy(points))
    np.testing.assert_allclose(found, covariance.LedoitWolf().fit(points).covariance_, rtol=1e-6, atol=1e-9)


def test_covariance_of_equal_points() -> None:
    assert shrunk_covariance(torch.ones(3, 4, dtype=torch.float64)).abs().max() == 0.0


def test_the_map_is_grad_cam() -> None:
    """The closed form equals max(0, sum of features times the mean over positions of the score's gradient)."""
    features = wave(2, 5, 3, 4, step=0.37).requires_grad_()
    half = wave(5, 5, step=0.9)
    precision, mean = half @ half.T, wave(5, step=0.3)
    offset = features.mean((2, 3)) - mean
    score = ((offset @ precision) * offset).sum()
    weights = torch.autograd.grad(score, features)[0].mean((2, 3))
    expected = (weights[:, :, None, None] * features).sum(1).clamp(min=0.0) * 1.0
    found = grad_cam(features, offset, precision)
    np.testing.assert_allclose(found.detach(), expected.detach(), atol=1e-5)


def test_the_classifier_learns_and_freezing_keeps_the_network() -> None:
    rng = np.random.default_rng(0)
    photos = [SimpleNamespace(image=np.kron(rng.integers(0, 255, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8))]
    options = {"device": "cpu", "weights": "random", "size": 48, "layer": "layer1", "blur": 1.0, "batch": 2}
    frozen, moved = (
        dict(CutPaste(steps=3, frozen_steps=n, **options).fit(photos).fitted().backbone.state_dict()) for n in (3, 0)
    )
    fresh = CutPaste(**options).build("random").backbone.state_dict()
    assert all(torch.equal(frozen[k], fresh[k]) for k in fresh)
    assert not all(torch.equal(moved[k], fresh[k]) for k in fresh)


def test_ways_are_2_or_3() -> None:
    with pytest.raises(UsageError, match="ways 4"):
        CutPaste(device="cpu", ways=4).build("random")
