"""Several photos of one specimen: their evidence added up on its surface, for one verdict and one place.

A false alarm, such as a glint or an edge seen edge-on, is seldom at the same place in another photo; a defect is,
wherever the place shows. And each place is measured by what good views showed there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paad.compare.calibration import Calibration
from paad.compare.surface import Surface
from paad.errors import DataError
from paad.types import Float32, Float64

_FLOOR = 0.2
"""Added to values before the logarithm: below a fifth of a good view's usual peak, differences mean nothing."""
_PRIOR_VIEWS = 10.0
"""A cell that few good views show is taken to be like the others: its own views weigh against so many."""
_LEAST = -1.0
"""In standard deviations: a photo in which a place looks spotless says no more than this against a defect there."""
_OWN_LEVEL = 0.5
"""Share of a photo's overall excess (its median, in logarithms) that is put down to the photo and taken off."""
_ORDERS = 9


@dataclass(frozen=True)
class GoodSurface:
    """What held-out good views showed on the object's surface.

    Attributes:
        surface: its cells.
        good: float32 [V, C], anomaly of each view in each cell, nan where it is not seen.
    """

    surface: Surface
    good: Float32

    def evidence(self, photos: Float32) -> Float64:
        """Mean evidence of a defect in each cell [C], in standard deviations a photo, from photos' values [K, C]."""
        return _evidence(photos, self.good)

    def calibrations(self, count: int) -> list[Calibration]:
        """Scores of make-believe specimens, each ``count`` good views, in several orders of the views.

        A specimen's views are not among those that say what is usual. Where there are too few views for three
        specimens of ``count`` photos, specimens of fewer are taken, whose scores scatter more.

        Raises:
            DataError: fewer than three good views.
        """
        views = len(self.good)
        if views < 3:
            raise DataError(
                f"the model keeps {views} good views to compare specimens with; at least 3 are needed. Fit it to more "
                "views, or with a larger hold_out"
            )
        size = max(1, min(count, views // 3))
        out = []
        for seed in range(_ORDERS):
            order = np.random.default_rng(seed).permutation(views)
            groups = [order[i : i + size] for i in range(0, views - size + 1, size)]
            scores = [_evidence(self.good[g], np.delete(self.good, g, axis=0)).max() for g in groups]
            out.append(Calibration(tuple(float(np.exp(s)) for s in scores), None))
        return out


@dataclass(frozen=True)
class Judgement:
    """Evidence in each cell [C] (standard deviations a photo), the largest, its threshold and p-value."""

    evidence: Float64
    score: float
    threshold: float
    p_value: float


def judge(model: GoodSurface, photos: Float32, false_alarm_rate: float) -> Judgement:
    """Judge a specimen from what its photos show in each cell [K, C], nan where a cell is not seen; K at least 1.

    Raises:
        DataError: no photos, or too few good views in the model.
        UsageError: a rate outside (0, 1).
    """
    if len(photos) == 0:
        raise DataError("no photo of the specimen has a trustworthy pose; without one there is no verdict")
    evidence = model.evidence(photos)
    score = float(evidence.max())
    calibrations = model.calibrations(len(photos))
    thresholds = [c.threshold(false_alarm_rate) for c in calibrations]
    p_values = [c.p_value(float(np.exp(score))) for c in calibrations]
    return Judgement(
        evidence,
        score,
        float(np.log(np.median([t for t in thresholds if t is not None]))),
        float(np.median([p for p in p_values if p is not None])),
    )


def _evidence(photos: Float32, good: Float32) -> Float64:
    usual, spread = _usual(good)
    excess = np.log(photos.astype(np.float64) + _FLOOR) - usual
    level = np.array([np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else 0.0 for row in excess])
    standing = np.maximum((excess - _OWN_LEVEL * level[:, None]) / spread, _LEAST)
    out: Float64 = np.nansum(standing, axis=0) / len(photos)
    return out


def _usual(good: Float32) -> tuple[Float64, Float64]:
    """Mean and standard deviation [C] of the logarithms of what good views [V, C] show in each cell."""
    logs = np.log(good.astype(np.float64) + _FLOOR)
    seen = np.isfinite(logs)
    count = seen.sum(axis=0)
    overall, variance = (float(logs[seen].mean()), float(logs[seen].var())) if seen.any() else (np.log(_FLOOR), 1.0)
    usual = (np.nansum(logs, axis=0) + _PRIOR_VIEWS * overall) / (count + _PRIOR_VIEWS)
    square = np.nansum((logs - usual) ** 2, axis=0)
    return usual, np.sqrt((square + _PRIOR_VIEWS * variance) / (count + _PRIOR_VIEWS)).clip(1e-3)
