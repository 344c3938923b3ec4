"""Structure from motion with known cameras: the training views' features as points in space, to find a query by PnP.

Liu et al., "SplatPose+: Real-time image-based pose-agnostic 3D anomaly detection" (arXiv 2410.12080), which follows
hierarchical localization (Sarlin et al., 2019). Views that look from nearly the same side are matched, matches that the
known cameras rule out are dropped, the rest is chained into tracks, and each track becomes a point. A query is matched
to the views that retrieval names; what it shares with them are 2D-3D correspondences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError, PoseError
from paad.geometry.camera import Camera
from paad.geometry.se3 import inverse, skew
from paad.pose.absolute import Localization, Solver, locate_camera, triangulate
from paad.pose.local_features import Index, LocalFeatures, match_features
from paad.types import Bool, Float32, Float64

_WIDEST_DEG = 75.0
"""Views farther apart than this have no features in common that SIFT would know again."""


@dataclass(frozen=True)
class StructureConfig:
    """How the points are found."""

    neighbours: int = 12  # views that each training view is matched to
    ratio: float = 0.85  # nearest over second nearest descriptor distance
    tolerance_px: float = 2.0  # distance from the epipolar line, and from the projected point
    solver: Solver = "auto"  # pycolmap or opencv; auto takes pycolmap where it is installed
    seed: int = 0  # of the random samples


@dataclass(frozen=True)
class Structure:
    """P points and the M features of the training views that show them.

    Attributes:
        xyz: float64 [P, 3], world.
        descriptors: float32 [M, D], of length 1.
        view: int32 [M], number of the training view.
        point: int32 [M], number of the point; -1 for features without one, which still tell good matches from bad.
    """

    xyz: Float64
    descriptors: Float32
    view: NDArray[np.int32]
    point: NDArray[np.int32]


def build_structure(
    features: Sequence[LocalFeatures],
    cameras: Sequence[Camera],
    poses: Float64,
    config: StructureConfig = StructureConfig(),
) -> Structure:
    """Triangulate what the views have in common.

    Args:
        features: of each view.
        cameras: of each view.
        poses: ``cam_from_world`` [V, 4, 4].
        config: see there.

    Raises:
        DataError: the views have no points in common.
        MissingDependencyError: the solver is not installed.
    """
    starts = np.concatenate([[0], np.cumsum([len(f) for f in features])]).astype(np.int64)
    links = []
    for a, b in neighbouring_views(poses, config.neighbours):
        pairs = match_features(features[a].descriptors, features[b].descriptors, config.ratio)
        if not len(pairs):
            continue
        off = epipolar_distance_px(
            features[a].pixels[pairs[:, 0]],
            features[b].pixels[pairs[:, 1]],
            (cameras[a], cameras[b]),
            (poses[a], poses[b]),
        )
        links.append(pairs[off <= config.tolerance_px] + np.array([starts[a], starts[b]]))
    pixels = np.concatenate([f.pixels for f in features])
    view = np.repeat(np.arange(len(features)), np.diff(starts))
    point = np.full(len(pixels), -1, np.int32)
    xyz: list[Float64] = []
    for rows in tracks(np.concatenate(links) if links else np.zeros((0, 2), np.int64), view):
        numbers = view[rows]
        seen = [cameras[i] for i in numbers]
        found = triangulate(
            pixels[rows], seen, poses[numbers], config.tolerance_px, solver=config.solver, seed=config.seed
        )
        if found is not None:
            point[rows[found[1]]] = len(xyz)
            xyz.append(found[0])
    if not xyz:
        raise DataError(
            f"the {len(features)} training views share no features that can be triangulated; "
            "check the poses with 'paad data check', or use larger photos"
        )
    # in the precision of the file, so that a saved model says what the fitted one does
    descriptors = np.concatenate([f.descriptors for f in features]).astype(np.float16).astype(np.float32)
    return Structure(np.array(xyz), descriptors, view.astype(np.int32), point)


def neighbouring_views(poses: Float64, count: int) -> list[tuple[int, int]]:
    """Pairs of views (lower number first) of which one is among the ``count`` that look most like the other's way."""
    turns = poses[:, :3, :3]
    # trace of the relative rotation: the whole turn counts, a roll of the camera too
    cosine = 0.5 * (np.einsum("aij,bij->ab", turns, turns) - 1.0)
    np.fill_diagonal(cosine, -2.0)
    out = set()
    for a, row in enumerate(cosine):
        for b in np.argsort(-row)[:count]:
            if row[b] > np.cos(np.radians(_WIDEST_DEG)):
                out.add((min(a, int(b)), max(a, int(b))))
    return sorted(out)


def closest_views(poses: Float64, start: Float64, count: int) -> list[int]:
    """Numbers of the ``count`` views [V, 4, 4] whose turn from the pose ``start`` [4, 4] is smallest, nearest first."""
    trace = np.einsum("vij,ij->v", poses[:, :3, :3], start[:3, :3])
    return [int(i) for i in np.argsort(-trace, kind="stable")[:count]]


def epipolar_distance_px(
    first: Float64, second: Float64, cameras: tuple[Camera, Camera], poses: tuple[Float64, Float64]
) -> Float64:
    """The larger distance [M], in pixels, of matched pixels [M, 2] from the line that the other one draws."""
    relative = poses[1] @ inverse(poses[0])
    essential = skew(relative[:3, 3]) @ relative[:3, :3]
    fundamental = np.linalg.inv(cameras[1].matrix).T @ essential @ np.linalg.inv(cameras[0].matrix)
    a, b = (np.concatenate([p, np.ones((len(p), 1))], axis=1) for p in (first, second))
    in_second, in_first = a @ fundamental.T, b @ fundamental
    product = np.abs((b * in_second).sum(axis=1))
    narrower = np.minimum(np.linalg.norm(in_first[:, :2], axis=1), np.linalg.norm(in_second[:, :2], axis=1))
    out: Float64 = product / np.maximum(narrower, 1e-12)
    return out


def tracks(links: Index, view: Index) -> list[Index]:
    """Features (row numbers, ascending) that ``links`` [L, 2] chain together, at least two; ``view`` [M] is their view.

    Of a chain that meets a view twice, the features of that view are left out: which of them is right is not known.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(view)
    graph = coo_matrix((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), (count, count))
    label = connected_components(graph, directed=False)[1]
    order = np.argsort(label, kind="stable")
    chains = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    out = []
    for rows in chains:
        if len(rows) < 2:
            continue
        numbers, times = np.unique(view[rows], return_counts=True)
        single = rows[np.isin(view[rows], numbers[times == 1])]
        if len(single) >= 2:
            out.append(np.sort(single))
    return out


def correspondences(
    structure: Structure, query: LocalFeatures, views: Sequence[int], ratio: float
) -> tuple[Float64, Float64]:
    """Pixels [N, 2] of ``query`` and the points [N, 3] that its matches in ``views`` show; each pair once."""
    pairs = [np.zeros((0, 2), np.int64)]
    for number in views:
        rows = np.flatnonzero(structure.view == number)
        matches = match_features(query.descriptors, structure.descriptors[rows], ratio)
        points = structure.point[rows[matches[:, 1]]]
        pairs.append(np.stack([matches[:, 0], points], axis=1)[points >= 0])
    unique = np.unique(np.concatenate(pairs), axis=0)
    return query.pixels[unique[:, 0]], structure.xyz[unique[:, 1]]


def localize(
    structure: Structure,
    query: LocalFeatures,
    camera: Camera,
    views: Sequence[int],
    tolerance_px: float,
    config: StructureConfig = StructureConfig(),
) -> Localization:
    """The camera of a query from what it shares with the training views ``views``.

    Raises:
        PoseError: too little in common.
        MissingDependencyError: the solver is not installed.
    """
    pixels, xyz = correspondences(structure, query, views, config.ratio)
    found = locate_camera(pixels, xyz, camera, tolerance_px, config.solver, config.seed)
    behind: Bool = camera.project(xyz[found.inliers], found.cam_from_world)[1] <= 0
    if behind.any():
        raise PoseError("the pose that the known points agree on has the object behind the camera")
    return found


def pack_structure(structure: Structure) -> dict[str, NDArray[Any]]:
    """Its arrays, named ``structure.<name>``; descriptors in half precision."""
    return {
        "structure.xyz": structure.xyz,
        "structure.descriptors": structure.descriptors.astype(np.float16),
        "structure.view": structure.view,
        "structure.point": structure.point,
    }


def unpack_structure(tensors: Mapping[str, NDArray[Any]]) -> Structure:
    """Rebuild what :func:`pack_structure` took apart.

    Raises:
        KeyError: a part is missing.
    """
    own = {k: tensors[f"structure.{k}"] for k in ("xyz", "descriptors", "view", "point")}
    return Structure(**{**own, "descriptors": own["descriptors"].astype(np.float32)})
