"""Connected regions of an anomaly map."""

from __future__ import annotations

import cv2
import numpy as np

from paad.compare.kinds import Scene, kind_of
from paad.types import Bool, Float32, Region

_LOW = 0.5
"""A region grows out from its peak down to this share of the threshold."""


def regions_of(anomaly: Float32, threshold: float, limit: int = 50) -> list[Bool]:
    """Connected regions [H, W] of ``anomaly``, largest peak first, at most ``limit``.

    A region's peak is at least ``threshold``, and it reaches down to half of that.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (anomaly > _LOW * threshold).astype(np.uint8), connectivity=8
    )
    found: list[tuple[float, Bool]] = []
    for k in range(1, count):
        x, y, w, h = (int(v) for v in stats[k][:4])
        peak = float(anomaly[y : y + h, x : x + w][labels[y : y + h, x : x + w] == k].max())
        if peak >= threshold:
            found.append((peak, labels == k))
    return [region for _, region in sorted(found, key=lambda f: -f[0])[:limit]]


def find_regions(
    anomaly: Float32, threshold: float, scene: Scene | None, width: int, height: int, limit: int = 50
) -> tuple[Region, ...]:
    """Regions of ``anomaly`` [H, W], see :func:`regions_of`, in pixels of a picture of ``width`` by ``height``.

    Args:
        anomaly: anomaly map.
        threshold: least peak.
        scene: what their kinds are judged from; None where background cannot be told: then they have none.
        width, height: of the photo, pixels.
        limit: at most so many regions.
    """
    along_x, along_y = width / anomaly.shape[1], height / anomaly.shape[0]
    found = []
    for inside in regions_of(anomaly, threshold, limit):
        ys, xs = np.nonzero(inside)
        box = (
            int(np.floor(xs.min() * along_x)),
            int(np.floor(ys.min() * along_y)),
            min(width, int(np.ceil((xs.max() + 1) * along_x))),
            min(height, int(np.ceil((ys.max() + 1) * along_y))),
        )
        area = max(1, round(len(xs) * along_x * along_y))
        kind = None if scene is None else kind_of(scene, inside)
        found.append(Region(box, area, float(anomaly[inside].max()), kind))
    return tuple(found)
