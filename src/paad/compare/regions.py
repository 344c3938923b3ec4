"""Connected regions of an anomaly map, and what kind of defect each is."""

from __future__ import annotations

import cv2
import numpy as np

from paad.types import Bool, Float32, Kind, Region

_LOW = 0.5
"""A region grows out from its peak down to this share of the threshold."""
_LEAST_AREA = 3
_SHARE = 0.4


def find_regions(
    anomaly: Float32,
    threshold: float,
    alpha: Float32,
    like_background: Bool | None,
    limit: int = 50,
) -> tuple[Region, ...]:
    """Regions of ``anomaly`` [H, W] with a peak above ``threshold``, largest peak first.

    Args:
        anomaly: anomaly map.
        threshold: least peak; a region reaches down to half of it.
        alpha: the reference's coverage [H, W], 1 where the good object is.
        like_background: [H, W], where the query shows background; None where that cannot be told.
        limit: at most so many regions.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (anomaly > _LOW * threshold).astype(np.uint8), connectivity=8
    )
    found = []
    for k in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[k])
        window = (slice(y, y + h), slice(x, x + w))
        inside = labels[window] == k
        peak = float(anomaly[window][inside].max())
        if peak <= threshold or area < _LEAST_AREA:
            continue
        kind = None
        if like_background is not None:
            kind = kind_of(alpha[window][inside], like_background[window][inside], anomaly[window][inside])
        found.append(Region((x, y, x + w, y + h), area, peak, kind))
    return tuple(sorted(found, key=lambda r: -r.peak)[:limit])


def kind_of(alpha: Float32, like_background: Bool, weight: Float32) -> Kind:
    """Kind of a region from its pixels [P]: the object's expected coverage and whether background is seen.

    missing: background shows where the object should be; burr: object where background should be; else a stain.
    """
    total = float(weight.sum())
    gone = float(weight[(alpha > 0.5) & like_background].sum()) / total
    extra = float(weight[(alpha < 0.5) & ~like_background].sum()) / total
    if max(gone, extra) < _SHARE:
        return "stain"
    return "missing" if gone >= extra else "burr"
