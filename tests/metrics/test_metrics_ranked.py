"""Image and pixel metrics against scikit-learn, and written-out cases of what scikit-learn does not have."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn import metrics as sk

from paad.errors import DataError
from paad.metrics import image, pixel


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("decimals", [1, 12])
def test_image_metrics_equal_scikit_learn(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(90) < 0.7
    scores = np.round(rng.normal(size=90) + labels, decimals)
    ours = image.image_metrics(scores, labels)
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    fpr, tpr, _ = sk.roc_curve(labels, scores)
    assert ours["auroc"] == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
    assert ours["ap"] == pytest.approx(sk.average_precision_score(labels, scores), abs=1e-12)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert ours["f1_max"] == pytest.approx(f1.max(), abs=1e-12)
    assert image.tpr_at_fpr(scores, labels, 0.2) == pytest.approx(tpr[fpr <= 0.2].max(), abs=1e-12)


def test_one_class_alone_has_no_figure() -> None:
    assert set(image.image_metrics([1.0, 2.0], [False, False]).values()) == {None}
    assert image.auroc([], []) is None


def test_a_nan_score_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 2 scores are nan"):
        image.auroc([1.0, float("nan")], [True, False])


def test_specimens_count_once_and_a_hidden_defect_counts() -> None:
    scores = [0.1, 0.2, 0.9, 0.1, 0.3, 0.3]
    labels = [False, False, True, False, False, False]
    specimens = ["a", "a", "b", "b", "c", "c"]
    assert image.specimen_auroc(scores, labels, specimens) == 1.0
    assert image.specimen_auroc(scores, labels, specimens, "mean") == 1.0
    assert image.specimen_auroc([0.5, 0.2, 0.4, 0.1, 0.3, 0.3], labels, specimens) == 0.5


def _scene(seed: int, offset: float, scale: float, n: int = 6) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Maps with blobs of defects; the first third of the images is good."""
    rng = np.random.default_rng(seed)
    scene = []
    for i in range(n):
        mask = np.zeros((60, 50), bool)
        if i >= n // 3:
            mask[5:17, 8:14] = True
            mask[40:44, 20 + i : 30 + i] = True
            mask[44, 19 + i] = True  # touches by a corner only: one region with the one above
        noise = rng.normal(size=mask.shape) + 1.2 * mask
        scene.append(((offset + scale * noise).astype(np.float32), mask))
    return scene


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (0.0, 1e-6), (-1000.0, 0.05), (0.5, 1e-3), (3e7, 1e6)])
def test_pixel_metrics_equal_scikit_learn_whatever_the_value_range(offset: float, scale: float) -> None:
    evaluator = pixel.PixelEvaluator()
    scene = _scene(1, offset, scale)
    for anomaly_map, mask in scene:
        evaluator.update(anomaly_map, mask)
    ours = evaluator.compute()
    scores = np.concatenate([m.ravel() for m, _ in scene])
    labels = np.concatenate([m.ravel() for _, m in scene])
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    assert ours.auroc == pytest.approx(sk.roc_auc_score(labels, scores), abs=2e-5)
    assert ours.ap == pytest.approx(sk.average_precision_score(labels, scores), abs=5e-5)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert ours.f1_max == pytest.approx(f1.max(), abs=5e-5)


def test_pixels_after_the_layout_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _scene(2, 0.3, 0.1)
    whole = pixel.PixelEvaluator()
    for anomaly_map, mask in scene:
        whole.update(anomaly_map, mask)
    monkeypatch.setattr(pixel, "_FIRST_PIXELS", 1)  # laid out from the first good image alone
    streamed = pixel.PixelEvaluator()
    for anomaly_map, mask in scene:
        streamed.update(anomaly_map, mask)
    a, b = whole.compute().block(), streamed.compute().block()
    assert a == pytest.approx(b, abs=5e-5)
    assert streamed.compute().block() == b


def _aupro_slow(scene: list[tuple[NDArray[np.float32], NDArray[np.bool_]]], limit: float) -> float:
    """MVTec's definition with a loop over all thresholds and regions."""
    regions, good = [], []
    for anomaly_map, mask in scene:
        labels, n = ndimage.label(mask, np.ones((3, 3)))
        regions += [np.sort(anomaly_map[labels == k]) for k in range(1, n + 1)]
        good.append(anomaly_map[~mask])
    outside = np.sort(np.concatenate(good))
    points = [(0.0, 0.0)]
    for t in np.unique(np.concatenate([outside, *regions]))[::-1]:
        fpr = 1 - np.searchsorted(outside, t) / len(outside)
        points.append((fpr, float(np.mean([1 - np.searchsorted(r, t) / len(r) for r in regions]))))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        area += 0.5 * (y0 + y1) * (x1 - x0)
    return area / limit


def test_aupro_equals_the_written_out_definition() -> None:
    scene = _scene(3, 0.0, 1.0, n=3)
    evaluator = pixel.PixelEvaluator()
    for anomaly_map, mask in scene:
        evaluator.update(anomaly_map, mask)
    scores = evaluator.compute()
    assert scores.aupro_30 == pytest.approx(_aupro_slow(scene, 0.3), abs=2e-5)
    assert scores.aupro_5 == pytest.approx(_aupro_slow(scene, 0.05), abs=2e-5)


def test_aupro_of_a_perfect_and_of_a_blind_map() -> None:
    mask = np.zeros((20, 20), bool)
    mask[3:6, 3:6] = True
    perfect, blind = pixel.PixelEvaluator(), pixel.PixelEvaluator()
    perfect.update(mask.astype(np.float32), mask)
    blind.update(np.ones(mask.shape, np.float32), mask)
    assert perfect.compute().aupro_30 == 1.0
    assert blind.compute().aupro_30 == pytest.approx(0.15)  # the diagonal up to 0.3


def test_aupimo_equals_the_written_out_definition() -> None:
    rng = np.random.default_rng(5)
    good = [rng.normal(size=(200, 300)).astype(np.float32), rng.normal(size=(150, 200)).astype(np.float32)]
    mask = np.zeros((100, 100), bool)
    mask[10:40, 10:40] = True
    defects = [(rng.normal(size=mask.shape) + 4.0 * mask).astype(np.float32) for _ in range(3)]
    evaluator = pixel.PixelEvaluator()
    for anomaly_map in good:
        evaluator.update(anomaly_map, None)
    for anomaly_map in defects:
        evaluator.update(anomaly_map, mask)
    ours = evaluator.compute()

    thresholds = np.unique(np.concatenate([*(g.ravel() for g in good), *(d[mask] for d in defects)]))[::-1]
    fpr = np.mean([1 - np.searchsorted(np.sort(g.ravel()), thresholds) / g.size for g in good], axis=0)
    grid = np.linspace(np.log(1e-5), np.log(1e-4), 20001)
    expected = []
    for d in defects:
        tpr = 1 - np.searchsorted(np.sort(d[mask]), thresholds) / mask.sum()
        silent = tpr[fpr == 0][-1]
        values = np.interp(grid, np.log(fpr[fpr > 0]), tpr[fpr > 0])
        values[grid < np.log(fpr[fpr > 0][0])] = silent
        expected.append(values.mean())
    assert ours.aupimo_by_image == pytest.approx(expected, abs=1e-3)
    assert ours.aupimo == pytest.approx(np.mean(expected), abs=1e-3)


def test_aupimo_area_of_simple_curves() -> None:
    fpr = np.geomspace(1e-6, 1e-3, 301)
    assert pixel.aupimo_area(fpr, np.full(301, 0.7)) == pytest.approx(0.7)
    ramp = np.log10(fpr / 1e-5)  # 0 at the lower bound, 1 at the upper
    assert pixel.aupimo_area(fpr, ramp) == pytest.approx(0.5)
    assert pixel.aupimo_area(np.array([0.0, 0.5]), np.array([0.4, 1.0])) == pytest.approx(0.4)


def test_no_good_image_no_aupimo_and_no_defect_no_figure() -> None:
    (_, _), *_, (anomaly_map, mask) = _scene(7, 0, 1)
    evaluator = pixel.PixelEvaluator()
    evaluator.update(anomaly_map, mask)
    assert evaluator.compute().aupimo is None
    assert evaluator.compute().auroc is not None
    good = pixel.PixelEvaluator()
    good.update(anomaly_map, None)
    assert set(good.compute().block().values()) == {None}
    assert set(pixel.PixelEvaluator().compute().block().values()) == {None}


def test_minus_zero_equals_zero_and_infinite_scores_rank() -> None:
    evaluator = pixel.PixelEvaluator()
    mask = np.array([[True, False, True, False]])
    evaluator.update(np.array([[-0.0, 0.0, np.inf, -np.inf]], np.float32), mask)
    assert evaluator.compute().auroc == pytest.approx(0.875)


@pytest.mark.parametrize(
    ("anomaly_map", "mask", "good", "words"),
    [
        (np.zeros((4, 4)), np.zeros((4, 5)), None, "same"),
        (np.full((4, 4), np.nan), None, None, "nan in 16 pixels"),
        (np.zeros((4, 4)), np.ones((4, 4)), True, "labelled good"),
    ],
)
def test_what_cannot_be_counted_is_refused(
    anomaly_map: NDArray[np.float64], mask: NDArray[np.float64] | None, good: bool | None, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        pixel.PixelEvaluator().update(anomaly_map, mask, good)


def test_many_defect_pixels_are_thinned_to_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _scene(9, 0.0, 1.0)
    full, thin = pixel.PixelEvaluator(), pixel.PixelEvaluator()
    for anomaly_map, mask in scene:
        full.update(anomaly_map, mask)
    monkeypatch.setattr(pixel, "_KEPT_DEFECT_PIXELS", 64)
    for anomaly_map, mask in scene:
        thin.update(anomaly_map, mask)
    assert thin.compute().aupimo == pytest.approx(full.compute().aupimo, abs=1 / 64)
