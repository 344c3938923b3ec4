"""Rigid motions as 4x4 matrices (float64): inverse, exponential, logarithm, look-at, errors between poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paad.errors import DataError

Matrix = NDArray[np.float64]


def inverse(transform: NDArray[np.floating]) -> Matrix:
    """Inverse of a rigid transform [4, 4], without a general matrix inversion."""
    out = np.eye(4)
    r = np.asarray(transform[:3, :3], np.float64)
    out[:3, :3] = r.T
    out[:3, 3] = -r.T @ np.asarray(transform[:3, 3], np.float64)
    return out


def skew(v: ArrayLike) -> Matrix:
    """The matrix [3, 3] with ``skew(v) @ w == cross(v, w)``."""
    x, y, z = np.asarray(v, np.float64)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def so3_exp(omega: ArrayLike) -> Matrix:
    """Rotation [3, 3] of the rotation vector ``omega`` [3] (radians), by Rodrigues' formula."""
    w = np.asarray(omega, np.float64)
    angle = float(np.linalg.norm(w))
    k = skew(w)
    if angle < 1e-8:
        small: Matrix = np.eye(3) + k + 0.5 * (k @ k)
        return small
    rotation: Matrix = np.eye(3) + (np.sin(angle) / angle) * k + ((1.0 - np.cos(angle)) / angle**2) * (k @ k)
    return rotation


def so3_log(rotation: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotation vector [3] (radians, length at most pi) of a rotation [3, 3]; stable at 0 and at pi."""
    r = np.asarray(rotation, np.float64)
    v = 0.5 * np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    s, c = float(np.linalg.norm(v)), 0.5 * (float(np.trace(r)) - 1.0)
    angle = float(np.arctan2(s, c))
    if s > 1e-7:
        return v * (angle / s)
    if c > 0.0:
        return v
    axes = 0.25 * (r + r.T) + 0.5 * np.eye(3)
    i = int(np.argmax(np.diag(axes)))
    axis: NDArray[np.float64] = axes[i] / np.sqrt(axes[i, i])
    return axis * (angle if axis @ v >= 0.0 else -angle)


def se3_exp(twist: ArrayLike) -> Matrix:
    """Transform [4, 4] of a twist [6]: rotation vector (radians) first, then translation velocity."""
    t = np.asarray(twist, np.float64)
    w, u = t[:3], t[3:]
    angle = float(np.linalg.norm(w))
    k = skew(w)
    if angle < 1e-6:
        v = np.eye(3) + 0.5 * k + (k @ k) / 6.0
    else:
        v = np.eye(3) + ((1.0 - np.cos(angle)) / angle**2) * k + ((angle - np.sin(angle)) / angle**3) * (k @ k)
    out = np.eye(4)
    out[:3, :3] = so3_exp(w)
    out[:3, 3] = v @ u
    return out


def camera_centre(cam_from_world: NDArray[np.floating]) -> NDArray[np.float64]:
    """The camera's centre [3] in world coordinates."""
    return inverse(cam_from_world)[:3, 3]


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Matrix:
    """``cam_from_world`` [4, 4] of an OpenCV camera at ``eye`` that looks at ``target``; ``up`` is up in the picture.

    Where the viewing direction is parallel to ``up``, another axis takes its place.

    Raises:
        DataError: ``eye`` and ``target`` are the same point.
    """
    e, t, u = (np.asarray(a, np.float64) for a in (eye, target, up))
    z = t - e
    n = float(np.linalg.norm(z))
    if n == 0.0:
        raise DataError("look_at: eye and target are the same point; they must differ")
    z = z / n
    x = np.cross(z, u)
    if np.linalg.norm(x) < 1e-6:
        x = np.cross(z, np.array([0.0, 1.0, 0.0]) if abs(z[1]) < 0.9 else np.array([1.0, 0.0, 0.0]))
    x = x / np.linalg.norm(x)
    out = np.eye(4)
    out[:3, :3] = np.stack([x, np.cross(z, x), z])
    out[:3, 3] = -out[:3, :3] @ e
    return out


def rotation_error_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Geodesic angle in degrees between the rotations of two poses [4, 4] or rotations [3, 3]."""
    return float(np.degrees(np.linalg.norm(so3_log(np.asarray(a)[:3, :3] @ np.asarray(b)[:3, :3].T))))


def translation_error_relative(
    estimate: NDArray[np.floating], truth: NDArray[np.floating], object_centre: ArrayLike
) -> float:
    """Distance of the two camera centres as a share of the true camera's distance from ``object_centre`` [3]."""
    true_centre = camera_centre(truth)
    distance = float(np.linalg.norm(true_centre - np.asarray(object_centre, np.float64)))
    return float(np.linalg.norm(camera_centre(estimate) - true_centre)) / max(distance, 1e-12)


def is_rigid(transform: NDArray[np.floating], tolerance: float = 1e-3) -> bool:
    """Whether ``transform`` [4, 4] is finite, has an orthonormal right-handed rotation and the last row 0 0 0 1."""
    t = np.asarray(transform, np.float64)
    if t.shape != (4, 4) or not np.isfinite(t).all():
        return False
    r = t[:3, :3]
    return bool(
        np.abs(r @ r.T - np.eye(3)).max() < tolerance
        and np.linalg.det(r) > 0
        and np.abs(t[3] - np.array([0.0, 0.0, 0.0, 1.0])).max() < tolerance
    )
