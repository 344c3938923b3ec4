"""AUPRO, AUPIMO and the pixel figures against anomalib 2.7.0's, recorded once from the maps that this file makes.

The figures were printed on the CPU (torch 2.14.1) by, with ``maps`` and ``masks`` [10, 250, 400] as tensors::

    anomalib.metrics.aupro._AUPRO(fpr_limit=0.3 or 0.05); update(maps, masks.int()); compute()
    anomalib.metrics.pimo.functional.aupimo_scores(maps, masks, num_thresholds=300_000, fpr_bounds=(1e-5, 1e-4))[4]
    anomalib.metrics.f1_score._F1Max(); update(maps.flatten(), masks.flatten().int()); compute()
    torchmetrics.classification.BinaryAUROC and BinaryAveragePrecision on the same flat tensors

Four good maps of 100,000 pixels make both of AUPIMO's bounds whole numbers of false positives; elsewhere anomalib
starts at the nearest rate that was reached and divides by the asked bounds, which moves its figure by up to 0.01.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from paad.metrics.pixel import PixelEvaluator, PixelScores

ANOMALIB = {
    "auroc": 0.9672857522964478,
    "ap": 0.8059939742088318,
    "f1_max": 0.8241901993751526,
    "aupro_30": 0.8875396251678467,
    "aupro_5": 0.7787765264511108,
}
ANOMALIB_AUPIMO = (0.139448498, 0.335522692, 0.623137161, 0.823669868, 0.957812038, 0.999964951)


def _scene() -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Ten maps [250, 400] in [0, 1), by integer arithmetic alone, so the same on every machine; four are good."""
    rows, columns = np.mgrid[:250, :400]
    for i in range(10):
        mask = np.zeros(rows.shape, bool)
        if i >= 4:
            mask[30 : 60 + i, 40 : 60 + 4 * i] = True
            mask[200:220, 230 - i : 250] = True
            mask[220, 250] = True  # touches the region above it by a corner only: one region
        mixed = (rows * 7919 + columns * 104729 + i * 1299709) * 48271 % 2147483647
        noise = mixed % 100003 + mixed // 100003 % 100003 + mixed * 16807 % 2147483647 % 100003
        values = np.clip(noise + mask * (30000 * i - 60000), 0, 2**19 - 1)
        yield (values / 2**19).astype(np.float32), mask


@pytest.fixture(scope="module")
def scores() -> PixelScores:
    evaluator = PixelEvaluator()
    for anomaly_map, mask in _scene():
        evaluator.update(anomaly_map, mask)
    return evaluator.compute()


def test_aupro_and_the_pixel_figures_equal_anomalibs(scores: PixelScores) -> None:
    ours = {name: getattr(scores, name) for name in ANOMALIB}
    assert ours == pytest.approx(ANOMALIB, abs=5e-6)


def test_aupimo_of_each_image_equals_anomalibs(scores: PixelScores) -> None:
    assert scores.aupimo_by_image == pytest.approx(ANOMALIB_AUPIMO, abs=1e-5)
    assert scores.aupimo == pytest.approx(np.mean(ANOMALIB_AUPIMO), abs=1e-5)
