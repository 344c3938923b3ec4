"""What every threshold-free metric needs: the weight of good and of defective samples at each distinct score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paad.errors import DataError

Float64 = NDArray[np.float64]


def trapezoid(y: Float64, x: Float64) -> float:
    """Area under straight lines through (x, y) [N] (numpy renamed its own between 1.26 and 2)."""
    return float(np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x)))


@dataclass(frozen=True)
class Ranking:
    """Good and defective samples at each distinct score, the highest score first.

    Attributes:
        good: float64 [N], number (or weight) of good samples at each score.
        defect: float64 [N], the same for defective samples.
    """

    good: Float64
    defect: Float64

    @property
    def is_defined(self) -> bool:
        """Whether both classes have a sample; every metric of this module is None otherwise."""
        return bool(self.good.sum() > 0 and self.defect.sum() > 0)

    def rates(self) -> tuple[Float64, Float64]:
        """False positive and true positive rates [N + 1] at thresholds from above the highest score downwards."""
        fp = np.concatenate([[0.0], np.cumsum(self.good)])
        tp = np.concatenate([[0.0], np.cumsum(self.defect)])
        return fp / fp[-1], tp / tp[-1]


def rank(scores: ArrayLike, is_defect: ArrayLike) -> Ranking:
    """The ranking of ``scores`` [N] with labels [N]; infinite scores are allowed.

    Raises:
        DataError: the shapes differ, or a score is nan.
    """
    values = np.asarray(scores, np.float64).ravel()
    labels = np.asarray(is_defect, bool).ravel()
    if values.shape != labels.shape:
        raise DataError(f"{values.size} scores but {labels.size} labels; there must be one label for each score")
    if np.isnan(values).any():
        raise DataError(f"{int(np.isnan(values).sum())} of {values.size} scores are nan; give a number for each sample")
    _, place = np.unique(-values, return_inverse=True)
    n = int(place.max()) + 1 if place.size else 0
    return Ranking(
        np.bincount(place[~labels], minlength=n).astype(np.float64),
        np.bincount(place[labels], minlength=n).astype(np.float64),
    )


def auroc(ranking: Ranking) -> float | None:
    """Area under the ROC curve; equal scores count half. None without both classes."""
    if not ranking.is_defined:
        return None
    fpr, tpr = ranking.rates()
    return trapezoid(tpr, fpr)


def average_precision(ranking: Ranking) -> float | None:
    """Sum of precision times the step in recall, as scikit-learn defines it. None without both classes."""
    if not ranking.is_defined:
        return None
    tp = np.cumsum(ranking.defect)
    predicted = tp + np.cumsum(ranking.good)
    with np.errstate(invalid="ignore"):
        precision = np.where(predicted > 0, tp / predicted, 0.0)
    return float(np.sum(precision * ranking.defect) / tp[-1])


def f1_max(ranking: Ranking) -> float | None:
    """The best F1 over all thresholds. None without both classes."""
    if not ranking.is_defined:
        return None
    tp = np.cumsum(ranking.defect)
    predicted = tp + np.cumsum(ranking.good)
    return float(np.max(2.0 * tp / (predicted + tp[-1])))


def tpr_at_fpr(ranking: Ranking, limit: float = 0.02) -> float | None:
    """The highest true positive rate that some threshold reaches with a false positive rate of at most ``limit``.

    No interpolation: with fewer than ``1 / limit`` good samples it is the rate without any false alarm.
    None without both classes.
    """
    if not ranking.is_defined:
        return None
    fpr, tpr = ranking.rates()
    return float(tpr[np.searchsorted(fpr, limit * (1.0 + 1e-12), side="right") - 1])


def area_to_limit(fpr: Float64, rate: Float64, limit: float) -> float:
    """Normalised area under ``rate`` [N] over ``fpr`` [N] (ascending from 0) up to ``limit``, linear between points.

    The curve is cut at ``limit`` by interpolation and the area divided by ``limit``, so that 1 is perfect: the
    definition of AUPRO in "The MVTec Anomaly Detection Dataset", Bergmann et al., IJCV 2021.
    """
    inside = int(np.searchsorted(fpr, limit, side="right"))
    x, y = fpr[:inside], rate[:inside]
    if inside < len(fpr) and x[-1] < limit:
        share = (limit - x[-1]) / (fpr[inside] - x[-1])
        x = np.append(x, limit)
        y = np.append(y, y[-1] + share * (rate[inside] - y[-1]))
    return min(1.0, trapezoid(y, x) / limit)  # rounding alone could lift a perfect 1 above 1


def sampled(fpr: Float64, rate: Float64, grid: Float64) -> Float64:
    """The curve's highest ``rate`` at each false positive rate of ``grid`` (linear between points), for plots."""
    last = np.append(fpr[1:] > fpr[:-1], True)
    rates: Float64 = np.interp(grid, fpr[last], rate[last])
    return rates
