"""Residuals, what is expected of them, calibration, regions."""

from __future__ import annotations

import numpy as np
import pytest

from paad.compare.calibration import calibrate
from paad.compare.expected import fit_expected
from paad.compare.regions import find_regions
from paad.compare.residual import residual_maps
from paad.errors import UsageError


def test_a_misplaced_edge_weighs_less_than_a_patch() -> None:
    picture = np.zeros((40, 40, 3), np.float32)
    picture[:, 20:] = 1.0
    shifted, stained = np.roll(picture, 1, axis=1), picture.copy()
    shifted[:, 0] = 0.0
    stained[18:23, 5:10] = 1.0
    edge, patch = (residual_maps(q, picture)[1].max() for q in (shifted, stained))
    assert patch > 2.0 * edge


def test_expected_residuals_recover_what_made_them() -> None:
    rng = np.random.default_rng(0)
    maps = [np.stack([np.ones((40, 40)), *rng.random((4, 40, 40))]).astype(np.float32) for _ in range(8)]
    features = [np.stack([f, f]) for f in maps]
    truth = np.sqrt([0.0004, 0.01, 0.0, 0.04, 0.0])
    residuals = []
    for f in maps:
        spread = np.sqrt(np.tensordot(truth**2, f**2, axes=1))
        residuals.append(np.abs(rng.normal(0, 1, (2, 40, 40)) * spread).astype(np.float32))
    expected = fit_expected(residuals, features)
    assert np.allclose(np.sqrt(expected.weights[0][[1, 3]]), truth[[1, 3]], atol=0.05)
    ratio = np.mean([(r**2).mean() / (expected(f) ** 2).mean() for r, f in zip(residuals, features, strict=True)])
    assert ratio == pytest.approx(1.0, abs=0.1)


def test_p_values_by_hand() -> None:
    calibration = calibrate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    assert calibration.p_value(0.5) == 1.0
    assert calibration.p_value(9.0) == pytest.approx(0.2)
    assert calibration.p_value(5.0) == pytest.approx(0.6)
    beyond = [calibration.p_value(s) for s in (9.1, 20.0, 100.0)]
    assert beyond[0] == pytest.approx(0.1)
    assert beyond[0] > beyond[1] > beyond[2] > 0.0
    assert calibrate([]).p_value(1.0) is None
    assert calibrate([]).threshold(0.1) is None


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.2, 0.35])
def test_threshold_and_p_value_agree(rate: float) -> None:
    calibration = calibrate(np.exp(np.random.default_rng(1).normal(0, 0.3, 30)).tolist())
    threshold = calibration.threshold(rate)
    assert threshold is not None
    p = calibration.p_value(threshold)
    assert p is not None
    assert p <= rate + 1e-9
    below = calibration.p_value(threshold * 0.93)
    assert below is not None
    assert below > rate - 0.04


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1])
def test_false_alarms_keep_the_promise(rate: float) -> None:
    """Over many draws of 20 calibration scores and one new good score each."""
    rng = np.random.default_rng(7)
    alarms = []
    for _ in range(1500):
        scores = np.exp(rng.gumbel(0, 0.2, 21))
        threshold = calibrate(scores[:20].tolist()).threshold(rate)
        assert threshold is not None
        alarms.append(scores[20] >= threshold)
    assert np.mean(alarms) < rate + 0.015


def test_rates_outside_are_refused() -> None:
    with pytest.raises(UsageError, match=r"false-alarm rate is 1\.5"):
        calibrate([1.0, 2.0]).threshold(1.5)


def test_kinds_of_regions() -> None:
    anomaly = np.zeros((60, 60), np.float32)
    alpha = np.zeros((60, 60), np.float32)
    alpha[20:50, 20:50] = 1.0
    background = alpha < 0.5
    for window in ((30, 35, 30, 36), (22, 30, 40, 48), (8, 14, 30, 40)):
        anomaly[window[0] : window[1], window[2] : window[3]] = 5.0
    background[22:30, 40:48] = True
    background[8:14, 30:40] = False
    regions = find_regions(anomaly, 4.0, alpha, background)
    kinds = {r.bbox: r.kind for r in regions}
    assert kinds == {(30, 30, 36, 35): "stain", (40, 22, 48, 30): "missing", (30, 8, 40, 14): "burr"}
    assert {r.area_px for r in regions} == {30, 64, 60}
    assert find_regions(anomaly, 6.0, alpha, background) == ()
    assert find_regions(anomaly, 4.0, alpha, None)[0].kind is None
