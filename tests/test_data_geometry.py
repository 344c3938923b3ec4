"""Rigid motions by their laws, conversions by round trips, the common view centre by construction."""

from __future__ import annotations

import numpy as np
import pytest

from paad.errors import DataError
from paad.geometry.camera import Camera
from paad.geometry.conventions import cam_from_world_of_opengl, opengl_of_cam_from_world
from paad.geometry.se3 import (
    camera_centre,
    inverse,
    is_rigid,
    look_at,
    rotation_error_deg,
    se3_exp,
    skew,
    so3_exp,
    so3_log,
    translation_error_relative,
)  # fmt: skip
from paad.geometry.views import common_view_centre, view_volume

RNG = np.random.default_rng(0)
TWISTS = RNG.normal(size=(20, 6))
ANGLES = [0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4, 0.5, 2.0, np.pi - 1e-4, np.pi - 1e-7, np.pi - 1e-9, np.pi]


@pytest.mark.parametrize("angle", ANGLES)
def test_log_undoes_exp_from_zero_to_pi(angle: float) -> None:
    for axis in (*np.eye(3), *-np.eye(3), *RNG.normal(size=(20, 3))):
        omega = axis / np.linalg.norm(axis) * angle
        back = so3_log(so3_exp(omega))
        error = np.linalg.norm(back - omega)
        if angle == np.pi:  # both signs of the axis are the same rotation
            error = min(error, np.linalg.norm(back + omega))
        assert error < 1e-8


def test_exp_is_a_rotation_and_turns_by_its_angle() -> None:
    for omega in TWISTS[:, :3]:
        r = so3_exp(omega)
        np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-14)
        np.testing.assert_allclose(np.linalg.det(r), 1.0)
        np.testing.assert_allclose(r @ omega, omega, atol=1e-14)
        np.testing.assert_allclose(so3_exp(-omega), r.T, atol=1e-14)
        np.testing.assert_allclose(skew(omega) @ TWISTS[0, :3], np.cross(omega, TWISTS[0, :3]), atol=1e-15)


def test_the_group_axioms() -> None:
    a, b, c = (se3_exp(t) for t in TWISTS[:3])
    one = np.eye(4)
    np.testing.assert_allclose((a @ b) @ c, a @ (b @ c), atol=1e-13)
    np.testing.assert_allclose(a @ inverse(a), one, atol=1e-14)
    np.testing.assert_allclose(inverse(a) @ a, one, atol=1e-14)
    np.testing.assert_allclose(inverse(a @ b), inverse(b) @ inverse(a), atol=1e-13)
    np.testing.assert_allclose(se3_exp(np.zeros(6)), one)
    assert is_rigid(a @ b)


def test_exp_of_a_twist_is_a_one_parameter_group() -> None:
    for twist in TWISTS:
        np.testing.assert_allclose(se3_exp(0.3 * twist) @ se3_exp(0.7 * twist), se3_exp(twist), atol=1e-12)
        np.testing.assert_allclose(se3_exp(-twist), inverse(se3_exp(twist)), atol=1e-12)
        small = se3_exp(1e-7 * twist)
        derivative = np.zeros((4, 4))
        derivative[:3, :3], derivative[:3, 3] = skew(twist[:3]), twist[3:]
        np.testing.assert_allclose((small - np.eye(4)) / 1e-7, derivative, atol=1e-6)


def test_exp_is_smooth_where_its_formula_changes() -> None:
    for scale in (0.99e-8, 1.01e-8, 0.99e-6, 1.01e-6):
        twist = TWISTS[0] / np.linalg.norm(TWISTS[0, :3]) * scale
        np.testing.assert_allclose(se3_exp(twist), np.linalg.matrix_power(se3_exp(twist / 8), 8), rtol=0, atol=1e-15)


def test_conventions_round_trip_and_agree_on_the_picture() -> None:
    for twist in TWISTS:
        pose = se3_exp(twist)
        there = opengl_of_cam_from_world(pose)
        np.testing.assert_allclose(cam_from_world_of_opengl(there), pose, atol=1e-14)
        np.testing.assert_allclose(there[:3, 3], camera_centre(pose), atol=1e-14)
        np.testing.assert_allclose(there[:3, 2], -pose[2, :3], atol=1e-14)  # OpenGL looks along -z
        np.testing.assert_allclose(there[:3, 1], -pose[1, :3], atol=1e-14)  # and its y is up


def test_is_rigid_refuses_what_is_not() -> None:
    scaled, mirrored, skewed, nan = np.eye(4), np.diag([1.0, 1, -1, 1]), np.eye(4), np.eye(4)
    scaled[:3, :3] *= 1.01
    skewed[3, 0] = 0.1
    nan[0, 3] = np.nan
    for bad in (scaled, mirrored, skewed, nan, np.eye(3)):
        assert not is_rigid(bad)


def test_errors_between_poses() -> None:
    pose = look_at((0, -4, 0), (0, 0, 0))
    for angle in (1e-6, 0.3, 90.0, 179.999):
        turned = se3_exp([*(np.radians(angle) * np.array([0.6, 0, 0.8])), 0, 0, 0]) @ pose
        np.testing.assert_allclose(rotation_error_deg(turned, pose), angle, rtol=1e-6)
    np.testing.assert_allclose(
        translation_error_relative(look_at((0, -5, 0), (0, 0, 0)), pose, (0, 0, 0)), 0.25, rtol=1e-12
    )


def test_cameras_resize_crop_and_project() -> None:
    camera = Camera(40, 30, 50.0, 52.0, 21.0, 14.0)
    pose = look_at((3, 1, 2), (0, 0, 0))
    points = RNG.normal(size=(10, 3)) * 0.3
    uv, depth = camera.project(points, pose)
    np.testing.assert_allclose(camera.resized(80, 90).project(points, pose)[0], uv * [2, 3])
    np.testing.assert_allclose(camera.cropped(5, 7, 20, 20).project(points, pose)[0], uv - [5, 7])
    rays = camera.rays(uv)
    seen = points @ pose[:3, :3].T + pose[:3, 3]
    np.testing.assert_allclose(rays, seen / np.linalg.norm(seen, axis=1, keepdims=True), atol=1e-12)
    assert (depth > 0).all()
    np.testing.assert_allclose(Camera.from_angle_x(camera.angle_x, 40, 30).fx, 50.0)


def test_the_common_centre_is_where_all_cameras_look() -> None:
    target = np.array([0.3, -2.0, 5.0])
    eyes = target + 4.0 * RNG.normal(size=(12, 3))
    poses = np.array([look_at(eye, target) for eye in eyes])
    np.testing.assert_allclose(common_view_centre(poses), target, atol=1e-9)
    moved = se3_exp(TWISTS[0])
    np.testing.assert_allclose(
        common_view_centre(poses @ inverse(moved)), moved[:3, :3] @ target + moved[:3, 3], atol=1e-9
    )
    ring = np.array([look_at(target + 3 * np.array([np.cos(a), np.sin(a), 0]), target) for a in range(6)])
    centre, radius = view_volume([Camera.from_angle_x(np.radians(60), 100, 100)] * 6, ring)
    np.testing.assert_allclose(centre, target, atol=1e-9)
    np.testing.assert_allclose(radius, 3 * np.sin(np.radians(30)))


def test_no_common_centre() -> None:
    pose = look_at((3, 0, 0), (0, 0, 0))
    with pytest.raises(DataError, match="at least 2"):
        common_view_centre(pose[None])
    with pytest.raises(DataError, match="parallel"):
        common_view_centre(np.array([pose, pose]))
