"""Which training views a sparse split holds: published lists for the rig of MAD, one rule for everything else.

The rule is farthest-point sampling of the viewing directions (Gonzalez, "Clustering to minimize the maximum
intercluster distance", 1985): start with one view, then always add the view whose direction is farthest from those
already chosen. Splits of one order are nested: the views of 10 % are among those of 20 %.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from paad.errors import UsageError
from paad.geometry.se3 import camera_centre
from paad.metrics.pose import look_at_centre

SHARES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.1)
"""Shares of the training views that the protocol reports; and SHOTS views."""
SHOTS = 4

_SAME_ANGLE_DEG = 1e-3


def viewing_directions(cams_from_world: NDArray[np.floating]) -> NDArray[np.float64]:
    """Unit vectors [N, 3] from the point that cameras [N, 4, 4] look at to each camera."""
    centre = look_at_centre(list(cams_from_world))
    away = np.stack([camera_centre(cam) for cam in cams_from_world]) - centre
    unit: NDArray[np.float64] = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    return unit


def farthest_point_order(directions: NDArray[np.floating], seed: int = 0) -> list[int]:
    """All indices of unit vectors [N, 3], each the farthest from those before it.

    Seed 0 starts with index 0, any other seed with a random index. Angles that differ by less than 0.001 degrees
    count as equal and the lowest index wins, so that the digits of a pose file do not change the order.
    """
    n = len(directions)
    if n == 0:
        return []
    first = 0 if seed == 0 else int(np.random.default_rng(seed).integers(n))
    order, nearest = [first], np.full(n, np.inf)
    while len(order) < n:
        cosine = np.clip(directions @ directions[order[-1]], -1.0, 1.0)
        nearest = np.minimum(nearest, np.degrees(np.arccos(cosine)))
        nearest[order] = -1.0
        order.append(int(np.flatnonzero(nearest >= nearest.max() - _SAME_ANGLE_DEG)[0]))
    return order


def count_of(views: float, n: int) -> int:
    """How many of ``n`` views a split holds: a share in (0, 1], or a whole number above 1 of views ("shots").

    Raises:
        UsageError: neither of the two.
    """
    if 0.0 < views <= 1.0:
        return max(1, int(views * n + 0.5))
    if views > 1.0 and float(views).is_integer():
        return min(int(views), n)
    raise UsageError(f"--views {views:g}: give a share in (0, 1] such as 0.2, or a number of views such as 4")


def split_name(views: float) -> str:
    """ "100%", "20%", "4-shot": how a split is called in tables and file names."""
    return f"{100.0 * views:g}%" if views <= 1.0 else f"{int(views)}-shot"


def split_of_name(name: str) -> float:
    """The share or number that :func:`split_name` wrote as ``name``."""
    return float(name.removesuffix("%")) / 100.0 if name.endswith("%") else float(name.removesuffix("-shot"))


def choose_views(views: float, n: int, cams_from_world: NDArray[np.floating] | None) -> list[int]:
    """Ascending indices of the views in a split of ``n`` training views.

    Without poses the indices are evenly spaced over the list of files.

    Raises:
        UsageError: ``views`` is neither a share nor a number of views.
    """
    count = count_of(views, n)
    if count == n:
        return list(range(n))
    if cams_from_world is None or len(cams_from_world) == 0:
        return sorted({int((i + 0.5) * n / count) for i in range(count)})
    return sorted(farthest_point_order(viewing_directions(cams_from_world))[:count])


@cache
def published_splits() -> dict[str, list[int]]:
    """The splits of the 210 training views of MAD's rig by name, as the package ships them."""
    text = (files("paad.bench") / "published" / "mad_rig_splits.json").read_text(encoding="utf-8")
    splits: dict[str, list[int]] = json.loads(text)["splits"]
    return splits
