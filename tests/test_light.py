"""Normals of drawn surfaces, the light of a photo, and a fit whose views stand under different lights."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from paad.fields.build import build_field, measure_quality
from paad.fields.config import FieldConfig
from paad.fields.glints import lamps_of
from paad.fields.light import (
    TERMS,
    Light,
    drawn_beside,
    fit_light,
    light_maps,
    normal_terms,
    plain_terms,
    relit,
    surface_shown,
)
from paad.fields.moving_light import NEIGHBOURS, OWN
from paad.fields.shading import COLUMNS, NORMAL, OPEN, TRANSFER, shading_of
from paad.geometry.camera import Camera
from paad.geometry.depth import surface_normals
from paad.geometry.se3 import se3_exp
from paad.render.draw import blended
from paad.render.splats import Picture, Splats
from paad.types import Float32, Float64, PosedView
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
    ball = picture.alpha > 0.95
    terms, colour = plain_terms(normals[ball]), picture.colour[ball]
    gain, offset = truth.maps(terms)
    photo = picture.colour.copy()
    photo[ball] = colour * gain + offset
    photo[44:54, 40:52] += 0.3  # a stain of 3 % of the ball
    light = fit_light(colour, picture.alpha[ball], terms, photo[ball])
    assert light is not None
    found_gain, found_offset = light.maps(terms)
    off = photo[ball] - (colour * found_gain + found_offset)
    stained = np.zeros((SIDE, SIDE), bool)
    stained[44:54, 40:52] = True
    stained = stained[picture.alpha > 0.95]
    assert np.abs(off[~stained]).mean() < 0.006
    assert np.median(off[stained]) > 0.25


def test_the_same_light_changes_nothing_and_too_little_object_gives_none() -> None:
    picture, normals = _painted_ball()
    ball = picture.alpha > 0.95
    terms, colour = plain_terms(normals[ball]), picture.colour[ball]
    light = fit_light(colour, picture.alpha[ball], terms, colour)
    assert light is not None
    gain, offset = light.maps(terms)
    assert np.abs(gain - 1.0).max() < 1e-4
    assert np.abs(offset).max() < 1e-4
    bare = picture._replace(alpha=np.zeros_like(picture.alpha), depth=np.zeros_like(picture.depth))
    assert light_maps(bare, None, picture.colour, LENS, np.eye(4)) is None
    np.testing.assert_array_equal(relit(bare, None, picture.colour, LENS, np.eye(4), WHITE), bare.colour)


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
        gain, offset = _random_light(number).maps(plain_terms(normals.reshape(-1, 3)))
        ground = (1.0 - picture.alpha)[..., None] * WHITE
        photo = (picture.colour - ground) * gain.reshape(normals.shape) + ground
        photo += picture.alpha[..., None] * offset.reshape(normals.shape)
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
    assert log.explained_by_neighbours is not None
    assert (log.explained_by_light > OWN and log.explained_by_neighbours < NEIGHBOURS) is moving
    assert field.splats.sh.shape[1] == (4 if moving else 9)  # degree 1; 2, of so few views
    if moving:
        quality, fixed = measure_quality(field, seen[:2]), measure_quality(replace(field, shading=None), seen[:2])
        assert quality is not None
        assert fixed is not None
        assert quality.psnr_object > fixed.psnr_object + 3.0
    else:
        pose = pose_from(np.array([0.6, 0.0, 0.8]))
        drawn = drawn_beside(field, np.zeros((CAMERA.height, CAMERA.width, 3), np.float32), pose, CAMERA)
        np.testing.assert_array_equal(drawn.colour, field.draw(pose, CAMERA).colour)


def _sheet(low: tuple[float, float], high: tuple[float, float], z: float, step: float = 0.03) -> Float32:
    x, y = np.meshgrid(np.arange(low[0], high[0], step), np.arange(low[1], high[1], step))
    return np.stack([x, y, np.full_like(x, z)], axis=-1).reshape(-1, 3).astype(np.float32)


def _solid(xyz: Float32, grey: float = 0.5) -> Splats:
    n = len(xyz)
    return Splats(
        xyz,
        np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        np.full((n, 3), np.log(0.02), np.float32),
        np.full(n, 6.0, np.float32),
        np.full((n, 1, 3), (grey - 0.5) / 0.28209479177387814, np.float32),
    )


ASIDE = ((0.3, 0.0), (-0.3, 0.1), (-0.2, -0.2), (0.2, -0.3))
VIEWS = [(pose_from(np.array([x, y, 0.95])), CAMERA) for x, y in ASIDE]
BOX = np.full(3, -1.0), np.full(3, 1.0)


def _floor_and_wall() -> tuple[Float32, Float32]:
    """A sheet at z = 0, and one that stands on it at x = 0, up to z = 0.8."""
    return _sheet((-0.6, -0.6), (0.6, 0.6), 0.0), _sheet((0.0, -0.6), (0.8, 0.6), 0.0)[:, [2, 1, 0]]


def test_the_shading_of_an_open_sheet_is_that_of_a_plane() -> None:
    xyz = _sheet((-0.6, -0.6), (0.6, 0.6), 0.0)
    shading = shading_of(_solid(xyz), VIEWS, *BOX)
    inner = np.abs(xyz[:, :2]).max(axis=1) < 0.5
    normal, transfer = shading[inner, NORMAL], shading[inner, TRANSFER]
    assert normal[:, 2].min() > 0.97
    # the integral of the cosine over the half sphere times each harmonic, in closed form, less lamps near the horizon
    np.testing.assert_allclose(np.median(transfer[:, 0]), OPEN, rtol=0.06)
    np.testing.assert_allclose(np.median(transfer[:, 2]), 0.4886025 * 2 * np.pi / 3, rtol=0.06)
    np.testing.assert_allclose(np.median(transfer[:, 6]), 0.3153916 * np.pi / 2, rtol=0.1)
    assert np.abs(np.median(transfer[:, [1, 3, 4, 5, 7, 8]], axis=0)).max() < 0.05


def test_a_wall_hides_the_light_of_its_side() -> None:
    floor, wall = _floor_and_wall()
    shading = shading_of(_solid(np.concatenate([floor, wall])), VIEWS, *BOX)[: len(floor), TRANSFER]
    right = (np.abs(floor[:, 0] - 0.15) < 0.05) & (np.abs(floor[:, 1]) < 0.2)
    left = (np.abs(floor[:, 0] + 0.15) < 0.05) & (np.abs(floor[:, 1]) < 0.2)
    for side in (right, left):
        assert 0.45 * OPEN < np.median(shading[side, 0]) < 0.8 * OPEN
    # the third harmonic is -x: what reaches the right side comes from there
    assert np.median(shading[right, 3]) < -0.25
    assert np.median(shading[left, 3]) > 0.25


def test_a_shadow_is_explained_and_a_stain_beside_it_is_not() -> None:
    floor, wall = _floor_and_wall()
    splats = _solid(np.concatenate([floor, wall]))
    shading = shading_of(splats, VIEWS, *BOX)
    pose = VIEWS[0][0]
    drawn = splats.drawn(pose, CAMERA, WHITE)
    picture, blent = Picture(drawn.colour, drawn.alpha, drawn.depth), blended(drawn, shading)
    # a lamp to the right, half as high as it is far: nothing of it behind the wall
    towards = np.array([1.0, 0.0, 1.0]) / np.sqrt(2.0)
    place = np.concatenate([floor, wall])
    lit = np.clip(shading[:, :3] @ towards, 0.0, 1.0) * ~((place[:, 0] < -0.01) & (place[:, 0] > -0.8))
    light = blended(drawn, (0.6 + 0.5 * lit)[:, None].astype(np.float32))[0] / np.maximum(drawn.alpha, 1e-3)
    photo = picture.colour.copy()
    there = drawn.alpha > 0.95
    photo[there] = picture.colour[there] * light[there][:, None]
    stain = np.zeros_like(there)
    stain[50:58, 80:86] = True
    stain &= there
    assert stain.sum() > 40
    photo[stain] *= 0.5
    off = {
        name: np.abs(photo - relit(picture, s, photo, CAMERA, pose, WHITE)).mean(axis=2)
        for name, s in (("normals", None), ("shadows", blent))
    }
    clean = cv2.erode(there.astype(np.uint8), np.ones((5, 5))).astype(bool)
    clean &= ~cv2.dilate(stain.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert off["shadows"][clean].mean() < 0.4 * off["normals"][clean].mean()
    assert np.median(off["shadows"][stain]) > 0.15


def _mirroring(lamp: Float64, stained: bool) -> tuple[Float32, Float32, Float32, Float32]:
    """Residual, cosine, mirrored direction, openness of six faces of 300 pixels, the first of which mirrors a lamp."""
    rng = np.random.default_rng(5)
    faces = np.concatenate([lamp[None], rng.normal(size=(5, 3))])
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    mirrored = np.repeat(faces, 300, axis=0) + rng.normal(0.0, 0.02, (1800, 3))
    mirrored = (mirrored / np.linalg.norm(mirrored, axis=1, keepdims=True)).astype(np.float32)
    residual = rng.normal(0.0, 0.01, (1800, 3))
    residual[:300] += 0.2
    if stained:
        residual[300:360] += 0.3  # a fifth of the second face
    return residual.astype(np.float32), np.full(1800, 0.8, np.float32), mirrored, np.ones(1800, np.float32)


def test_a_face_that_mirrors_a_lamp_is_explained_and_a_stain_on_another_is_not() -> None:
    residual, *surface = _mirroring(np.array([0.3, -0.2, 0.9]), stained=True)
    shown = lamps_of(residual, *surface).shown(*surface)
    assert np.abs(shown[:300] - 0.2).mean() < 0.03
    assert shown[300:360].mean() < 0.05
    assert np.abs(shown[600:]).mean() < 0.02


def test_darker_faces_and_no_faces_have_no_lamps() -> None:
    residual, *surface = _mirroring(np.array([0.3, -0.2, 0.9]), stained=False)
    assert lamps_of(-residual, *surface).shown(*surface)[:300].mean() < 0.01
    nothing = [a[:0] for a in (residual, *surface)]
    assert len(lamps_of(*nothing).shown(*nothing[1:])) == 0
    shaded = np.zeros(1800, np.float32)
    assert not lamps_of(residual, surface[0], surface[1], shaded).shown(surface[0], surface[1], shaded).any()


def test_the_direction_that_a_mirror_shows() -> None:
    """A camera that looks down at a sheet which faces it mirrors itself in the middle."""
    splats = _solid(_sheet((-0.6, -0.6), (0.6, 0.6), 0.0))
    pose = pose_from(np.array([0.0, 0.0, 1.0]))
    drawn = splats.drawn(pose, CAMERA, WHITE)
    shading = np.zeros((len(splats), COLUMNS), np.float32)
    shading[:, 2], shading[:, TRANSFER.start] = 1.0, OPEN
    surface = surface_shown(blended(drawn, shading), drawn.alpha, CAMERA, pose)
    ys, xs = np.nonzero(drawn.alpha > 1 / 255)
    middle = (np.abs(ys - 56) < 3) & (np.abs(xs - 56) < 3)
    np.testing.assert_allclose(surface.mirrored[middle], np.tile([0.0, 0.0, 1.0], (middle.sum(), 1)), atol=0.03)
    np.testing.assert_allclose(surface.cosine[middle], 1.0, atol=1e-3)
    np.testing.assert_allclose(surface.unshaded, 1.0, atol=1e-5)
    assert np.abs(surface.reaching).max() < 1e-5
