"""From a photo to a pose: descriptors, alignment, the whole search, and what cannot be found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from paad.errors import PoseError
from paad.fields.field import Field
from paad.geometry.camera import Camera, Lens
from paad.geometry.depth import filled_depth
from paad.geometry.se3 import rotation_error_deg, se3_exp, translation_error_relative
from paad.pose.descriptors import ANGLES, RINGS, describe, match, spectra_of
from paad.pose.estimate import THOROUGH, Guide, PoseConfig, search, starting_poses
from paad.pose.kernels import normal_equations
from paad.pose.landmarks import find_landmarks, poses_from_landmarks
from paad.pose.query import QueryImage, cameras_of_photo, prepare_query
from paad.pose.refine import Alignment, align, brightness_gain, with_lens
from paad.pose.slide import slid
from paad.pose.templates import render_templates, sphere_directions
from paad.render import Gaussians
from toy import CAMERA, SIZE, photograph, pose_from, posed_views, toy_field, toy_gaussians

DIRECTION = np.array([0.48, -0.6, 0.64])
_TRAINED = [pose_from(d, roll_deg=20.0) for d in sphere_directions(25.0)]


@pytest.fixture(scope="module")
def field() -> Field:
    return toy_field()


@pytest.fixture(scope="module")
def guide(field: Field) -> Guide:
    return Guide(render_templates(field, _TRAINED, spacing_deg=12.0), None)


def _query(pose: np.ndarray, field: Field, camera: Camera = CAMERA) -> QueryImage:
    image, _ = photograph(field.gaussians, pose, camera)
    return prepare_query(image.astype(np.float32) / np.float32(255), None, camera, field.background, bounded=True)


def test_descriptors_turn_with_the_camera(field: Field) -> None:
    views = [photograph(field.gaussians, pose_from(DIRECTION, roll_deg=a)) for a in (0.0, 90.0)]
    a, b = (describe(image.astype(np.float32) / np.float32(255), mask, CAMERA) for image, mask in views)
    assert np.abs(np.roll(a.rings, ANGLES // 4, axis=1) - b.rings).mean() < 0.02
    assert a.size == pytest.approx(b.size, rel=0.02)
    found = match(b.rings, spectra_of((a.rings[None] * 255).astype(np.uint8)), 1)[0]
    assert np.degrees(found.roll) == pytest.approx(90.0, abs=2.0)


def test_descriptor_of_nothing() -> None:
    empty = np.zeros((SIZE, SIZE), np.float32)
    with pytest.raises(PoseError, match="mask is empty"):
        describe(np.zeros((SIZE, SIZE, 3), np.float32), empty, CAMERA)


def _normal_equations_twin(
    render: np.ndarray, query: np.ndarray, depth: np.ndarray, camera: Camera, centre: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same sums in plain numpy, one motion at a time."""
    mean = 0.5 * (render.astype(np.float64) + query)
    gx, gy = np.zeros_like(mean), np.zeros_like(mean)
    gx[:, 1:-1] = 0.5 * (mean[:, 2:] - mean[:, :-2])
    gy[1:-1] = 0.5 * (mean[2:] - mean[:-2])
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]] + 0.5
    z = np.where(depth > 0, depth, 1.0)
    point = np.stack([(x - camera.cx) / camera.fx * z, (y - camera.cy) / camera.fy * z, z], -1)
    columns = []
    for k in range(9):
        axis = (np.eye(3)[k % 3] if k < 6 else centre[2] * np.array([-(k == 7), -(k == 8), k == 6])).astype(np.float64)
        velocity = np.cross(axis, point - centre) if k < 3 else np.broadcast_to(axis, point.shape)
        du = camera.fx * (velocity[..., 0] - point[..., 0] / z * velocity[..., 2]) / z
        dv = camera.fy * (velocity[..., 1] - point[..., 1] / z * velocity[..., 2]) / z
        # the lens is another, too
        du = du + camera.fx * (point[..., 0] / z * (k == 6) + (k == 7))
        dv = dv + camera.fy * (point[..., 1] / z * (k == 6) + (k == 8))
        columns.append(-(gx * du[..., None] + gy * dv[..., None]))
    counts = np.zeros(depth.shape, bool)
    counts[1:-1, 1:-1] = depth[1:-1, 1:-1] > 0
    residual = query.astype(np.float64) - render
    weight = np.where(counts, 1.0 / (1.0 + (residual**2).sum(-1) / scale**2), 0.0)[..., None]
    jacobian = np.stack(columns, -1)
    matrix = np.einsum("hwci,hwcj->ij", jacobian * weight[..., None], jacobian)
    return matrix, np.einsum("hwci,hwc->i", jacobian, weight * residual)


def test_normal_equations_equal_their_twin(field: Field) -> None:
    rng = np.random.default_rng(0)
    camera = Camera(37, 29, 60.0, 55.0, 17.0, 15.5)
    render, query = (rng.random((29, 37, 3)).astype(np.float32) for _ in range(2))
    depth = (2.0 + rng.random((29, 37))).astype(np.float32) * (rng.random((29, 37)) > 0.2).astype(np.float32)
    centre = np.array([0.1, -0.2, 2.4])
    sums = normal_equations(
        render,
        query,
        depth,
        np.array([camera.fx, camera.fy], np.float32),
        np.array([camera.cx, camera.cy], np.float32),
        centre.astype(np.float32),
        np.float32(0.3),
    )
    matrix, side = _normal_equations_twin(render, query, depth, camera, centre, 0.3)
    assert np.allclose(sums[:45], matrix[np.triu_indices(9)], rtol=2e-3, atol=1e-2 * np.abs(matrix).max() / 100)
    assert np.allclose(sums[45:54], side, rtol=2e-3, atol=1e-3 * np.abs(side).max())


@pytest.mark.parametrize("seed", range(4))
def test_alignment_comes_home(field: Field, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = pose_from(DIRECTION, roll_deg=20.0)
    twist = np.concatenate([rng.normal(0, 0.03, 3), rng.normal(0, 0.03, 3)])
    about, back = np.eye(4), np.eye(4)
    about[:3, 3], back[:3, 3] = truth[:3, 3], -truth[:3, 3]
    start = about @ se3_exp(twist) @ back @ truth
    found = align(field, _query(truth, field), Alignment.start(start), 12, 0.3, blur_px=1.5)
    assert found is not None
    assert rotation_error_deg(found.cam_from_world, truth) < 0.4
    assert translation_error_relative(found.cam_from_world, truth, field.centre) < 0.01


@pytest.mark.parametrize("seed", range(6))
def test_any_direction_roll_and_distance(field: Field, guide: Guide, seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    direction = rng.normal(size=3)
    truth = pose_from(
        direction / np.linalg.norm(direction), distance=2.6 * rng.uniform(0.85, 1.4), roll_deg=rng.uniform(0, 360)
    )
    found = search(field, guide, _query(truth, field), PoseConfig())
    assert rotation_error_deg(found[0].cam_from_world, truth) < 1.0
    assert translation_error_relative(found[0].cam_from_world, truth, field.centre) < 0.02


def test_starts_beside_a_found_pose_are_not_missed(field: Field, guide: Guide) -> None:
    """The search that leaves them out ends where the one that tries them all does."""
    skipping = PoseConfig()
    trying = dataclasses.replace(
        skipping, stages=(dataclasses.replace(skipping.stages[0], apart_deg=0.0), *skipping.stages[1:])
    )
    for roll in (10.0, 130.0, 250.0):
        query = _query(pose_from(DIRECTION, roll_deg=roll), field)
        quick, whole = (search(field, guide, query, config)[0] for config in (skipping, trying))
        assert rotation_error_deg(quick.cam_from_world, whole.cam_from_world) < 0.1
        assert quick.cost < whole.cost + 1e-4


def test_a_larger_photo_and_a_turned_one(field: Field, guide: Guide) -> None:
    truth = pose_from(DIRECTION)
    large = CAMERA.scaled(2.0)
    found = search(field, guide, _query(truth, field, cameras_of_photo(CAMERA, 2 * SIZE, 2 * SIZE)[0]), PoseConfig())
    assert [large] == cameras_of_photo(CAMERA, 2 * SIZE, 2 * SIZE)
    assert rotation_error_deg(found[0].cam_from_world, truth) < 1.0
    (portrait,) = cameras_of_photo(Camera(80, 60, 70.0, 70.0, 41.0, 29.0), 60, 80)
    assert (portrait.fx, portrait.cx, portrait.cy) == (70.0, 30.0, 40.0)


def test_a_photo_that_shows_more_to_both_sides_keeps_its_focal_length(field: Field, guide: Guide) -> None:
    truth = pose_from(DIRECTION)
    whole, wider = cameras_of_photo(CAMERA, 2 * SIZE, SIZE)
    assert (whole.fx, wider.fx, wider.cx) == (2 * CAMERA.fx, CAMERA.fx, SIZE)
    (flatter,) = cameras_of_photo(CAMERA, SIZE, SIZE // 2)
    assert flatter.fx == CAMERA.fx
    costs = []
    for camera in (whole, wider):
        shown = dataclasses.replace(_query(truth, field, wider), camera=camera)
        found = search(field, guide, shown, PoseConfig())[0]
        costs.append(found.cost)
    assert costs[1] < costs[0]
    assert rotation_error_deg(found.cam_from_world, truth) < 1.0


@pytest.mark.parametrize("zoom", [0.7, 0.85, 1.2, 1.5])
def test_a_lens_of_its_own_is_found(field: Field, guide: Guide, zoom: float) -> None:
    """A longer lens from farther away shows the object at the same size, flatter."""
    truth = pose_from(DIRECTION, distance=2.6 * zoom, roll_deg=20.0)
    taken_for = dataclasses.replace(_query(truth, field, CAMERA.through(Lens(zoom))), camera=CAMERA)
    found = search(field, guide, taken_for, PoseConfig())[0]
    assert found.lens.zoom == pytest.approx(zoom, rel=0.01)
    assert rotation_error_deg(found.cam_from_world, truth) < 0.1
    assert translation_error_relative(found.cam_from_world, truth, field.centre) < 0.02


@pytest.mark.parametrize("zoom", [1.0, 1.3])
def test_a_cut_beside_the_middle_is_found(field: Field, guide: Guide, zoom: float) -> None:
    """What is cut out of a picture beside its middle is sheared; taken for a whole photo its pose is degrees off."""
    aside = Lens(zoom, 0.15, -0.1)
    truth = pose_from(DIRECTION, distance=2.6 * zoom, roll_deg=20.0)
    truth[:3, 3] -= truth[2, 3] / zoom * np.array([aside.x, aside.y, 0.0])
    taken_for = dataclasses.replace(_query(truth, field, CAMERA.through(aside)), camera=CAMERA)
    found = search(field, guide, taken_for, PoseConfig())[0]
    assert found.lens == pytest.approx(aside, abs=0.02)
    assert rotation_error_deg(found.cam_from_world, truth) < 0.5


def test_lenses_add_up() -> None:
    first, second = Lens(1.3, 0.1, -0.2), Lens(0.9, -0.05, 0.02)
    twice, once = CAMERA.through(first).through(second), CAMERA.through(first.changed(second))
    assert dataclasses.astuple(twice) == pytest.approx(dataclasses.astuple(once))


def test_a_lens_is_not_guessed(field: Field) -> None:
    """What hardly lowers the cost tells nothing, and what leads nowhere changes nothing."""
    known = Alignment(pose_from(DIRECTION), 1.0, np.ones(3, np.float32))
    better, worse = (dataclasses.replace(known, cost=cost, lens=Lens(1.2)) for cost in (0.9, 0.96))
    assert with_lens(lambda start, steps, unknowns: better, known, 9) is better
    assert with_lens(lambda start, steps, unknowns: worse, known, 9) is known
    assert with_lens(lambda start, steps, unknowns: None, known, 9) is known
    assert with_lens(lambda start, steps, unknowns: better if start is known else None, known, 9) is better


def test_a_darker_photo_keeps_its_pose(field: Field, guide: Guide) -> None:
    truth = pose_from(DIRECTION)
    image, mask = photograph(field.gaussians, truth)
    dark = image.astype(np.float32) / np.float32(255) * np.float32(0.6)
    query = prepare_query(dark, mask, CAMERA, field.background, bounded=True)
    found = search(field, guide, query, PoseConfig())[0]
    assert rotation_error_deg(found.cam_from_world, truth) < 1.0
    assert 0.55 < float(found.gain.mean()) < 0.7


def _without_a_part(part: int) -> Gaussians:
    """The toy without one of its boxes; ``toy_gaussians`` makes them one after the other."""
    whole = toy_gaussians()
    kept = torch.ones(len(whole.means), dtype=torch.bool)
    kept[part * len(kept) // 7 : (part + 1) * len(kept) // 7] = False
    return Gaussians(*(value[kept] for value in dataclasses.astuple(whole)))


@pytest.mark.parametrize("part", range(7))
def test_a_missing_part_hardly_moves_the_pose(field: Field, guide: Guide, part: int) -> None:
    truth = pose_from(DIRECTION, roll_deg=40.0)
    image, _ = photograph(_without_a_part(part), truth)
    query = prepare_query(image.astype(np.float32) / np.float32(255), None, CAMERA, field.background, bounded=True)
    found = search(field, guide, query, THOROUGH)[0]
    assert rotation_error_deg(found.cam_from_world, truth) < 0.3


def test_what_is_missing_counts_by_its_share() -> None:
    rng = np.random.default_rng(0)
    query = rng.uniform(size=(RINGS, ANGLES, 4)).astype(np.float32)
    query[..., 3] = query[..., 3] > 0.4
    query[..., :3] *= query[..., 3:]
    template = rng.integers(0, 255, (1, RINGS, ANGLES, 4)).astype(np.uint8)
    found = match(query, spectra_of(template), 1, missing=0.3)[0]
    steps = round(found.roll / (2 * np.pi) * ANGLES) % ANGLES
    turned = np.roll(template[0].astype(np.float64) / 255.0, steps, axis=1)
    radii = (np.arange(RINGS) + 0.5) / RINGS
    weight = (radii / radii.sum())[:, None] * np.where(query[..., 3] > 0.5, 1.0, 0.3)
    by_hand = float((weight[..., None] * (query - turned) ** 2).sum()) / ANGLES
    assert found.distance == pytest.approx(by_hand, rel=1e-4)


def test_a_part_of_a_silhouette_is_described_as_the_whole(field: Field) -> None:
    image, mask = photograph(field.gaussians, pose_from(DIRECTION))
    picture = image.astype(np.float32) / np.float32(255)
    whole = describe(picture, mask, CAMERA)
    rows = np.nonzero(mask.any(axis=1))[0]
    part = mask.copy()
    part[: int(np.quantile(rows, 0.3))] = 0.0
    middle = [
        np.array([(m.sum(axis=0) @ np.arange(SIZE)), (m.sum(axis=1) @ np.arange(SIZE))]) / m.sum() for m in (mask, part)
    ]
    shift = (middle[0] - middle[1]) / np.sqrt(part.sum())
    larger = float(np.sqrt(mask.sum() / part.sum()))
    told = describe(picture, part, CAMERA, (float(shift[0]), float(shift[1])), larger)
    np.testing.assert_allclose(told.ray, whole.ray, atol=1e-3)
    assert told.size == pytest.approx(whole.size, rel=0.01)
    there = told.rings[..., 3] > 0.99
    assert there.mean() > 0.2
    np.testing.assert_allclose(told.rings[there], whole.rings[there], atol=0.1)


def test_starts_of_a_part_lie_near_where_plain_ones_do_not(field: Field, guide: Guide) -> None:
    """A third of the object cut off: as many guesses that expect it are right more often."""
    near = {"plain": 0, "of a part": 0}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        direction = rng.normal(size=3)
        truth = pose_from(direction / np.linalg.norm(direction), roll_deg=rng.uniform(0.0, 360.0))
        query = _query(truth, field)
        assert query.mask is not None
        columns = np.cumsum(query.mask.sum(axis=0))
        cut = np.arange(SIZE)[None] < np.searchsorted(columns, columns[-1] / 3.0)
        picture = np.where(cut[..., None], query.background, query.image).astype(np.float32)
        part = QueryImage(picture, np.where(cut, 0.0, query.mask).astype(np.float32), CAMERA, query.background)
        for name, config in (("plain", PoseConfig(hypotheses=40)), ("of a part", PoseConfig(incomplete=30))):
            starts = starting_poses(field, guide, part, config)
            near[name] += min(rotation_error_deg(pose, truth) for pose in starts) < 20.0
    assert near["of a part"] >= near["plain"] + 3
    assert near["of a part"] >= 10


def test_guesses_slide_to_where_they_fit(field: Field) -> None:
    truth = pose_from(DIRECTION)
    query = _query(truth, field)
    off = truth.copy()
    off[:3, 3] *= 1.0 / 0.9
    off[:2, 3] += 0.12 * off[2, 3] / CAMERA.fx * SIZE * np.array([0.7, -0.4])
    other = pose_from(-DIRECTION)
    (found,) = slid(field, query, [other, off], 1)
    assert translation_error_relative(found, truth, field.centre) < 0.03
    assert translation_error_relative(off, truth, field.centre) > 0.1
    assert slid(field, QueryImage(query.image, None, CAMERA, field.background), [off], 1) == []


def test_an_empty_photo_has_no_pose(field: Field, guide: Guide) -> None:
    query = prepare_query(np.ones((SIZE, SIZE, 3), np.float32), None, CAMERA, field.background, bounded=True)
    with pytest.raises(PoseError):
        search(field, guide, query, PoseConfig())


def test_landmarks_give_poses_without_masks(field: Field) -> None:
    views = posed_views(field.gaussians, spacing_deg=30.0, with_masks=False)
    landmarks = find_landmarks(field, views)
    assert len(landmarks.xyz) > 200
    truth = views[4].cam_from_world
    image = views[4].image.astype(np.float32) / np.float32(255)
    poses = poses_from_landmarks(landmarks, QueryImage(image, None, CAMERA, np.ones(3, np.float32)))
    assert min(rotation_error_deg(p, truth) for p in poses) < 2.0
    noise = np.random.default_rng(0).random((SIZE, SIZE, 3)).astype(np.float32)
    assert poses_from_landmarks(landmarks, QueryImage(noise, None, CAMERA, np.ones(3, np.float32))) == []


def test_gain_ignores_a_stain() -> None:
    render = np.full((20, 20, 3), 0.5, np.float32)
    query = 0.8 * render
    query[:5] = 0.0
    gain = brightness_gain(render, query, np.ones((20, 20), np.float32), 0.0)
    assert np.allclose(gain, 0.8, atol=0.02)


def test_paint_over_most_of_the_object_is_no_lamp() -> None:
    rng = np.random.default_rng(0)
    render = rng.uniform(0.6, 0.8, (20, 20, 3)).astype(np.float32)
    query = render.copy()
    query[:12] *= np.array([0.3, 0.8, 0.4], np.float32) * rng.uniform(0.8, 1.2, (12, 20, 1)).astype(np.float32)
    gain = brightness_gain(render, query, np.ones((20, 20), np.float32), 0.05)
    np.testing.assert_allclose(gain, 1.0, atol=0.02)


def test_depth_reaches_beyond_the_silhouette() -> None:
    alpha = np.zeros((9, 9), np.float32)
    alpha[3:6, 3:6] = 1.0
    depth = filled_depth(2.0 * alpha, alpha)
    assert depth[4, 4] == pytest.approx(2.0)
    assert depth[1, 4] == pytest.approx(2.0)
    assert depth[0, 0] == 0.0


def test_templates_keep_to_where_views_were(field: Field) -> None:
    from dataclasses import replace

    above = replace(field, directions=np.array([[0.0, 0.0, 1.0]], np.float32))
    few = render_templates(above, _TRAINED, spacing_deg=12.0)
    assert 0 < len(few.poses) < 0.1 * len(sphere_directions(12.0))
