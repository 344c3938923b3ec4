"""Metrics of estimated camera poses. A query without an estimate counts as an infinite error, never as left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paad.geometry.se3 import camera_centre, rotation_error_deg, translation_error_relative

Pose = NDArray[np.float64]


def look_at_centre(cams_from_world: Sequence[Pose]) -> NDArray[np.float64]:
    """The world point [3] nearest (least squares) to the optical axes of cameras [4, 4] that look at an object."""
    a: NDArray[np.floating] = np.zeros((3, 3))
    b: NDArray[np.floating] = np.zeros(3)
    for cam in cams_from_world:
        axis = np.asarray(cam, np.float64)[2, :3]
        across = np.eye(3) - np.outer(axis, axis)
        a, b = a + across, b + across @ camera_centre(cam)
    centre: NDArray[np.float64] = np.linalg.lstsq(a, b, rcond=None)[0]
    return centre


def pose_errors(estimate: Pose | None, truth: Pose, object_centre: ArrayLike) -> tuple[float, float]:
    """Geodesic rotation error in degrees and translation error as a share of the object's distance.

    Both are infinite where ``estimate`` is None or not finite.
    """
    if estimate is None or not np.isfinite(estimate).all():
        return float("inf"), float("inf")
    return rotation_error_deg(estimate, truth), translation_error_relative(estimate, truth, object_centre)


def auc(errors: ArrayLike, limit: float) -> float:
    """Area under the share of errors [N] below t, for t from 0 to ``limit``, normalised to [0, 1].

    The exact area under the step curve, which is the mean of ``max(0, 1 - error / limit)``.
    """
    e = np.asarray(errors, np.float64)
    return float(np.mean(np.maximum(0.0, 1.0 - e / limit)))


def success_rate(
    rotation_deg: ArrayLike, translation_relative: ArrayLike, max_deg: float, max_relative: float
) -> float:
    """Share of queries with both errors [N] below their limits."""
    r, t = np.asarray(rotation_deg, np.float64), np.asarray(translation_relative, np.float64)
    return float(np.mean((r < max_deg) & (t < max_relative)))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def pose_metrics(rotation_deg: ArrayLike, translation_relative: ArrayLike) -> dict[str, float | int | None] | None:
    """The block "pose" of ``paad evaluate --json``; None without queries.

    An infinite median or maximum is None here (JSON knows no infinity); ``n_failed`` then says why.
    """
    r, t = np.asarray(rotation_deg, np.float64), np.asarray(translation_relative, np.float64)
    if r.size == 0:
        return None
    return {
        "rot_deg_median": _finite(np.median(r)),
        "rot_deg_max": _finite(np.max(r)),
        "trans_rel_median": _finite(np.median(t)),
        "auc_5deg": auc(r, 5.0),
        "auc_10deg": auc(r, 10.0),
        "auc_20deg": auc(r, 20.0),
        "success_1deg_1pct": success_rate(r, t, 1.0, 0.01),
        "success_5deg_5pct": success_rate(r, t, 5.0, 0.05),
        "n": int(r.size),
        "n_failed": int(np.sum(~np.isfinite(r))),
    }
