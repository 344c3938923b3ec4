"""Normals of drawn surfaces, the light of a photo, and a fit whose views stand under different lights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paad.fields.build import build_field, measure_quality
from paad.fields.config import FieldConfig
from paad.fields.fit import MOVING_LIGHT
from paad.fields.light import TERMS, Light, drawn_beside, fit_light, light_maps, normal_terms, relit
from paad.geometry.camera import Camera
from paad.geometry.depth import surface_normals
from paad.geometry.se3 import se3_exp
from paad.render.splats import Picture, Splats
from paad.types import Float32, PosedView
from toy import CAMERA, pose_from, posed_views, toy_gaussians

SIDE = 96
LENS = Camera(SIDE, SIDE, 110.0, 110.0, SIDE / 2, SIDE / 2)
WHITE = np.ones(3, np.float32)


def _ball(radius: float = 1.0, distance: float = 4.0) -> tuple[Float32, Float32, Float32]:
    """Depth, coverage and exact normals (camera frame) of a ball straight ahead."""
    x, y = np.meshgrid((np.arange(SIDE) + 0.5 - LENS.cx) / LENS.fx, (np.arange(SIDE) + 0.5 - LENS.cy) / LENS.fy)
    ray = np.stack([x, y, np.ones_like(x)], axis=-1)
    a, b, c = (ray**2).sum(axis=2), -distance * ray[..., 2], distance**2 - radius**2
    root = b * b - a * c
    z = (-b - np.sqrt(np.maximum(root, 0.0))) / a
    alpha = (root > 0).astype(np.float32)
    normals = (ray * z[..., None] - [0.0, 0.0, distance]) / radius
    return (z * alpha).astype(np.float32), alpha, normals.astype(np.float32)


def test_normals_of_a_plane_are_exact_in_the_world() -> None:
    normal, offset = np.array([0.3, -0.2, -1.0]) / np.linalg.norm([0.3, -0.2, -1.0]), -3.0
    x, y = np.meshgrid((np.arange(SIDE) + 0.5 - LENS.cx) / LENS.fx, (np.arange(SIDE) + 0.5 - LENS.cy) / LENS.fy)
    depth = (offset / (normal[0] * x + normal[1] * y + normal[2])).astype(np.float32)
    pose = se3_exp(np.array([0.3, 0.4, 0.2, 0.1, 0.0, 2.0]))
    found = surface_normals(depth, np.ones_like(depth), LENS, pose)
    assert np.abs(found[6:-6, 6:-6] - pose[:3, :3].T @ normal).max() < 0.01


def test_normals_of_a_ball_and_of_nothing() -> None:
    depth, alpha, truth = _ball()
    found = surface_normals(depth, alpha, LENS, np.eye(4))
    inner = (truth[..., 2] < -0.5) & (alpha > 0)
    assert inner.sum() > 1000
    angle = np.degrees(np.arccos(np.clip((found * truth).sum(axis=2), -1.0, 1.0)))
    assert np.median(angle[inner]) < 3.0
    empty = surface_normals(np.zeros_like(depth), np.zeros_like(alpha), LENS, np.eye(4))
    np.testing.assert_allclose(np.linalg.norm(empty, axis=2), 1.0)


def _random_light(seed: int) -> Light:
    rng = np.random.default_rng(seed)
    gain, offset = rng.normal(0.0, 0.08, (TERMS, 3)), rng.normal(0.0, 0.01, (TERMS, 3))
    gain[0] += rng.uniform(0.7, 1.1)
    return Light(gain.astype(np.float32), offset.astype(np.float32))


def _painted_ball() -> tuple[Picture, Float32]:
    depth, alpha, normals = _ball()
    y, x = np.mgrid[:SIDE, :SIDE]
    paint = np.random.default_rng(1).uniform(0.2, 0.7, (12, 12, 3))[y // 8, x // 8]
    colour = paint * alpha[..., None] + (1.0 - alpha[..., None])
    return Picture(colour.astype(np.float32), alpha, depth), normals


def test_a_light_is_found_again_beside_a_defect_which_stays() -> None:
    picture, normals = _painted_ball()
    truth = _random_light(2)
    gain, offset = truth.maps(normals, picture.alpha)
    photo = picture.colour * gain + offset
    photo[44:54, 40:52] += 0.3  # a stain of 3 % of the ball
    light = fit_light(picture.colour, picture.alpha, normals, photo)
    assert light is not None
    found_gain, found_offset = light.maps(normals, picture.alpha)
    off = (photo - (picture.colour * found_gain + found_offset))[picture.alpha > 0.95]
    stained = np.zeros((SIDE, SIDE), bool)
    stained[44:54, 40:52] = True
    stained = stained[picture.alpha > 0.95]
    assert np.abs(off[~stained]).mean() < 0.006
    assert np.median(off[stained]) > 0.25


def test_the_same_light_changes_nothing_and_too_little_object_gives_none() -> None:
    picture, normals = _painted_ball()
    light = fit_light(picture.colour, picture.alpha, normals, picture.colour)
    assert light is not None
    gain, offset = light.maps(normals, picture.alpha)
    assert np.abs(gain - 1.0).max() < 1e-4
    assert np.abs(offset).max() < 1e-4
    bare = picture._replace(alpha=np.zeros_like(picture.alpha), depth=np.zeros_like(picture.depth))
    assert light_maps(bare, picture.colour, LENS, np.eye(4)) is None
    np.testing.assert_array_equal(relit(bare, picture.colour, LENS, np.eye(4), WHITE), bare.colour)


def test_the_nine_terms_span_polynomials_of_degree_2() -> None:
    normals = np.random.default_rng(0).normal(size=(500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    terms = normal_terms(normals.astype(np.float32)).T
    assert np.linalg.matrix_rank(terms) == TERMS
    square = normals[:, 1] ** 2
    assert np.abs(terms @ np.linalg.lstsq(terms, square, rcond=None)[0] - square).max() < 1e-5


def _under_lights(views: list[PosedView]) -> list[PosedView]:
    """The views, each under a light of its own."""
    splats = Splats.of(toy_gaussians())
    out = []
    for number, view in enumerate(views):
        picture = splats.draw(view.cam_from_world, view.camera, WHITE)
        normals = surface_normals(picture.depth, picture.alpha, view.camera, view.cam_from_world)
        gain, offset = _random_light(number).maps(normals, picture.alpha)
        ground = (1.0 - picture.alpha)[..., None] * WHITE
        photo = (picture.colour - ground) * gain + offset + ground
        out.append(replace(view, image=np.clip(photo * 255 + 0.5, 0, 255).astype(np.uint8)))
    return out


@pytest.mark.parametrize("moving", [False, True])
def test_a_fit_finds_out_whether_the_light_moves(moving: bool) -> None:
    views = posed_views(toy_gaussians(), 24.0)
    config = FieldConfig(steps=300, initial_gaussians=2500, max_gaussians=3000, grow_every=40)
    seen = _under_lights(views) if moving else views
    field, log = build_field(seen[2:], config)
    assert field.moving_light is log.moving_light is moving
    assert log.explained_by_light is not None
    assert (log.explained_by_light > MOVING_LIGHT) is moving
    assert field.splats.sh.shape[1] == (4 if moving else 9)  # degree 1; 2, of so few views
    if moving:
        quality, fixed = measure_quality(field, seen[:2]), measure_quality(replace(field, moving_light=False), seen[:2])
        assert quality is not None
        assert fixed is not None
        assert quality.psnr_object > fixed.psnr_object + 3.0
    else:
        pose = pose_from(np.array([0.6, 0.0, 0.8]))
        drawn = drawn_beside(field, np.zeros((CAMERA.height, CAMERA.width, 3), np.float32), pose, CAMERA)
        np.testing.assert_array_equal(drawn.colour, field.draw(pose, CAMERA).colour)
