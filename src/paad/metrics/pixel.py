"""Pixel metrics in one pass over the maps: AUROC, AP, F1-max, AUPRO, AUPIMO. No pixel is kept but thinned defects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError
from paad.metrics import ranking, score_bins

Float64 = NDArray[np.float64]

_FIRST_PIXELS = 1 << 21  # seen before the bins are laid out
_KEPT_DEFECT_PIXELS = 1 << 15  # of one image, for its own recall curve; more are thinned to as many quantiles


@dataclass(frozen=True)
class PixelScores:
    """Pixel metrics, each a fraction in [0, 1] or None where it is not defined (no defect, no good image, no mask)."""

    auroc: float | None
    ap: float | None
    f1_max: float | None
    aupro_30: float | None
    aupro_5: float | None
    aupimo: float | None
    aupimo_by_image: tuple[float, ...] = ()
    curves: dict[str, Float64] = field(default_factory=dict, repr=False, compare=False)

    def block(self) -> dict[str, float | None]:
        """The block "pixel" of ``paad evaluate --json``."""
        names = ("auroc", "ap", "f1_max", "aupro_30", "aupro_5", "aupimo")
        return {name: getattr(self, name) for name in names}


class PixelEvaluator:
    """Counts pixels of anomaly maps into bins; :meth:`compute` may be called at any time, and again later."""

    def __init__(self) -> None:
        self._waiting: list[tuple[NDArray[np.uint32], NDArray[np.int32], Float64, bool]] = []
        self._n_waiting = 0
        self._pages: score_bins.Pages | None = None
        self._histogram: Float64 = np.zeros((0, 4))
        self._n_regions = 0
        self._n_good_images = 0
        self._defect_keys: list[NDArray[np.uint32]] = []

    def update(self, anomaly_map: NDArray[Any], mask: NDArray[Any] | None, is_good: bool | None = None) -> None:
        """Count one image.

        Args:
            anomaly_map: [H, W], larger is more anomalous; infinite values are allowed.
            mask: [H, W], non-zero on the defect; None for a good image.
            is_good: whether the whole image is good (it then sets AUPIMO's thresholds); None: where no pixel is marked.

        Raises:
            DataError: the shapes differ or are not [H, W], or the map holds nan.
        """
        scores = np.ascontiguousarray(anomaly_map, np.float32)
        if scores.ndim != 2 or scores.size == 0 or (mask is not None and np.shape(mask) != scores.shape):
            raise DataError(
                f"anomaly map has shape {scores.shape}, mask {None if mask is None else np.shape(mask)}; "
                "both must be the same [H, W]"
            )
        if np.isnan(scores.min()):
            raise DataError(f"anomaly map holds nan in {int(np.isnan(scores).sum())} pixels; give numbers only")
        regions, areas = label_regions(mask)
        good = len(areas) <= 1 if is_good is None else is_good
        if good and len(areas) > 1:
            raise DataError(f"an image labelled good has {len(areas) - 1} defect regions in its mask; mend one of them")
        self._n_good_images += good
        self._n_regions += max(len(areas) - 1, 0)
        bits = score_bins.bits_of(scores)
        if len(areas) > 1:
            self._defect_keys.append(_thinned(score_bins.keys_of(bits[regions > 0])))
        if self._pages is None:
            if np.may_share_memory(scores, anomaly_map):
                bits = bits.copy()
            self._waiting.append((bits, regions, areas, good))
            self._n_waiting += bits.size
            if self._n_waiting >= _FIRST_PIXELS:
                self._lay_out()
        else:
            self._count(bits, regions, areas, good)

    def compute(self) -> PixelScores:
        """All pixel metrics of the images so far."""
        if self._pages is None:
            self._lay_out()
        rows = score_bins.occupied(self._histogram)
        counts = self._histogram[rows]
        pixels = ranking.Ranking(counts[:, score_bins.GOOD], counts[:, score_bins.DEFECT])
        by_image = self._aupimo_by_image(rows, counts[:, score_bins.GOOD_IMAGE])
        if not pixels.is_defined:
            return PixelScores(None, None, None, None, None, None)
        fpr, tpr = pixels.rates()
        overlap = np.concatenate([[0.0], np.cumsum(counts[:, score_bins.REGION])]) / self._n_regions
        grid = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 101)])
        return PixelScores(
            auroc=ranking.auroc(pixels),
            ap=ranking.average_precision(pixels),
            f1_max=ranking.f1_max(pixels),
            aupro_30=ranking.area_to_limit(fpr, overlap, 0.3),
            aupro_5=ranking.area_to_limit(fpr, overlap, 0.05),
            aupimo=float(np.mean(by_image)) if by_image else None,
            aupimo_by_image=by_image,
            curves={
                "fpr": grid,
                "tpr": ranking.sampled(fpr, tpr, grid),
                "pro": ranking.sampled(fpr, overlap, grid),
            },
        )

    def _lay_out(self) -> None:
        seen = np.zeros((score_bins.PAGES, 2))
        for bits, regions, _, _ in self._waiting:
            score_bins.count_pages(bits, regions, seen)
        self._pages = score_bins.plan_pages(seen)
        self._histogram = np.zeros((self._pages.n_bins, 4))
        for waiting in self._waiting:
            self._count(*waiting)
        self._waiting.clear()

    def _count(self, bits: NDArray[np.uint32], regions: NDArray[np.int32], areas: Float64, good: bool) -> None:
        assert self._pages is not None
        start, shift = self._pages.start, self._pages.shift
        if good:
            score_bins.count_good_image(bits, start, shift, self._histogram)
        else:
            labels = regions if regions.size else np.zeros(bits.size, np.int32)
            score_bins.count_defect_image(bits, labels, areas, start, shift, self._histogram)

    def _aupimo_by_image(self, rows: NDArray[np.int64], good_image_area: Float64) -> tuple[float, ...]:
        if self._n_good_images == 0 or not self._defect_keys or self._pages is None:
            return ()
        fpr = np.cumsum(good_image_area) / self._n_good_images
        near = slice(max(int(np.searchsorted(fpr, _AUPIMO_LOWER)) - 1, 0), int(np.searchsorted(fpr, _AUPIMO_UPPER)) + 1)
        areas = []
        for keys in self._defect_keys:
            bins = score_bins.bins_of_keys(keys, self._pages.start, self._pages.shift)
            tpr = 1.0 - np.searchsorted(bins, rows[near]) / len(bins)
            areas.append(aupimo_area(fpr[near], tpr))
        return tuple(areas)


_AUPIMO_LOWER, _AUPIMO_UPPER = 1e-5, 1e-4


def aupimo_area(fpr: Float64, tpr: Float64, lower: float = _AUPIMO_LOWER, upper: float = _AUPIMO_UPPER) -> float:
    """Area under one image's recall over the logarithm of the good images' mean FPR, normalised to [0, 1].

    Bertoldo et al., "AUPIMO: Redefining Visual Anomaly Detection Benchmarks with High Speed and Low Tolerance"
    (arXiv 2401.01984): the integral of TPR d(log FPR) from ``lower`` to ``upper``, divided by log(upper / lower).
    Below the first threshold with a false positive, the recall without any false positive is held constant.

    Args:
        fpr: [N] ascending, the mean over the good images of each one's false positive rate.
        tpr: [N] the image's recall at the same thresholds.
    """
    silent = fpr <= 0.0
    floor = float(tpr[silent][-1]) if silent.any() else 0.0
    x, y = np.log(fpr[~silent]), tpr[~silent]
    low, high = np.log(lower), np.log(upper)
    if len(x) == 0 or x[0] >= high:
        return floor
    inside = (x > low) & (x < high)
    xs, ys = [low], [float(np.interp(low, x, y, left=floor))]
    if x[0] > low:
        xs, ys = [low, x[0]], [floor, floor]
    xs_all = np.concatenate([xs, x[inside], [high]])
    ys_all = np.concatenate([ys, y[inside], [np.interp(high, x, y)]])
    return ranking.trapezoid(ys_all, xs_all) / float(high - low)


def label_regions(mask: NDArray[Any] | None) -> tuple[NDArray[np.int32], Float64]:
    """Flat labels [H * W] (0 is good) and areas [R + 1] in pixels of the 8-connected regions; empty for None."""
    if mask is None:
        return np.zeros(0, np.int32), np.zeros(1)
    binary = np.ascontiguousarray(mask != 0, np.uint8)
    n, labels, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8, ltype=cv2.CV_32S)
    if n <= 1:
        return np.zeros(0, np.int32), np.zeros(1)
    return labels.reshape(-1), stats[:, cv2.CC_STAT_AREA].astype(np.float64)


def _thinned(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Keys in ascending order, at most as many as are kept, evenly spaced in rank."""
    ordered = np.sort(keys)
    if len(ordered) <= _KEPT_DEFECT_PIXELS:
        return ordered
    ranks = (np.arange(_KEPT_DEFECT_PIXELS) + 0.5) * (len(ordered) / _KEPT_DEFECT_PIXELS)
    return ordered[ranks.astype(np.int64)]
