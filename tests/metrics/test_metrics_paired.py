"""Figures of resampled photos equal those of photos that are really repeated; differences are found where they are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from paad.metrics import bootstrap, image, paired
from paad.metrics.pixel import PixelEvaluator

N_GOOD, N_DEFECT = 4, 5


def _photos(noise: float, seed: int = 0) -> list[tuple[NDArray[np.uint16], NDArray[np.bool_], float]]:
    """Codes [150, 200], masks and image scores; the first are good. Values are codes / 65535."""
    rng = np.random.default_rng(seed)
    photos = []
    for i in range(N_GOOD + N_DEFECT):
        mask = np.zeros((150, 200), bool)
        if i >= N_GOOD:
            mask[20 : 30 + i, 30:50] = True
            mask[90:100, 100 : 130 + 4 * i] = True
        values = np.clip(0.3 + noise * rng.normal(size=mask.shape) + 0.25 * mask, 0, 1)
        photos.append(((65535 * values).astype(np.uint16), mask, float(values.max())))
    return photos


def _sums(photos: list[tuple[NDArray[np.uint16], NDArray[np.bool_], float]]) -> paired.Sums:
    values = np.arange(1 << 16) / 65535.0
    counts = [paired.count_photo(codes, values, mask, not mask.any()) for codes, mask, _ in photos]
    return paired.sums_of([s for *_, s in photos], [bool(mask.any()) for _, mask, _ in photos], counts)


@pytest.mark.parametrize("weights", [[1] * 9, [2, 0, 1, 1, 0, 3, 1, 0, 1]])
def test_weights_equal_photos_that_are_repeated(weights: list[int]) -> None:
    photos = _photos(0.1)
    repeated = [photo for photo, n in zip(photos, weights, strict=True) for _ in range(n)]
    evaluator = PixelEvaluator()
    for codes, mask, _ in repeated:
        evaluator.update((codes / 65535.0).astype(np.float32), mask, is_good=not mask.any())
    expected = evaluator.compute()
    found = paired.resampled(_sums(photos), np.array([weights], float))
    assert found.keys() == set(paired.FIGURES)
    labels = [bool(mask.any()) for _, mask, _ in repeated]
    assert found["image_auroc"][0] == pytest.approx(image.auroc([s for *_, s in repeated], labels))
    assert found["pixel_auroc"][0] == pytest.approx(expected.auroc, abs=2e-4)
    assert found["pixel_ap"][0] == pytest.approx(expected.ap, abs=2e-3)
    assert found["aupro_30"][0] == pytest.approx(expected.aupro_30, abs=1e-3)
    assert found["aupro_5"][0] == pytest.approx(expected.aupro_5, abs=1e-3)
    assert found["aupimo"][0] == pytest.approx(expected.aupimo, abs=2e-3)


def test_resamples_keep_the_classes_and_their_sizes() -> None:
    labels = np.arange(9) >= N_GOOD
    weights = paired.resampling(labels, 200, seed=1)
    assert (weights[:, ~labels].sum(axis=1) == N_GOOD).all()
    assert (weights[:, labels].sum(axis=1) == N_DEFECT).all()
    assert np.array_equal(weights, paired.resampling(labels, 200, seed=1))


def test_a_difference_is_found_where_there_is_one_and_not_where_there_is_none() -> None:
    draws = paired.resampling(np.arange(9) >= N_GOOD, 300, seed=0)
    sharp, blurred, other = (paired.resampled(_sums(_photos(*p)), draws) for p in ((0.08,), (0.16,), (0.08, 5)))
    for figure in ("pixel_auroc", "pixel_ap", "aupro_30"):
        gain = bootstrap.difference_of(0.0, sharp[figure] - blurred[figure])
        assert gain.low > 0.0
        assert gain.p_value is not None
        assert gain.p_value < 0.05
        same = bootstrap.difference_of(0.0, sharp[figure] - other[figure])
        assert same.low < gain.low


def test_without_maps_without_masks_and_without_a_class_what_can_be_said_is_said() -> None:
    ones = np.ones((1, 3))
    assert paired.resampled(paired.sums_of([1.0, 2.0, 3.0], [False, True, True], None), ones).keys() == {"image_auroc"}
    photos = _photos(0.1)
    values = np.arange(1 << 16) / 65535.0
    good = paired.count_photo(photos[0][0], values, None, True)
    unmarked = paired.sums_of([1.0, 2.0, 3.0], [False, True, True], [good, None, None])
    assert paired.resampled(unmarked, ones).keys() == {"image_auroc"}
    assert paired.resampled(paired.sums_of([1.0, 2.0, 3.0], [False] * 3, None), ones) == {}


def test_a_map_without_any_mark_is_the_worst_and_no_number_at_all() -> None:
    photos = _photos(0.1)
    nothing = np.full(1 << 16, -np.inf)
    counts = [paired.count_photo(codes, nothing, mask, not mask.any()) for codes, mask, _ in photos]
    sums = paired.sums_of([0.0] * 9, [bool(m.any()) for _, m, _ in photos], counts)
    found = paired.resampled(sums, np.ones((1, 9)))
    assert found["pixel_auroc"][0] == pytest.approx(0.5)
    assert found["aupimo"][0] == 0.0
    assert found["image_auroc"][0] == 0.5
