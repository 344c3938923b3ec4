"""Local features, triangulation from known cameras, PnP, and a sparse reconstruction that finds a query again."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from paad.errors import DataError, MissingDependencyError, PoseError
from paad.geometry.camera import Camera
from paad.geometry.se3 import rotation_error_deg, translation_error_relative
from paad.pose import absolute
from paad.pose.absolute import Solver, chosen_solver, locate_camera, triangulate
from paad.pose.local_features import LocalFeatures, find_features, match_features
from paad.pose.structure import (
    Structure,
    StructureConfig,
    build_structure,
    closest_views,
    correspondences,
    epipolar_distance_px,
    localize,
    neighbouring_views,
    pack_structure,
    tracks,
    unpack_structure,
)
from toy import CAMERA, photograph, pose_from, toy_gaussians

SOLVERS: list[Solver] = ["pycolmap", "opencv"]
DIRECTIONS = np.array([[0.6, 0.0, 0.8], [0.48, -0.6, 0.64], [0.0, 0.6, 0.8], [0.8, 0.6, 0.0], [0.36, 0.48, 0.8]])


@pytest.fixture
def solver(request: pytest.FixtureRequest) -> Solver:
    if request.param == "pycolmap":
        pytest.importorskip("pycolmap")
    return request.param


def _points(count: int = 40) -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.5, 0.5, (count, 3))


@pytest.mark.parametrize("solver", SOLVERS, indirect=True)
@pytest.mark.parametrize("wrong", [0, 15])
def test_pnp_on_exact_matches_is_exact(solver: Solver, wrong: int) -> None:
    xyz, truth = _points(), pose_from(DIRECTIONS[1], roll_deg=70.0)
    pixels, _ = CAMERA.project(xyz, truth)
    pixels[:wrong] += np.random.default_rng(0).uniform(15, 40, (wrong, 2))
    found = locate_camera(pixels, xyz, CAMERA, 2.0, solver)
    assert rotation_error_deg(found.cam_from_world, truth) < 1e-4
    assert translation_error_relative(found.cam_from_world, truth, np.zeros(3)) < 1e-6
    assert found.inliers.tolist() == [i >= wrong for i in range(len(xyz))]


@pytest.mark.parametrize("solver", SOLVERS, indirect=True)
def test_pnp_without_agreement_has_no_pose(solver: Solver) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(PoseError, match="agree on a pose"):
        locate_camera(rng.uniform(0, 112, (40, 2)), _points(), CAMERA, 0.5, solver)
    with pytest.raises(PoseError, match="3 features"):
        locate_camera(np.zeros((3, 2)), np.zeros((3, 3)), CAMERA, 0.5, solver)


@pytest.mark.parametrize("solver", SOLVERS, indirect=True)
def test_triangulation_of_known_points_is_exact(solver: Solver) -> None:
    poses = np.stack([pose_from(d) for d in DIRECTIONS])
    for point in _points(10):
        pixels = np.array([CAMERA.project(point[None], p)[0][0] for p in poses])
        pixels[3] += 25.0
        found = triangulate(pixels, [CAMERA] * 5, poses, 1.0, solver=solver)
        assert found is not None
        assert np.allclose(found[0], point, atol=1e-6)
        assert found[1].tolist() == [True, True, True, False, True]


@pytest.mark.parametrize("solver", SOLVERS, indirect=True)
def test_rays_that_do_not_meet_give_no_point(solver: Solver) -> None:
    near = np.stack([pose_from(DIRECTIONS[0]), pose_from(DIRECTIONS[0] + [0.0, 0.002, 0.0])])
    parallel = np.array([CAMERA.project(np.zeros((1, 3)), p)[0][0] for p in near])
    assert triangulate(parallel, [CAMERA] * 2, near, 1.0, solver=solver) is None
    far = np.stack([pose_from(d) for d in DIRECTIONS[:2]])
    assert triangulate(np.array([[5.0, 5.0], [100.0, 5.0]]), [CAMERA] * 2, far, 1.0, solver=solver) is None


def test_missing_pycolmap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absolute, "find_spec", lambda name: None)
    assert chosen_solver("auto") == "opencv"
    with pytest.raises(MissingDependencyError, match=r"pip install 'paad\[sfm\]'"):
        chosen_solver("pycolmap")


def test_pycolmap_leaves_the_handler_of_sigterm_alone() -> None:
    pytest.importorskip("pycolmap")
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "from paad.pose.absolute import load_pycolmap\n"
        "load_pycolmap()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


def test_epipolar_distance() -> None:
    poses = (pose_from(DIRECTIONS[0]), pose_from(DIRECTIONS[1]))
    other = Camera(200, 150, 180.0, 190.0, 90.0, 70.0)
    xyz = _points()
    a, b = CAMERA.project(xyz, poses[0])[0], other.project(xyz, poses[1])[0]
    assert epipolar_distance_px(a, b, (CAMERA, other), poses).max() < 1e-6
    # a camera that stepped sideways: the lines are rows, so that two pixels down are two pixels off
    side = poses[0].copy()
    side[0, 3] += 0.5
    c = CAMERA.project(xyz, side)[0] + [7.0, 2.0]
    assert np.allclose(epipolar_distance_px(a, c, (CAMERA, CAMERA), (poses[0], side)), 2.0)


def test_tracks_leave_out_a_view_that_is_met_twice() -> None:
    view = np.array([0, 0, 1, 1, 2, 3])
    links = np.array([[0, 2], [2, 4], [1, 3], [3, 4]])
    assert [t.tolist() for t in tracks(links[:2], view)] == [[0, 2, 4]]
    assert tracks(links, view) == []  # views 0 and 1 twice: only view 2 is left
    assert [t.tolist() for t in tracks(np.array([[0, 2], [2, 3], [3, 4], [4, 5]]), view)] == [[0, 4, 5]]


def test_matches_against_a_search_by_hand() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20, 8))
    b = np.concatenate([a[:12] + rng.normal(0, 0.15, (12, 8)), rng.normal(size=(9, 8))])
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    expected = []
    for i in range(len(a)):
        distance = np.linalg.norm(b - a[i], axis=1)
        j = int(distance.argmin())
        if np.linalg.norm(a - b[j], axis=1).argmin() == i and distance[j] < 0.8 * np.sort(distance)[1]:
            expected.append([i, j])
    found = match_features(a.astype(np.float32), b.astype(np.float32), 0.8)
    assert found.tolist() == expected
    assert 8 < len(expected) < 20
    assert match_features(a[:1].astype(np.float32), b.astype(np.float32), 0.8).shape == (0, 2)


def test_features_lie_where_they_are_seen() -> None:
    picture = np.ones((90, 110, 3), np.float32)
    for x, y, r in ((30, 30, 6), (70, 40, 9)):
        yy, xx = np.mgrid[:90, :110] + 0.5
        picture[(xx - x) ** 2 + (yy - y) ** 2 < r * r] = 0.2
    for enlarge in (1.0, 2.0):
        places = find_features(picture, None, 50, enlarge).pixels
        for centre in ((30, 30), (70, 40)):
            assert np.linalg.norm(places - np.array(centre), axis=1).min() < 0.15
    assert len(find_features(picture, np.zeros((90, 110), np.float32), 50)) == 0
    assert len(find_features(np.ones((90, 110, 3), np.float32), None, 50)) == 0


def _exact_scene() -> tuple[list[LocalFeatures], np.ndarray, np.ndarray]:
    """Views of known points whose descriptors are all different, as if everything were matched rightly."""
    rng = np.random.default_rng(0)
    xyz = _points(60)
    own = rng.normal(size=(60, 32))
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    poses = np.stack([pose_from(d) for d in DIRECTIONS])
    features = [LocalFeatures(CAMERA.project(xyz, p)[0], own.astype(np.float32)) for p in poses]
    return features, xyz, poses


@pytest.mark.parametrize("solver", SOLVERS, indirect=True)
def test_structure_of_exact_features_is_exact(solver: Solver) -> None:
    features, xyz, poses = _exact_scene()
    config = StructureConfig(solver=solver)
    made = build_structure(features[:4], [CAMERA] * 4, poses[:4], config)
    assert len(made.xyz) == 60
    assert np.abs(np.sort(made.xyz, axis=0) - np.sort(xyz, axis=0)).max() < 1e-5
    assert np.bincount(made.view[made.point >= 0], minlength=4).tolist() == [60] * 4
    pixels, points = correspondences(made, features[4], [0, 2], config.ratio)
    assert len(pixels) == 60  # each pair once, though two views name it
    assert np.allclose(CAMERA.project(points, poses[4])[0], pixels, atol=1e-2)
    found = localize(made, features[4], CAMERA, [0, 2], 2.0, config)
    assert rotation_error_deg(found.cam_from_world, poses[4]) < 1e-3
    again: Structure = unpack_structure(pack_structure(made))
    assert np.array_equal(again.descriptors, made.descriptors)
    assert np.array_equal(again.point, made.point)


def test_views_without_anything_in_common() -> None:
    features, _, poses = _exact_scene()
    alone = [
        LocalFeatures(f.pixels[i * 5 : i * 5 + 5], f.descriptors[i * 5 : i * 5 + 5]) for i, f in enumerate(features)
    ]
    with pytest.raises(DataError, match="share no features"):
        build_structure(alone, [CAMERA] * 5, poses)
    made = build_structure(features, [CAMERA] * 5, poses)
    stranger = LocalFeatures(np.random.default_rng(1).uniform(0, 112, (30, 2)), features[0].descriptors[::-1][:30])
    with pytest.raises(PoseError):
        localize(made, stranger, CAMERA, [0, 1], 1.0)
    with pytest.raises(PoseError, match="0 features"):
        localize(made, LocalFeatures(np.zeros((0, 2)), np.zeros((0, 32), np.float32)), CAMERA, [0, 1], 1.0)


def test_neighbours_are_those_that_look_the_same_way() -> None:
    poses = np.stack([pose_from(np.array([np.cos(a), np.sin(a), 0.2])) for a in np.radians([0, 20, 50, 180])])
    assert neighbouring_views(poses, 1) == [(0, 1), (1, 2)]
    assert closest_views(poses, poses[3], 2)[0] == 3
    assert closest_views(poses, poses[0], 3) == [0, 1, 2]


def test_photos_find_their_way_by_sift() -> None:
    toy = toy_gaussians()
    middle = DIRECTIONS[1]
    across = np.cross(middle, [0.0, 0.0, 1.0])
    up = np.cross(across, middle)
    steps = np.radians([-18.0, -6.0, 6.0, 18.0])
    poses = np.stack([pose_from((d := middle + a * across + b * up) / np.linalg.norm(d)) for a in steps for b in steps])
    truth = pose_from(middle, roll_deg=10.0)
    found = []
    for pose in (*poses, truth):
        image, mask = photograph(toy, pose)
        found.append(find_features(image.astype(np.float32) / np.float32(255), mask, 400, 2.0))
    made = build_structure(found[:-1], [CAMERA] * len(poses), poses)
    located = localize(made, found[-1], CAMERA, closest_views(poses, truth, 8), 3.0)
    assert rotation_error_deg(located.cam_from_world, truth) < 1.5
    assert translation_error_relative(located.cam_from_world, truth, np.zeros(3)) < 0.03
