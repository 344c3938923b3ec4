"""Residuals, what is expected of them, calibration, regions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from paad.compare.calibration import OF_PHOTOS, Calibration, calibrate
from paad.compare.comparator import (
    CHANNELS,
    CONVOLUTIONS,
    RATIOS,
    comparator_channels,
    object_window,
    trained_comparator,
    turned_over,
)
from paad.compare.comparison import Comparison, Expectation, least_trusted
from paad.compare.expected import BASES, ExpectedResidual, fit_expected, harmonics
from paad.compare.kernels_convolve import LEAK, convolve
from paad.compare.kinds import MEASURES, Scene, measures, plain_kind
from paad.compare.regions import find_regions
from paad.compare.residual import blur, residual_maps
from paad.compare.support import Support, beside_no_view, learn_support, log_support
from paad.errors import UsageError
from paad.geometry.camera import Camera
from paad.pose.query import QueryImage
from paad.render.twin import spherical_harmonics
from paad.types import Float64


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


def test_harmonics_are_the_rasterizers() -> None:
    directions = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    truth = spherical_harmonics(torch.from_numpy(directions), BASES).numpy().T
    np.testing.assert_allclose(harmonics(directions), truth, atol=1e-6)


@pytest.mark.parametrize(("outside", "share"), [(0, 0.75), (400, 0.6)])
def test_the_explained_share_by_hand(outside: int, share: float) -> None:
    camera, shape = Camera(40, 40, 50.0, 50.0, 20.0, 20.0), (40, 40)
    alpha = np.zeros(shape, np.float32)
    alpha[:40] = 1.0
    mask = alpha.copy()
    alpha.reshape(-1)[: 400 if outside else 0] = 0.0  # there the photo's mask shows an object, and the field none
    residuals = np.full((2, 40, 40), 0.007, np.float32)  # the floor of the expectation is 0.004
    residuals[:, 30:] = 0.009
    residuals.reshape(2, -1)[:, : 240 if outside else 0] = 0.009
    query = QueryImage(np.zeros((*shape, 3), np.float32), mask, camera, np.ones(3, np.float32))
    compared = Comparison(
        query, query.image, alpha, alpha, np.eye(4), residuals, np.zeros((2, 8, 40, 40), np.float32), 0.0, False
    )
    expected = ExpectedResidual(np.zeros((2, 8)))
    expectation = Expectation(
        np.zeros((0, 11, 2), np.float32), expected, np.ones(2), 0.0, Support(0.0, 0.0, 0.0, 0.0), 0.02
    )
    assert expectation.explained(compared) == pytest.approx(share)
    strict = dataclasses.replace(expectation, error=0.0031)  # 2 x 1.25 x 0.0031 = 0.00775
    assert strict.explained(compared) == pytest.approx(share)
    stricter = dataclasses.replace(expectation, error=0.0027)
    assert stricter.explained(compared) == 0.0
    assert expectation.explained(dataclasses.replace(compared, dimmed=0.9)) == pytest.approx(share)  # 0.0072
    assert expectation.explained(dataclasses.replace(compared, dimmed=0.86)) == 0.0  # 0.0069


@pytest.mark.parametrize(
    ("right", "wrong", "least"),
    [
        ([], [], 0.0),
        ([0.9, 0.95], [], 0.0),
        ([0.8, 0.9], [0.7], 0.0),  # a third is wrong
        ([0.97], [0.85, 0.73, 0.72], 0.88),  # one against one is too many
        ([0.9, 0.97], [0.85, 0.73], 0.76),
        ([], [0.91, 0.84], 0.94),
        ([0.6], [0.99], 1.02),  # then nothing is believed
    ],
)
def test_poses_are_believed_from_where_most_are_right(right: list[float], wrong: list[float], least: float) -> None:
    assert least_trusted(right, wrong) == pytest.approx(least)


def test_p_values_by_hand() -> None:
    calibration = calibrate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
    assert calibration.p_value(0.5) == 1.0
    assert calibration.p_value(9.0) == pytest.approx(0.2)
    assert calibration.p_value(5.0) == pytest.approx(0.6)
    beyond = [calibration.p_value(s) for s in (9.1, 20.0, 100.0)]
    assert Calibration(calibration.scores, None).p_value(9.1) == pytest.approx(0.1)
    assert 0.05 < beyond[0] < 0.1  # scores of nine good views rarely spread so widely
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


def alarms_of_good_views(calibration: Callable[[tuple[float, ...]], Calibration], widths: Float64, n: int) -> Float64:
    """Whether a new good score alarms at 2, 5 and 10 % [N, 3] after ``n`` others of a Gumbel law of each width."""
    rng = np.random.default_rng(7)
    alarms = []
    for width in widths:
        scores = np.exp(rng.gumbel(0, width * np.sqrt(6) / np.pi, n + 1))
        thresholds = [calibration(tuple(scores[:n])).threshold(rate) for rate in (0.02, 0.05, 0.1)]
        alarms.append([t is not None and scores[n] >= t for t in thresholds])
    return np.array(alarms)


@pytest.mark.parametrize("count", [2, 3, 8, 20])
def test_false_alarms_keep_the_promise_over_objects(count: int) -> None:
    """Over many objects whose scores spread as good views' do, a few calibration scores and one new score each."""
    widths = OF_PHOTOS.usual * np.exp(OF_PHOTOS.stray * np.random.default_rng(3).normal(size=3000))
    alarms = alarms_of_good_views(Calibration, widths, count).mean(axis=0)
    assert (alarms < np.array([0.028, 0.06, 0.112])).all()


@pytest.mark.parametrize("count", [2, 3, 20])
@pytest.mark.parametrize("width", [0.05, 0.3, 1.5])
def test_false_alarms_keep_the_promise_where_nothing_is_known(width: float, count: int) -> None:
    alarms = alarms_of_good_views(lambda scores: Calibration(scores, None), np.full(3000, width), count).mean(axis=0)
    assert (alarms < np.array([0.028, 0.06, 0.112])).all()


def test_what_good_views_do_elsewhere_tempers_one_that_stands_out() -> None:
    scores = (0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 6.0)
    tempered, alone = Calibration(scores).threshold(0.02), Calibration(scores, None).threshold(0.02)
    assert tempered is not None
    assert alone is not None
    assert 6.0 < tempered < 0.6 * alone


def test_rates_outside_are_refused() -> None:
    with pytest.raises(UsageError, match=r"false-alarm rate is 1\.5"):
        calibrate([1.0, 2.0]).threshold(1.5)


def a_block_with_damage() -> tuple[Scene, dict[str, tuple[slice, slice]]]:
    """A grey block with ribs on white, and a photo in which a stain, a gap and a lump were added to it."""
    reference = np.ones((80, 80, 3), np.float32)
    alpha = np.zeros((80, 80), np.float32)
    alpha[20:65, 15:65] = 1.0
    reference[20:65, 15:65] = 0.4
    reference[20:65, 18:65:6] = 0.25
    query = reference.copy()
    places = {
        "stain": (slice(36, 46), slice(24, 36)), "missing": (slice(20, 32), slice(53, 65)),
        "burr": (slice(10, 20), slice(26, 33)),
    }  # fmt: skip
    query[places["stain"]] = 0.55 * query[places["stain"]] + 0.45 * np.array([0.7, 0.1, 0.1], np.float32)
    query[places["missing"]] = 1.0
    query[places["burr"]] = 0.42
    anomaly = 5.0 * (np.abs(query - reference).max(axis=2) > 0.05).astype(np.float32)
    return Scene(query, reference, alpha, (query > 0.97).all(axis=2), anomaly), places


def test_kinds_of_regions() -> None:
    scene, places = a_block_with_damage()
    regions = find_regions(scene.anomaly, 4.0, scene, 80, 80)
    wanted = {(c.start, r.start, c.stop, r.stop): kind for kind, (r, c) in places.items()}
    assert {r.bbox: r.kind for r in regions} == wanted
    assert {r.area_px for r in regions} == {120, 144, 70}
    assert find_regions(scene.anomaly, 6.0, scene, 80, 80) == ()
    assert find_regions(scene.anomaly, 4.0, None, 80, 80)[0].kind is None


def test_measures_of_a_region_by_hand() -> None:
    scene, places = a_block_with_damage()
    inside = np.zeros((80, 80), bool)
    inside[places["missing"]] = True
    found = dict(zip(MEASURES, measures(scene, inside), strict=True))
    assert found["background where the object should be"] == pytest.approx(1.0)
    assert found["object where background should be"] == found["object in both"] == 0.0
    assert found["lighter"] == pytest.approx(1.0 - scene.reference[places["missing"]].mean(), abs=1e-4)
    assert found["another hue"] == pytest.approx(0.0, abs=1e-4)
    assert found["size"] == pytest.approx(np.log(1e3 * 144 / 6400))
    inside[:] = False
    inside[places["stain"]] = True
    assert dict(zip(MEASURES, measures(scene, inside), strict=True))["their agreement"] > 0.9


def test_another_hue_on_the_object_is_paint_and_on_background_is_not() -> None:
    values = np.zeros(len(MEASURES))
    values[MEASURES.index("object in both")], values[MEASURES.index("another hue")] = 1.0, 0.5
    assert plain_kind(values) == "stain"
    values[MEASURES.index("another hue")] = 0.3
    assert plain_kind(values) is None
    values[:3], values[MEASURES.index("another hue")] = (0.1, 0.8, 0.1), 0.5
    assert plain_kind(values) == "burr"


def test_regions_of_a_larger_photo() -> None:
    anomaly = np.zeros((40, 50), np.float32)
    anomaly[10:14, 20:30] = 3.0
    (region,) = find_regions(anomaly, 2.0, None, 125, 100)
    assert region.bbox == (50, 25, 75, 35)
    assert region.area_px == 250


@pytest.mark.parametrize("dilation", [1, 2, 8])
def test_the_convolution_is_that_of_torch(dilation: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(dilation)
    values, weight = (rng.normal(size=s).astype(np.float32) for s in ((5, 23, 17), (8, 5, 3, 3)))
    bias = rng.normal(size=8).astype(np.float32)
    wanted = torch.nn.functional.conv2d(
        *(torch.from_numpy(v) for v in (values[None], weight, bias)), padding=dilation, dilation=dilation
    )
    wanted = torch.nn.functional.leaky_relu(wanted, LEAK)[0].numpy()
    np.testing.assert_allclose(convolve(values, weight, bias, dilation), wanted, atol=2e-5)


@pytest.mark.parametrize("size", [(32, 44), (29, 41)])
def test_the_comparators_logit_against_torch(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    comparator = trained_comparator()
    h, w = size
    channels = np.random.default_rng(3).normal(size=(CHANNELS, h, w)).astype(np.float32)

    def convolved(name: str, values: Any) -> Any:
        weight, bias = (torch.from_numpy(v) for v in comparator.convolutions[name])
        hole = CONVOLUTIONS[name][2]
        return functional.leaky_relu(functional.conv2d(values, weight, bias, padding=hole, dilation=hole), LEAK)

    def halved(values: Any) -> Any:
        return functional.avg_pool2d(functional.pad(values, (0, values.shape[3] % 2, 0, values.shape[2] % 2)), 2)

    def enlarged(name: str, values: Any, like: Any) -> Any:
        mixed = functional.conv2d(values, torch.from_numpy(comparator.mixtures[name])[:, :, None, None])
        return functional.interpolate(mixed, scale_factor=2)[:, :, : like.shape[2], : like.shape[3]]

    def once(channels: Any) -> Any:
        full = convolved("full_2", convolved("full_1", torch.from_numpy(channels)[None]))
        half = convolved("half_2", convolved("half_1", halved(full)))
        quarter = convolved("quarter_3", convolved("quarter_2", convolved("quarter_1", halved(half))))
        half = convolved("half_3", half + enlarged("quarter_up", quarter, half))
        joined = convolved("full_3", full + enlarged("half_up", half, full))
        ratio = comparator.ratio * channels[RATIOS].max(axis=0) + comparator.bias
        return ratio + np.tensordot(comparator.out, torch.cat([full, joined], dim=1)[0].numpy(), axes=1)

    wanted = 0.5 * (once(channels) + once(turned_over(channels))[::-1, ::-1].T)
    np.testing.assert_allclose(comparator.logits(channels), wanted, atol=1e-3)


def test_a_photo_turned_over_gets_the_logits_turned_over() -> None:
    rng = np.random.default_rng(5)
    query, reference = (np.clip(_smooth(rng, (30, 41, 3)), 0.0, 1.0) for _ in range(2))
    alpha = _smooth(rng, (30, 41))

    def turned(values: Any) -> Any:
        return np.ascontiguousarray(values[::-1, ::-1].swapaxes(0, 1))

    def logits(query: Any, reference: Any, alpha: Any) -> Any:
        residuals = residual_maps(query, reference)
        expected = np.full_like(residuals, 0.05)
        channels = comparator_channels(query, reference, alpha, expected, residuals, np.full(2, 3.0))
        return trained_comparator().logits(channels)

    upright = logits(query, reference, alpha)
    np.testing.assert_allclose(logits(turned(query), turned(reference), turned(alpha)), turned(upright), atol=1e-4)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return blur(rng.uniform(size=shape).astype(np.float32), 2.0)


def test_the_comparator_prefers_a_patch_to_a_misplaced_edge() -> None:
    reference = np.full((64, 64, 3), 0.3, np.float32)
    reference[:, 32:] = 0.6
    alpha, expected = np.ones((64, 64), np.float32), np.full((2, 64, 64), 0.01, np.float32)
    shifted, stained = reference.copy(), reference.copy()
    shifted[:, 32] = 0.5
    stained[28:34, 12:18] += 0.1
    edge, patch = (
        float(
            trained_comparator()
            .logits(comparator_channels(q, reference, alpha, expected, residual_maps(q, reference), np.full(2, 3.0)))
            .max()
        )
        for q in (shifted, stained)
    )
    assert patch > edge + 1.0


def test_the_window_holds_the_object_of_either_picture() -> None:
    white = np.ones((100, 90, 3), np.float32)
    alpha = np.zeros((100, 90), np.float32)
    assert object_window(alpha, white, white) == (slice(None), slice(None))
    alpha[50:60, 40:45] = 1.0
    query = white.copy()
    query[70, 80] = 0.0
    rows, columns = object_window(alpha, query, white)
    assert (rows.start, rows.stop, columns.start, min(columns.stop, 90)) == (38, 83, 28, 90)


def test_support_counts_the_views_around() -> None:
    towards = np.array([0.0, 0.0, 1.0])
    assert log_support(np.array([[0.0, 0.0, 1.0]] * 3, np.float32), towards) == pytest.approx(np.log(3.0), abs=1e-3)
    twenty = np.radians(20.0)
    aside = np.array([[np.sin(twenty), 0.0, np.cos(twenty)]], np.float32)
    assert log_support(aside, towards) == pytest.approx(-0.5, abs=2e-3)
    assert log_support(np.array([[0.0, 0.0, -1.0]], np.float32), towards) == pytest.approx(np.log(1e-3), abs=1e-6)


def _at(*degrees: float) -> np.ndarray:
    """Unit vectors [N, 3] so many degrees from the first axis, in one plane."""
    turn = np.radians(degrees)
    return np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=1)


def test_a_side_that_no_view_is_near_is_unseen() -> None:
    dense, sparse = _at(*range(0, 60, 5)).astype(np.float32), _at(0.0, 30.0, 60.0).astype(np.float32)
    assert not beside_no_view(dense, _at(79.0)[0])
    assert beside_no_view(dense, _at(81.0)[0])
    assert not beside_no_view(sparse, _at(164.0)[0])  # three and a half gaps of 30 degrees
    assert beside_no_view(sparse, _at(166.0)[0])


def test_a_good_view_peaks_higher_where_few_views_are_near() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(-1.7, 0.5, 400)
    learned = learn_support(x.tolist(), (3.0 - 1.5 * x + rng.normal(0.0, 0.3, 400)).tolist())
    assert learned.slope == pytest.approx(1.5, abs=0.1)
    assert learned.excess(learned.usual) == 0.0
    assert learned.excess(learned.usual - 0.4) == pytest.approx(0.4 * learned.slope)
    assert learned.excess(-100.0) == learned.excess(float(x.min()))  # nothing is known of farther sides
    assert learn_support([0.0], [1.0]).slope == learn_support([0.0, 0.0, 0.0], [1.0, 2.0, 4.0]).slope  # the usual one
    assert learn_support(x.tolist(), (2.0 * x).tolist()).slope == 0.0
