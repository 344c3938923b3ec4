"""Metrics of one score an image: AUROC, average precision, F1-max, TPR at a false positive rate, by specimen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paad.errors import DataError
from paad.metrics import ranking


def auroc(scores: ArrayLike, is_defect: ArrayLike) -> float | None:
    """Area under the ROC curve of ``scores`` [N] (larger is more anomalous). None without both classes."""
    return ranking.auroc(ranking.rank(scores, is_defect))


def average_precision(scores: ArrayLike, is_defect: ArrayLike) -> float | None:
    """Average precision of ``scores`` [N], as scikit-learn defines it. None without both classes."""
    return ranking.average_precision(ranking.rank(scores, is_defect))


def f1_max(scores: ArrayLike, is_defect: ArrayLike) -> float | None:
    """The best F1 over all thresholds of ``scores`` [N]. None without both classes."""
    return ranking.f1_max(ranking.rank(scores, is_defect))


def tpr_at_fpr(scores: ArrayLike, is_defect: ArrayLike, limit: float = 0.02) -> float | None:
    """The highest true positive rate with at most ``limit`` false positives. None without both classes."""
    return ranking.tpr_at_fpr(ranking.rank(scores, is_defect), limit)


def image_metrics(scores: ArrayLike, is_defect: ArrayLike) -> dict[str, float | None]:
    """The block "image" of ``paad evaluate --json``: auroc, ap, f1_max, tpr_at_fpr_2."""
    ranked = ranking.rank(scores, is_defect)
    return {
        "auroc": ranking.auroc(ranked),
        "ap": ranking.average_precision(ranked),
        "f1_max": ranking.f1_max(ranked),
        "tpr_at_fpr_2": ranking.tpr_at_fpr(ranked, 0.02),
    }


_REDUCERS: dict[str, Callable[[list[float]], float]] = {"max": max, "mean": lambda values: float(np.mean(values))}


def specimen_auroc(
    scores: ArrayLike, is_defect: ArrayLike, specimens: Sequence[str], reduce: Literal["max", "mean"] = "max"
) -> float | None:
    """AUROC where all views of one specimen count as one sample.

    A specimen is defective if any of its views shows a defect: a part with a hidden defect is still a bad part.
    Its score is the highest ("max") or the mean ("mean") of its views' scores.

    Raises:
        DataError: the lengths differ, or ``reduce`` is not known.
    """
    values, labels = np.asarray(scores, np.float64).ravel(), np.asarray(is_defect, bool).ravel()
    if not len(values) == len(labels) == len(specimens):
        raise DataError(
            f"{len(values)} scores, {len(labels)} labels, {len(specimens)} specimens; there must be as many of each"
        )
    if reduce not in _REDUCERS:
        raise DataError(f"reduce is {reduce!r}; it must be one of: {', '.join(_REDUCERS)}")
    views: dict[str, list[int]] = {}
    for i, specimen in enumerate(specimens):
        views.setdefault(specimen, []).append(i)
    merged = [_REDUCERS[reduce]([float(values[i]) for i in rows]) for rows in views.values()]
    return auroc(merged, [bool(labels[rows].any()) for rows in views.values()])
