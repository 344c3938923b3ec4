"""Where a set of cameras looks: the point closest to all optical axes, and how far the cameras see around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError
from paad.geometry.camera import Camera


def optical_axes(
    cam_from_worlds: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Camera centres [N, 3] and unit viewing directions [N, 3] in world coordinates, of poses [N, 4, 4]."""
    poses = np.asarray(cam_from_worlds, np.float64).reshape(-1, 4, 4)
    centres = -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])
    return centres, poses[:, 2, :3].copy()


def common_view_centre(cam_from_worlds: NDArray[np.floating]) -> NDArray[np.float64]:
    """The point [3] with the least sum of squared distances to all optical axes, of poses [N, 4, 4].

    Raises:
        DataError: fewer than two views, or all axes are parallel: no such point is determined.
    """
    centres, axes = optical_axes(cam_from_worlds)
    if len(centres) < 2:
        raise DataError(f"{len(centres)} views; a common centre needs at least 2")
    off_axis = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    total = off_axis.sum(axis=0)
    # The smallest eigenvalue is the sum of squared sines of the angles to the direction that is seen least.
    if np.linalg.eigvalsh(total)[0] < 1e-6 * len(centres):
        raise DataError("all optical axes are parallel; the views must look at the object from different directions")
    centre: NDArray[np.float64] = np.linalg.solve(total, np.einsum("nij,nj->i", off_axis, centres))
    return centre


def view_volume(cameras: list[Camera], cam_from_worlds: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Centre [3] and radius of a ball that the views have in common, in the units of the poses.

    The centre is :func:`common_view_centre`; the radius is the median over the views of the largest ball around
    the centre's projection depth that fits into the view's cone, so a ball that half of the views see whole.

    Raises:
        DataError: as :func:`common_view_centre`.
    """
    centre = common_view_centre(cam_from_worlds)
    centres, axes = optical_axes(cam_from_worlds)
    depth = np.maximum(np.einsum("ni,ni->n", centre - centres, axes), 0.0)
    half_angle = np.array(
        [np.arctan(min(c.cx, c.width - c.cx, c.cy, c.height - c.cy) / max(c.fx, c.fy)) for c in cameras]
    )
    return centre, float(np.median(depth * np.sin(np.maximum(half_angle, 0.0))))
