"""Two detectors on the same photos: figures of resampled photos from sums over each photo, so that none is read twice.

Every pixel figure is a function of sums over photos of pixel counts by score. So the pixels of a photo are counted
once, into at most some two thousand bins; a bootstrap then weighs the photos' counts. Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.metrics.pixel import aupimo_area, label_regions

Float64 = NDArray[np.float64]

FIGURES = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro_30", "aupro_5", "aupimo")
"""What :func:`resampled` computes."""

_TAIL = 512  # highest scores of good photos that have bins of their own: AUPIMO looks at 1 of 10,000 pixels
_QUANTILES = 512  # of the good pixels (geometrically spaced from the top) and of the defective ones


@dataclass(frozen=True)
class PhotoCounts:
    """Pixels of one photo by distinct score: ``values`` [V] ascending, and for each the pixels that have it.

    Attributes:
        good, defect: numbers of pixels [V] outside and inside the true defects.
        region: the sum [V] over defective pixels of 1 / (area of the pixel's region).
        n_regions: connected regions of the mask.
        is_good: whether the photo shows a good object.
    """

    values: Float64
    good: Float64
    defect: Float64
    region: Float64
    n_regions: int
    is_good: bool


def count_photo(
    codes: NDArray[np.uint16], values: Float64, mask: NDArray[np.bool_] | None, is_good: bool
) -> PhotoCounts:
    """Count a map given as codes [H, W] into a table of ``values`` [65536]; infinite values are allowed."""
    flat, n = codes.reshape(-1), len(values)
    labels, areas = label_regions(mask)
    if labels.size == 0:
        labels = np.zeros(flat.size, np.int32)
    inside = labels > 0
    good = np.bincount(flat[~inside], minlength=n).astype(np.float64)
    defect = np.bincount(flat[inside], minlength=n).astype(np.float64)
    region = np.bincount(flat[inside], weights=1.0 / areas[labels[inside]], minlength=n).astype(np.float64)
    used = np.flatnonzero((good > 0) | (defect > 0))
    used = used[np.argsort(values[used], kind="stable")]
    return PhotoCounts(values[used], good[used], defect[used], region[used], max(len(areas) - 1, 0), is_good)


@dataclass(frozen=True)
class Sums:
    """What is left of a detector's answers on I photos: image scores, and pixel counts in B bins, highest score first.

    Attributes:
        scores, is_defect: [I] image scores and labels.
        good, defect, region: [I, B] as in :class:`PhotoCounts`; zero rows for photos left out of the pixel figures.
        n_regions: [I].
    """

    scores: Float64
    is_defect: NDArray[np.bool_]
    good: Float64
    defect: Float64
    region: Float64
    n_regions: Float64


def sums_of(scores: Sequence[float], is_defect: Sequence[bool], photos: Sequence[PhotoCounts | None] | None) -> Sums:
    """Lay out common bins and count all photos into them; None in ``photos`` leaves a photo out of the pixel figures.

    Without ``photos`` there are image figures only.
    """
    n = len(scores)
    edges = _edges([photo for photo in photos or () if photo is not None])
    good, defect, region = columns = np.zeros((3, n, len(edges)))
    regions = np.zeros(n)
    for i, photo in enumerate(photos or ()):
        if photo is None:
            continue
        place = len(edges) - np.searchsorted(edges, photo.values, side="right")  # 0 is the highest bin
        for column, counts in zip(columns, (photo.good, photo.defect, photo.region), strict=True):
            column[i] = np.bincount(place, counts, minlength=len(edges))
        regions[i] = photo.n_regions
    return Sums(np.asarray(scores, np.float64), np.asarray(is_defect, bool), good, defect, region, regions)


def _edges(photos: Sequence[PhotoCounts]) -> Float64:
    """Ascending lower ends of the bins; the first is -inf."""
    if not photos:
        return np.zeros(0)
    values = np.concatenate([p.values for p in photos])
    falling = np.argsort(-values, kind="stable")
    values = values[falling]
    good, defect = (np.concatenate([getattr(p, name) for p in photos])[falling] for name in ("good", "defect"))
    in_good_photo = np.concatenate([np.full(len(p.values), p.is_good) for p in photos])[falling]
    chosen = [np.flatnonzero(in_good_photo)[:_TAIL]]
    for counts, shares in ((good, np.geomspace(1e-6, 1.0, _QUANTILES)), (defect, np.linspace(0.0, 1.0, _QUANTILES))):
        total = np.cumsum(counts)
        if total[-1] > 0:
            chosen.append(np.minimum(np.searchsorted(total, shares * total[-1]), len(total) - 1))
    return np.unique(np.append(values[np.concatenate(chosen)], -np.inf))


def resampling(is_defect: NDArray[np.bool_], n: int, seed: int) -> Float64:
    """How often each photo is drawn, [n, I]: with replacement, as many good and as many defective ones as there are."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((n, len(is_defect)))
    for group in (np.flatnonzero(~is_defect), np.flatnonzero(is_defect)):
        if group.size:
            weights[:, group] = rng.multinomial(group.size, np.full(group.size, 1.0 / group.size), size=n)
    return weights


def resampled(sums: Sums, weights: Float64) -> dict[str, Float64]:
    """Each of :data:`FIGURES` for every row of ``weights`` [n, I], as [n]; those that are not defined are left out."""
    if not sums.is_defect.any() or sums.is_defect.all():
        return {}
    found = {"image_auroc": _image_auroc(sums, weights)}
    good, defect, region = weights @ sums.good, weights @ sums.defect, weights @ sums.region
    if good.shape[1] == 0 or not (defect.sum(axis=1).all() and good.sum(axis=1).all()):
        return found
    fp, tp = np.cumsum(good, axis=1), np.cumsum(defect, axis=1)
    found["pixel_auroc"] = 1.0 - (defect * (fp - 0.5 * good)).sum(axis=1) / (tp[:, -1] * fp[:, -1])
    with np.errstate(invalid="ignore"):
        precision = np.where(tp + fp > 0, tp / (tp + fp), 0.0)
    found["pixel_ap"] = (precision * defect).sum(axis=1) / tp[:, -1]
    overlap = np.cumsum(region, axis=1) / (weights @ sums.n_regions)[:, None]
    fpr = fp / fp[:, -1:]
    found["aupro_30"], found["aupro_5"] = _area_to(fpr, overlap, 0.3), _area_to(fpr, overlap, 0.05)
    aupimo = _aupimo(sums, weights)
    return found if aupimo is None else {**found, "aupimo": aupimo}


def _image_auroc(sums: Sums, weights: Float64) -> Float64:
    good, defect = sums.scores[~sums.is_defect], sums.scores[sums.is_defect]
    wins = (defect[:, None] > good[None, :]) + 0.5 * (defect[:, None] == good[None, :])
    of_good, of_defect = weights[:, ~sums.is_defect], weights[:, sums.is_defect]
    total: Float64 = ((of_defect @ wins) * of_good).sum(axis=1) / (of_defect.sum(axis=1) * of_good.sum(axis=1))
    return total


def _area_to(fpr: Float64, rate: Float64, limit: float) -> Float64:
    """Normalised area under each row's curve from 0 to ``limit``, as :func:`paad.metrics.ranking.area_to_limit`."""
    x0, y0 = (np.pad(a, ((0, 0), (1, 0)))[:, :-1] for a in (fpr, rate))
    width = np.clip(limit - x0, 0.0, fpr - x0)
    with np.errstate(invalid="ignore", divide="ignore"):
        end = np.where(fpr > x0, y0 + (rate - y0) * width / (fpr - x0), y0)
    area: Float64 = (0.5 * (y0 + end) * width).sum(axis=1) / limit
    return area


def _aupimo(sums: Sums, weights: Float64) -> Float64 | None:
    """The mean over photos of an area that is linear in the recall is the area under the mean recall."""
    pixels = sums.good.sum(axis=1)
    usable = ~sums.is_defect & (pixels > 0)
    defects = sums.is_defect & (sums.n_regions > 0)
    if not usable.any() or not defects.any():
        return None
    of_good, of_defect = weights[:, usable], weights[:, defects]
    shares = sums.good[usable] / pixels[usable, None]
    recalls = sums.defect[defects] / sums.defect[defects].sum(axis=1, keepdims=True)
    fpr = np.cumsum(of_good @ shares, axis=1) / of_good.sum(axis=1, keepdims=True)
    tpr = np.cumsum(of_defect @ recalls, axis=1) / of_defect.sum(axis=1, keepdims=True)
    return np.array([aupimo_area(x, y) for x, y in zip(fpr, tpr, strict=True)])
