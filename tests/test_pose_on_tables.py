"""Photos on tables: starts wherever the photo looks like the object, and the field laid into the photo."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from paad.detectors import paad_fit
from paad.errors import DataError, PoseError
from paad.fields.field import Field
from paad.fields.framing import composite
from paad.fields.shading import shading_of
from paad.geometry.camera import Camera, Lens
from paad.geometry.se3 import rotation_error_deg, se3_exp
from paad.pose.anywhere import BEST_AGREEMENT, Shown, Spectra, agreement, edge_directions, poses_anywhere
from paad.pose.estimate import ANYWHERE, Guide, PoseConfig, search, settled_at, starting_poses
from paad.pose.query import QueryImage
from paad.pose.refine import Alignment
from paad.pose.settle import laid_in
from paad.pose.templates import Templates, render_templates, sphere_directions
from paad.types import PosedView
from toy import CAMERA, SIZE, photograph, pose_from, toy_field

ROLL_DEG = 20.0
DIRECTION = np.array([0.48, -0.6, 0.64])


@pytest.fixture(scope="module")
def field() -> Field:
    return toy_field()


@pytest.fixture(scope="module")
def templates(field: Field) -> Templates:
    trained = [pose_from(d, roll_deg=ROLL_DEG) for d in sphere_directions(25.0)]
    return render_templates(field, trained, spacing_deg=12.0)


def _on_stripes(field: Field, pose: np.ndarray, camera: Camera = CAMERA) -> QueryImage:
    """The toy on a striped table, its guessed outline with a blob beside it and a bite out of it."""
    image, alpha = photograph(field.gaussians, pose, camera)
    y, x = np.mgrid[:SIZE, :SIZE]
    stripes = np.where(np.sin(0.5 * x + 0.2 * y)[..., None] > 0, [0.75, 0.72, 0.6], [0.25, 0.35, 0.3])
    toy = image.astype(np.float32) / np.float32(255)
    photo = (toy - (1 - alpha[..., None]) * (1 - stripes)).clip(0, 1).astype(np.float32)
    mask = (alpha > 0.5).astype(np.float32)
    ys, xs = np.nonzero(mask)
    cv2.circle(mask, (int(xs.max()) - 4, int(ys.max()) - 4), 26, 1.0, -1)
    cv2.circle(mask, (int(xs.min()) + 6, int(ys.mean())), 16, 0.0, -1)
    return QueryImage(composite(photo, mask, field.background), mask, camera, field.background, photo)


def test_templates_know_how_training_views_are_rolled(templates: Templates) -> None:
    off = np.abs((np.degrees(templates.rolls) - ROLL_DEG + 180.0) % 360.0 - 180.0)
    assert np.median(off) < 4.0
    assert np.quantile(off, 0.9) < 20.0  # beside the poles an azimuth is a roll


def test_correlations_equal_their_twin(field: Field) -> None:
    """At one place the spectra say what sums over the pixels say."""
    truth = pose_from(DIRECTION)
    photo = _on_stripes(field, truth).photo
    assert photo is not None
    photo = np.ascontiguousarray(photo[20:100, 30:110])
    colour, alpha, _ = field.draw(truth, CAMERA)
    shown = np.concatenate([colour - (1 - alpha)[..., None] * field.background, alpha[..., None]], axis=2)
    picture = np.ascontiguousarray(shown[40:72, 50:90], dtype=np.float32)
    found = Spectra.of(photo).agreement(picture[None])[0]
    assert found.shape == (80, 80)
    edges = edge_directions(photo[None])[0]
    described = Shown.of(picture[None])
    for row, column in ((0, 0), (7, 31), (40, 38)):
        window = (slice(row, row + 32), slice(column, column + 40))
        under, weight = photo[window].astype(np.float64), picture[..., 3].astype(np.float64)
        photo_off = under - (under * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
        straight = picture[..., :3] / np.maximum(weight, 1e-3)[..., None]
        own_off = straight - picture[..., :3].sum(axis=(0, 1)) / weight.sum()
        product = (weight[..., None] * photo_off * own_off).sum()
        energies = [(weight[..., None] * off**2).sum() for off in (photo_off, own_off)]
        along = (edges[(slice(None), *window)] * described.edges[0]).sum() / np.hypot(*described.edges[0]).sum()
        twin = product / np.sqrt(energies[0] * energies[1]) + 3.0 * along
        assert found[row, column] == pytest.approx(twin, abs=5e-3)


def test_edges_are_directions_whatever_is_darker() -> None:
    y, x = np.mgrid[:20, :20]
    ramp = (0.6 * x + 0.8 * y).astype(np.float32)
    step = (0.2 + 0.7 / (1.0 + np.exp(14.0 - ramp))).astype(np.float32)
    for picture in (step, 1.0 - step):
        directions = edge_directions(np.repeat(picture[None, ..., None], 3, axis=3))[0]
        strong = np.hypot(*directions) > 0.99
        assert strong.sum() > 15
        angles = 0.5 * np.arctan2(directions[1], directions[0])[strong]
        assert np.abs(np.degrees(angles) - 53.13).max() < 3.0
        assert not directions[:, ramp < 8.0].any()


def test_starts_anywhere_are_near_where_an_outline_misleads(field: Field, templates: Templates) -> None:
    near = {"by the outline": 0, "anywhere": 0}
    guide = Guide(templates, None)
    for seed in range(6):
        direction = np.random.default_rng(seed).normal(size=3)
        truth = pose_from(direction / np.linalg.norm(direction), roll_deg=ROLL_DEG)
        query = _on_stripes(field, truth)
        starts = {
            "by the outline": starting_poses(field, guide, query, PoseConfig(hypotheses=6)),
            "anywhere": poses_anywhere(field, templates, query, 6),
        }
        for name, poses in starts.items():
            assert 0 < len(poses) <= 6
            near[name] += min(rotation_error_deg(p, truth) for p in poses) < 15.0
    assert near["anywhere"] == 6
    assert near["anywhere"] >= near["by the outline"] + 2


def test_no_outline_at_all_is_no_hindrance(field: Field, templates: Templates) -> None:
    truth = pose_from(DIRECTION, roll_deg=ROLL_DEG)
    query = _on_stripes(field, truth)
    speck = np.zeros_like(query.image[..., 0])
    speck[3:6, 3:6] = 1.0
    first, *_ = poses_anywhere(field, templates, replace(query, mask=speck), 3)
    assert rotation_error_deg(first, truth) < 15.0
    middle, there = (t[:3, :3] @ field.centre + t[:3, 3] for t in (truth, first))
    assert np.linalg.norm(middle - there) < 0.4 * field.radius


def test_a_search_anywhere_finds_what_lies_on_stripes(field: Field, templates: Templates) -> None:
    truth = pose_from(DIRECTION, roll_deg=ROLL_DEG + 8.0)
    found = search(field, Guide(templates, None), _on_stripes(field, truth), ANYWHERE)[0]
    assert rotation_error_deg(found.cam_from_world, truth) < 0.5


def test_what_lies_elsewhere_does_not_agree(field: Field) -> None:
    truth = pose_from(DIRECTION)
    query = _on_stripes(field, truth)
    aside, turned = truth.copy(), pose_from(-DIRECTION)
    aside[0, 3] += 0.4 * field.radius
    right, *wrong = (agreement(field, query, pose) for pose in (truth, aside, turned))
    assert 2.0 < right <= BEST_AGREEMENT
    assert max(wrong) < 1.5


def test_one_template_is_enough_to_be_laid_anywhere(field: Field, templates: Templates) -> None:
    nearest = int(np.argmin([rotation_error_deg(t, pose_from(DIRECTION)) for t in templates.poses]))
    one = Templates(*(getattr(templates, f.name)[nearest : nearest + 1] for f in fields(Templates)))
    poses = poses_anywhere(field, one, _on_stripes(field, pose_from(DIRECTION, roll_deg=ROLL_DEG)), 10)
    assert 0 < len(poses) <= 2


def test_an_outline_that_is_known_has_no_starts_anywhere(field: Field, templates: Templates) -> None:
    query = _on_stripes(field, pose_from(DIRECTION))
    known = QueryImage(query.image, query.mask, CAMERA, field.background)
    assert poses_anywhere(field, templates, known, 10) == []
    with pytest.raises(PoseError, match="nothing in the photo"):
        search(field, Guide(templates, None), known, ANYWHERE)


@pytest.mark.parametrize("moving", [False, True])
def test_laid_into_the_photo_a_pose_comes_home(field: Field, moving: bool) -> None:
    if moving:
        cameras = [(pose_from(d), CAMERA) for d in sphere_directions(50.0)]
        field = replace(field, shading=shading_of(field.splats, cameras, field.low, field.high))
    truth = pose_from(DIRECTION)
    about, back = np.eye(4), np.eye(4)
    about[:3, 3], back[:3, 3] = truth[:3, 3], -truth[:3, 3]
    off = about @ se3_exp(np.array([0.08, -0.06, 0.05, 0.02, 0.02, 0.0])) @ back @ truth
    query = _on_stripes(field, truth)
    found = laid_in(field, query, Alignment.start(off), 12, 1.0, 0.1, 0.35)
    assert rotation_error_deg(off, truth) > 5.0
    assert rotation_error_deg(found.cam_from_world, truth) < 0.7
    behind = truth.copy()
    behind[2, 3] *= -1.0
    assert laid_in(field, query, Alignment.start(behind), 3, 1.0, 0.1, 0.35).cost == np.inf


def test_a_lens_of_its_own_is_found_on_a_table(field: Field) -> None:
    truth = pose_from(DIRECTION, distance=1.3 * 2.6)
    taken_for = replace(_on_stripes(field, truth, CAMERA.through(Lens(1.3))), camera=CAMERA)
    found = settled_at(field, taken_for, pose_from(DIRECTION), PoseConfig())
    assert found.lens.zoom == pytest.approx(1.3, rel=0.08)
    assert rotation_error_deg(found.cam_from_world, truth) < 0.7


def test_views_kept_aside_on_a_table_all_calibrate(
    field: Field, templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those whose object cannot be told from the table: at their own poses."""

    def lost(*_: object) -> list[Alignment]:
        raise PoseError("misled")

    monkeypatch.setattr(paad_fit, "search", lost)
    base = paad_fit.Base(
        replace(field, cut_out=True), Guide(templates, None), np.zeros((len(field.splats), 11, 2), "f4")
    )
    poses = [pose_from(d, roll_deg=ROLL_DEG) for d in sphere_directions(60.0)[:4]]
    photos = [_on_stripes(field, pose).photo for pose in poses]
    assert all(photo is not None for photo in photos)
    pictures = [(photo * 255 + 0.5).astype(np.uint8) for photo in photos if photo is not None]
    views = [PosedView(f"{i}.png", p, None, CAMERA, t) for i, (p, t) in enumerate(zip(pictures, poses, strict=True))]
    good = paad_fit.good_views(base, views, False, SIZE)
    assert len(good) == len(views)
    for compared, view in zip(good, views, strict=True):
        assert rotation_error_deg(compared.cam_from_world, view.cam_from_world) < 0.5
    plain = [
        PosedView(v.name, photograph(field.gaussians, v.cam_from_world)[0], None, CAMERA, v.cam_from_world)
        for v in views
    ]
    with pytest.raises(DataError, match="none of 4 views"):
        paad_fit.good_views(replace(base, field=field), plain, False, SIZE)
