"""A camera from points whose places are known (PnP), and points from cameras whose places are known (triangulation).

Two solvers behind one signature: pycolmap (extra ``sfm``: LO-RANSAC, then non-linear refinement) and, without it,
OpenCV and linear algebra: RANSAC over SQPnP (Terzakis and Lourakis, 2020) with Levenberg-Marquardt on the inliers, and
the direct linear transform (Hartley and Zisserman, "Multiple view geometry", 12.2), dropping the worst ray in turn.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import cv2
import numpy as np

from paad.errors import MissingDependencyError, PoseError, UsageError
from paad.geometry.camera import Camera
from paad.geometry.se3 import is_rigid
from paad.geometry.views import optical_axes
from paad.types import Bool, Float64

Solver = Literal["auto", "pycolmap", "opencv"]
LEAST_INLIERS = 8


def chosen_solver(asked: Solver) -> Literal["pycolmap", "opencv"]:
    """The solver that ``asked`` means here: "auto" is pycolmap where it is installed, else OpenCV.

    Raises:
        UsageError: another word.
        MissingDependencyError: pycolmap is asked for and not installed.
    """
    if asked not in ("auto", "pycolmap", "opencv"):
        raise UsageError(f"solver {asked!r} is not known; choose auto, pycolmap or opencv")
    installed = find_spec("pycolmap") is not None
    if asked == "pycolmap" and not installed:
        raise MissingDependencyError(
            "the solver 'pycolmap' needs pycolmap: pip install 'paad[sfm]', or choose the solver 'opencv'"
        )
    return "opencv" if asked == "opencv" or not installed else "pycolmap"


def load_pycolmap() -> Any:
    """The module. Importing it puts its own handler on SIGTERM, which ends the process without any tidying up: that of
    this process is put back (from the main thread, where alone Python allows it)."""
    before = signal.getsignal(signal.SIGTERM)
    import pycolmap

    if before is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
    return pycolmap


@dataclass(frozen=True)
class Localization:
    """A camera found by PnP: ``cam_from_world`` [4, 4] and which of the correspondences agree with it, bool [N]."""

    cam_from_world: Float64
    inliers: Bool


def locate_camera(
    pixels: Float64, xyz: Float64, camera: Camera, tolerance_px: float, solver: Solver = "auto", seed: int = 0
) -> Localization:
    """The camera that sees the points ``xyz`` [N, 3] at ``pixels`` [N, 2], a share of which may be wrong.

    Args:
        pixels, xyz: correspondences.
        camera: intrinsics, taken as they are.
        tolerance_px: largest distance, in pixels, of a correspondence that agrees.
        solver: see the module.
        seed: of the random samples.

    Raises:
        PoseError: too few correspondences, or too few of them agree on any camera.
        MissingDependencyError: pycolmap is asked for and not installed.
    """
    if len(pixels) < LEAST_INLIERS:
        raise PoseError(f"{len(pixels)} features of the photo lie on known points; a pose needs {LEAST_INLIERS}")
    solve = _by_pycolmap if chosen_solver(solver) == "pycolmap" else _by_opencv
    found = solve(np.ascontiguousarray(pixels), np.ascontiguousarray(xyz), camera, tolerance_px, seed)
    agreeing = 0 if found is None else int(found.inliers.sum())
    if found is None or agreeing < LEAST_INLIERS:
        raise PoseError(f"{agreeing} of {len(pixels)} known points agree on a pose; it needs {LEAST_INLIERS}")
    return found


def _by_pycolmap(pixels: Float64, xyz: Float64, camera: Camera, tolerance_px: float, seed: int) -> Localization | None:
    pycolmap = load_pycolmap()
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = tolerance_px
    options.ransac.random_seed = seed
    found = pycolmap.estimate_and_refine_absolute_pose(pixels, xyz, colmap_camera(camera), options)
    if found is None:
        return None
    return _located(np.asarray(found["cam_from_world"].matrix()), np.asarray(found["inlier_mask"], np.bool_))


def _by_opencv(pixels: Float64, xyz: Float64, camera: Camera, tolerance_px: float, seed: int) -> Localization | None:
    cv2.setRNGSeed(seed)
    done, turn, shift, inliers = cv2.solvePnPRansac(
        xyz,
        pixels,
        camera.matrix,
        None,
        iterationsCount=2000,
        reprojectionError=tolerance_px,
        confidence=0.9999,
        flags=cv2.SOLVEPNP_SQPNP,
    )
    if not done or inliers is None or len(inliers) < LEAST_INLIERS:
        return None
    rows = inliers[:, 0]
    turn, shift = cv2.solvePnPRefineLM(xyz[rows], pixels[rows], camera.matrix, None, turn, shift)
    chosen = np.zeros(len(pixels), np.bool_)
    chosen[rows] = True
    return _located(np.concatenate([cv2.Rodrigues(turn)[0], shift.reshape(3, 1)], axis=1), chosen)


def _located(matrix: Float64, inliers: Bool) -> Localization | None:
    pose = np.eye(4)
    pose[:3] = matrix
    return Localization(pose, inliers) if is_rigid(pose) else None


def colmap_camera(camera: Camera) -> Any:
    """The same camera for pycolmap, whose pixel centres are at 0.5 too."""
    pycolmap = load_pycolmap()
    parameters = [camera.fx, camera.fy, camera.cx, camera.cy]
    return pycolmap.Camera(model="PINHOLE", width=camera.width, height=camera.height, params=parameters)


def triangulate(
    pixels: Float64,
    cameras: Sequence[Camera],
    poses: Float64,
    tolerance_px: float,
    least_angle_deg: float = 1.5,
    solver: Solver = "auto",
    seed: int = 0,
) -> tuple[Float64, Bool] | None:
    """The point [3] that V cameras see at ``pixels`` [V, 2], and which of them agree, bool [V].

    Args:
        pixels: one observation a camera.
        cameras: their intrinsics.
        poses: ``cam_from_world`` [V, 4, 4].
        tolerance_px: largest distance, in pixels, between an observation that agrees and the projected point.
        least_angle_deg: angle that two of the rays must make at least; nearly parallel ones say nothing of the depth.
        solver, seed: as for :func:`locate_camera`.

    Returns:
        None where no point before the cameras agrees with two of the observations.
    """
    if chosen_solver(solver) == "pycolmap":
        return _triangulated_by_pycolmap(pixels, cameras, poses, tolerance_px, least_angle_deg, seed)
    rows = list(range(len(pixels)))
    while len(rows) >= 2:
        point = _linear_point(pixels[rows], [cameras[i] for i in rows], poses[rows])
        off = np.array([_distance_px(point, pixels[i], cameras[i], poses[i]) for i in rows])
        if off.max() <= tolerance_px:
            agree = np.zeros(len(pixels), np.bool_)
            agree[rows] = True
            return (point, agree) if _widest_angle_deg(point, poses[rows]) >= least_angle_deg else None
        del rows[int(off.argmax())]
    return None


def _triangulated_by_pycolmap(
    pixels: Float64,
    cameras: Sequence[Camera],
    poses: Float64,
    tolerance_px: float,
    least_angle_deg: float,
    seed: int,
) -> tuple[Float64, Bool] | None:
    pycolmap = load_pycolmap()
    options = pycolmap.EstimateTriangulationOptions()
    options.residual_type = pycolmap.TriangulationResidualType.REPROJECTION_ERROR
    options.min_tri_angle = float(np.radians(least_angle_deg))
    options.ransac.max_error = tolerance_px
    options.ransac.random_seed = seed
    rigid = [pycolmap.Rigid3d(pose[:3]) for pose in poses]
    found = pycolmap.estimate_triangulation(pixels, rigid, [colmap_camera(c) for c in cameras], options)
    if found is None:
        return None
    point, agree = np.asarray(found["xyz"], np.float64).reshape(3), np.asarray(found["inliers"], np.bool_)
    return (point, agree) if int(agree.sum()) >= 2 else None


def _linear_point(pixels: Float64, cameras: Sequence[Camera], poses: Float64) -> Float64:
    """The point [3] of least algebraic error; in front of the cameras or not."""
    rows = []
    for (u, v), camera, pose in zip(pixels, cameras, poses, strict=True):
        x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
        rows += [x * pose[2] - pose[0], y * pose[2] - pose[1]]
    homogeneous = np.linalg.svd(np.array(rows))[2][-1]
    w = homogeneous[3] if abs(homogeneous[3]) > 1e-12 else 1e-12
    point: Float64 = homogeneous[:3] / w
    return point


def _distance_px(point: Float64, pixel: Float64, camera: Camera, pose: Float64) -> float:
    uv, z = camera.project(point[None], pose)
    return float(np.linalg.norm(uv[0] - pixel)) if z[0] > 0 else float("inf")


def _widest_angle_deg(point: Float64, poses: Float64) -> float:
    """The largest angle in degrees between the rays from ``point`` to the cameras' centres."""
    rays = point - optical_axes(poses)[0]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    return float(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1.0, 1.0))))
