"""Bootstrap intervals over images, and the paired comparison of two detectors on the same images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paad.errors import DataError

Metric = Callable[[NDArray[np.float64], NDArray[np.bool_]], float | None]


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval; ``p_value`` is two-sided and only set for a paired difference."""

    value: float
    low: float
    high: float
    p_value: float | None = None


def _resamples(labels: NDArray[np.bool_], n: int, seed: int) -> list[NDArray[np.int64]]:
    """Index lists drawn with replacement within each class, so that every resample has both."""
    rng = np.random.default_rng(seed)
    good, defect = np.flatnonzero(~labels), np.flatnonzero(labels)
    return [np.concatenate([rng.choice(good, good.size), rng.choice(defect, defect.size)]) for _ in range(n)]


def _checked(is_defect: ArrayLike, *scores: ArrayLike) -> tuple[NDArray[np.bool_], list[NDArray[np.float64]]]:
    labels = np.asarray(is_defect, bool).ravel()
    arrays = [np.asarray(s, np.float64).ravel() for s in scores]
    if any(a.shape != labels.shape for a in arrays) or labels.all() or not labels.any():
        raise DataError(
            f"{[a.size for a in arrays]} scores and {labels.size} labels, {int(labels.sum())} of them defective: "
            "a bootstrap needs one score for each label and both classes"
        )
    return labels, arrays


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def interval(
    metric: Metric, scores: ArrayLike, is_defect: ArrayLike, *, level: float = 0.95, n: int = 1000, seed: int = 0
) -> Interval:
    """Percentile bootstrap of an image metric such as :func:`paad.metrics.image.auroc`, stratified by label.

    Raises:
        DataError: the lengths differ or a class is missing.
    """
    labels, (values,) = _checked(is_defect, scores)
    drawn = [_number(metric(values[i], labels[i])) for i in _resamples(labels, n, seed)]
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    return Interval(_number(metric(values, labels)), float(low), float(high))


def paired_difference(
    metric: Metric,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    is_defect: ArrayLike,
    *,
    level: float = 0.95,
    n: int = 1000,
    seed: int = 0,
) -> Interval:
    """Metric of detector a minus that of b on the same images, both resampled with the same images.

    ``p_value`` is twice the smaller share of resamples on either side of zero (ties on both), at least 1 / (n + 1).

    Raises:
        DataError: the lengths differ or a class is missing.
    """
    labels, (a, b) = _checked(is_defect, scores_a, scores_b)
    drawn = np.array(
        [_number(metric(a[i], labels[i])) - _number(metric(b[i], labels[i])) for i in _resamples(labels, n, seed)]
    )
    return difference_of(_number(metric(a, labels)) - _number(metric(b, labels)), drawn, level)


def difference_of(value: float, drawn: NDArray[np.float64], level: float = 0.95) -> Interval:
    """The interval and two-sided p-value of a difference ``value`` from its bootstrap draws [n].

    ``p_value`` is twice the smaller share of draws on either side of zero (ties on both), at least 1 / (n + 1).
    """
    tail = 0.5 * (1.0 - level)
    low, high = np.quantile(drawn, [tail, 1.0 - tail])
    side = (1 + min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))) / (len(drawn) + 1)
    return Interval(value, float(low), float(high), min(1.0, 2.0 * side))
