"""Landmarks: local features of the training photos with their places in the world, to find a query's pose by PnP.

For scenes without silhouettes, and for photos whose object cannot be told from its surroundings. SIFT (Lowe, 2004),
matched against each training view by the ratio test, then RANSAC over the 2D-3D matches of the best views; the places
come from the field's depth, so nothing is triangulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.fields.field import Field
from paad.fields.framing import composite
from paad.pose.query import QueryImage
from paad.types import Float32, Float64, PosedView

_PER_VIEW = 250
_QUERY_FEATURES = 1200
_RATIO = 0.85
_SIDE = 640
_VIEWS_TRIED = 8
_LEAST_INLIERS = 12


@dataclass(frozen=True)
class Landmarks:
    """M landmarks: ``xyz`` float32 [M, 3] world, ``descriptors`` uint8 [M, 128], ``view`` int32 [M]."""

    xyz: Float32
    descriptors: NDArray[np.uint8]
    view: NDArray[np.int32]


def _features(image: Float32, mask: Float32 | None, count: int) -> tuple[Float64, NDArray[np.uint8]]:
    """Pixels [N, 2] and descriptors uint8 [N, 128] of the strongest features."""
    grey = cv2.cvtColor(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    allowed = None if mask is None else (mask > 0.5).astype(np.uint8)
    keypoints, descriptors = cv2.SIFT.create(nfeatures=count).detectAndCompute(grey, allowed)
    if not keypoints:
        return np.zeros((0, 2)), np.zeros((0, 128), np.uint8)
    # OpenCV's pixel centres are whole numbers, ours are halves
    return np.array([k.pt for k in keypoints]) + 0.5, np.clip(descriptors, 0, 255).astype(np.uint8)


def find_landmarks(field: Field, views: Sequence[PosedView]) -> Landmarks:
    """Landmarks of the training views, at most 250 a view, where the field is opaque."""
    xyz, descriptors, of_view = [], [], []
    for number, view in enumerate(views):
        camera = view.camera.scaled(min(1.0, _SIDE / max(view.camera.width, view.camera.height)))
        size = (camera.width, camera.height)
        image = cv2.resize(view.image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255.0)
        mask = None if view.mask is None else cv2.resize(view.mask, size, interpolation=cv2.INTER_AREA)
        if field.cut_out:
            image = composite(image, mask, field.background)
        pixels, found = _features(image, mask, _PER_VIEW)
        if not len(pixels):
            continue
        drawn = field.draw(view.cam_from_world, camera)
        x, y = pixels.astype(np.int64).T
        x, y = np.clip(x, 0, camera.width - 1), np.clip(y, 0, camera.height - 1)
        alpha, depth = drawn.alpha[y, x], drawn.depth[y, x]
        solid = alpha > 0.8
        z = depth[solid] / alpha[solid]
        in_camera = np.stack(
            [
                (pixels[solid, 0] - camera.cx) / camera.fx * z,
                (pixels[solid, 1] - camera.cy) / camera.fy * z,
                z,
            ],
            axis=1,
        )
        pose = view.cam_from_world
        xyz.append(((in_camera - pose[:3, 3]) @ pose[:3, :3]).astype(np.float32))
        descriptors.append(found[solid])
        of_view.append(np.full(int(solid.sum()), number, np.int32))
    if not xyz:
        return Landmarks(np.zeros((0, 3), np.float32), np.zeros((0, 128), np.uint8), np.zeros(0, np.int32))
    return Landmarks(np.concatenate(xyz), np.concatenate(descriptors), np.concatenate(of_view))


def poses_from_landmarks(landmarks: Landmarks, query: QueryImage) -> list[Float64]:
    """Poses [4, 4] that many landmarks agree on: from the best views' matches together; empty when none do."""
    level = query.scaled(min(1.0, 1.25 * _SIDE / max(query.camera.width, query.camera.height)))
    pixels, found = _features(level.image, level.mask, _QUERY_FEATURES)
    if len(pixels) < _LEAST_INLIERS or not len(landmarks.xyz):
        return []
    q = found.astype(np.float32)
    matches: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]] = []
    for number in np.unique(landmarks.view):
        rows = np.flatnonzero(landmarks.view == number)
        if len(rows) < 4:
            continue
        d = landmarks.descriptors[rows].astype(np.float32)
        square = (d * d).sum(1)[:, None] + (q * q).sum(1)[None, :] - 2.0 * d @ q.T
        nearest = np.argpartition(square, 1, axis=1)[:, :2]
        two = np.take_along_axis(square, nearest, axis=1)
        swap = two[:, 0] > two[:, 1]
        best = np.where(swap, nearest[:, 1], nearest[:, 0])
        good = two.min(axis=1) < _RATIO**2 * two.max(axis=1)
        if good.sum() >= 4:
            matches.append((int(good.sum()), rows[good], best[good]))
    matches.sort(key=lambda m: -m[0])
    out = []
    groups = [matches[:_VIEWS_TRIED], *([m] for m in matches[:2])]
    for group in groups:
        if not group:
            continue
        pose = _solve(
            landmarks.xyz[np.concatenate([m[1] for m in group])],
            pixels[np.concatenate([m[2] for m in group])],
            level,
        )
        if pose is not None:
            out.append(pose)
    return out


def _solve(xyz: Float32, pixels: Float64, query: QueryImage) -> Float64 | None:
    if len(xyz) < _LEAST_INLIERS:
        return None
    cv2.setRNGSeed(0)
    try:
        done, turn, shift, inliers = cv2.solvePnPRansac(
            xyz.astype(np.float64),
            pixels,
            query.camera.matrix,
            None,
            iterationsCount=2000,
            reprojectionError=4.0,
            confidence=0.999,
            flags=cv2.SOLVEPNP_SQPNP,
        )
    except cv2.error:  # points in one place: OpenCV 5 raises where OpenCV 4 found nothing
        return None
    if not done or inliers is None or len(inliers) < _LEAST_INLIERS:
        return None
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(turn)[0]
    pose[:3, 3] = shift[:, 0]
    return pose
