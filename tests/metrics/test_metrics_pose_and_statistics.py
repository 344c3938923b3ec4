"""Pose errors, exact intervals, bootstraps and the summary that `paad evaluate` and the benchmark share."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import binomtest

from paad.errors import DataError
from paad.geometry.se3 import look_at, so3_exp
from paad.metrics import bootstrap, calibration, image, pose
from paad.metrics.summary import Evaluation


def test_a_turned_camera_has_the_whole_angle_not_half_of_it() -> None:
    truth = look_at([3.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    turned = truth.copy()
    turned[:3, :3] = so3_exp([0.0, 0.0, math.radians(8.0)]) @ truth[:3, :3]
    turned[:3, 3] = so3_exp([0.0, 0.0, math.radians(8.0)]) @ truth[:3, 3]
    rotation, translation = pose.pose_errors(turned, truth, [0.0, 0.0, 0.0])
    assert rotation == pytest.approx(8.0)
    assert translation == pytest.approx(0.0, abs=1e-12)
    nearer = look_at([2.7, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert pose.pose_errors(nearer, truth, [0.0, 0.0, 0.0]) == pytest.approx((0.0, 0.1))


def test_a_failed_pose_is_an_infinite_error() -> None:
    truth = look_at([3.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert pose.pose_errors(None, truth, [0, 0, 0]) == (math.inf, math.inf)
    assert pose.pose_errors(np.full((4, 4), np.nan), truth, [0, 0, 0]) == (math.inf, math.inf)
    block = pose.pose_metrics([1.0, 2.0, math.inf], [0.01, 0.02, math.inf])
    assert block is not None
    assert block["rot_deg_median"] == 2.0
    assert block["rot_deg_max"] is None
    assert block["n_failed"] == 1
    assert block["auc_5deg"] == pytest.approx((0.8 + 0.6 + 0.0) / 3)
    assert block["success_5deg_5pct"] == pytest.approx(2 / 3)


def test_area_under_the_angle_curve_equals_numerical_integration() -> None:
    errors = np.random.default_rng(0).gamma(2.0, 3.0, 50)
    t = np.linspace(0.0, 10.0, 200001)
    curve = np.mean(errors[:, None] <= t[None, ::100], axis=0)
    assert pose.auc(errors, 10.0) == pytest.approx(curve.mean(), abs=1e-3)


def test_cameras_look_at_one_point() -> None:
    centre = np.array([0.3, -0.2, 0.5])
    eyes = np.random.default_rng(1).normal(size=(6, 3)) * 4.0
    cams = [look_at(eye, centre) for eye in eyes]
    assert pose.look_at_centre(cams) == pytest.approx(centre)


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 50), (7, 31), (20, 20)])
def test_exact_interval_and_p_value_equal_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(0.95, method="exact")
    assert calibration.clopper_pearson(k, n) == pytest.approx((expected.low, expected.high))
    block = calibration.false_alarms(k, n, 0.02)
    assert block is not None
    assert block["p_value"] == pytest.approx(binomtest(k, n, 0.02, alternative="greater").pvalue)
    assert block["kept"] is (k < 2)


def test_bad_counts_are_refused() -> None:
    with pytest.raises(DataError, match="5 of 4"):
        calibration.clopper_pearson(5, 4)
    assert calibration.false_alarms(0, 0, 0.02) is None


def test_bootstrap_interval_holds_the_true_value_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(120) % 2 == 0
    true_auroc = 0.76025  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    inside = 0
    for seed in range(40):
        found = bootstrap.interval(image.auroc, rng.normal(size=120) + labels, labels, n=200, seed=seed)
        inside += found.low <= true_auroc <= found.high
    assert 33 <= inside <= 40


def test_paired_difference_sees_what_two_intervals_would_not() -> None:
    rng = np.random.default_rng(4)
    labels = np.arange(100) % 2 == 0
    shared = rng.normal(size=100)
    better, worse = shared + 1.2 * labels, shared + 0.8 * labels + 0.05 * rng.normal(size=100)
    found = bootstrap.paired_difference(image.auroc, better, worse, labels, n=300)
    assert found.low > 0
    assert found.p_value is not None
    assert found.p_value < 0.02
    same = bootstrap.paired_difference(image.auroc, better, better, labels, n=50)
    assert (same.value, same.p_value) == (0.0, 1.0)
    assert bootstrap.interval(image.auroc, better, labels, n=50) == bootstrap.interval(
        image.auroc, better, labels, n=50
    )


def test_bootstrap_needs_both_classes() -> None:
    with pytest.raises(DataError, match="both classes"):
        bootstrap.interval(image.auroc, [1.0, 2.0], [True, True])


def _filled(**options: object) -> Evaluation:
    evaluation = Evaluation(**options)  # type: ignore[arg-type]
    mask = np.zeros((12, 16), np.uint8)
    mask[2:5, 3:7] = 255
    truth = look_at([3.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    flat = np.zeros((12, 16), np.float32)
    evaluation.update(score=0.1, is_defect=False, map=flat, true_pose=truth, pose=truth, status="ok", specimen="a")
    evaluation.update(score=0.2, is_defect=False, map=flat, true_pose=truth, pose=truth, status="defect", specimen="a")
    evaluation.update(
        score=0.9, is_defect=True, map=(mask > 0).astype(np.float32), mask=mask, true_pose=truth, specimen="b"
    )
    return evaluation


def test_summary_has_the_blocks_of_the_contract_and_is_json() -> None:
    result = json.loads(json.dumps(_filled(false_alarm_rate=0.02).compute(), allow_nan=False))
    assert (result["n_good"], result["n_defect"]) == (2, 1)
    assert result["image"] == {"auroc": 1.0, "ap": 1.0, "f1_max": 1.0, "tpr_at_fpr_2": 1.0}
    assert set(result["pixel"]) == {"auroc", "ap", "f1_max", "aupro_30", "aupro_5", "aupimo"}
    assert set(result["pixel"].values()) == {1.0}
    assert result["pose"]["n_failed"] == 1
    assert result["specimen_auroc"] == 1.0
    assert result["calibration"]["false_alarms"] == 1


def test_summary_without_score_map_mask_or_pose() -> None:
    evaluation = Evaluation()
    evaluation.update(score=None, is_defect=True)
    evaluation.update(score=float("nan"), is_defect=False)
    evaluation.update(score=0.5, is_defect=True)
    evaluation.update(score=0.1, is_defect=False)
    result = evaluation.compute()
    assert result["n_without_score"] == 2
    assert result["n_without_mask"] == 2
    assert result["image"]["auroc"] == pytest.approx(0.25)  # a missing score counts as wrong
    assert set(result["pixel"].values()) == {None}
    assert result["pose"] is None
    assert result["calibration"] is None


def test_a_query_without_a_map_marked_nothing() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    evaluation = Evaluation()
    evaluation.update(score=1.0, is_defect=True, map=mask.astype(np.float32), mask=mask)
    evaluation.update(score=None, is_defect=True, map=None, mask=mask)
    # of the pairs: half have a seen defect (won), a quarter a missed one against 0 (lost), a quarter are ties
    assert evaluation.compute()["pixel"]["auroc"] == pytest.approx(0.5 + 0.125)


@pytest.mark.parametrize("size", [None, (5, 5), (20, 30)])
def test_a_missing_or_infinite_map_survives_resampling(size: tuple[int, int] | None) -> None:
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    evaluation = Evaluation(size=size)
    evaluation.update(score=1.0, is_defect=True, map=np.where(mask, np.inf, 0.0), mask=mask)
    evaluation.update(score=None, is_defect=True, map=None, mask=mask)
    evaluation.update(score=None, is_defect=True, map=np.full((10, 10), np.nan), mask=mask)
    assert evaluation.compute()["pixel"]["auroc"] == pytest.approx(1 / 3 + 2 / 3 * 0.5 * 2 / 3, abs=0.05)


def test_legacy_size_resamples_map_and_mask() -> None:
    native, legacy = _filled().compute(), _filled(size=(6, 8)).compute()
    assert native["pixel"]["auroc"] == 1.0
    assert legacy["pixel"]["auroc"] is not None
    small_map = Evaluation()
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    small_map.update(score=1.0, is_defect=True, map=mask[::4, ::4].astype(np.float32), mask=mask)
    assert small_map.compute()["pixel"]["auroc"] > 0.98
