"""Photos on tables: starts around a misleading outline, and another cut from a pose that is nearly right."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from paad.detectors import paad_fit
from paad.errors import DataError, PoseError
from paad.fields.field import Field
from paad.fields.framing import composite
from paad.geometry.se3 import rotation_error_deg, se3_exp
from paad.pose.descriptors import ANGLES, RING_WEIGHTS, describe
from paad.pose.estimate import UPRIGHT, Guide, PoseConfig, search, starting_poses
from paad.pose.query import QueryImage
from paad.pose.recut import cut_around, realigned
from paad.pose.refine import Alignment
from paad.pose.templates import Templates, render_templates, sphere_directions
from paad.pose.upright import Layers, upright_poses
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


def _on_stripes(field: Field, pose: np.ndarray) -> QueryImage:
    """The toy on a striped table, its guessed outline with a blob beside it and a bite out of it."""
    image, alpha = photograph(field.gaussians, pose)
    y, x = np.mgrid[:SIZE, :SIZE]
    stripes = np.where(np.sin(0.5 * x + 0.2 * y)[..., None] > 0, [0.75, 0.72, 0.6], [0.25, 0.35, 0.3])
    toy = image.astype(np.float32) / np.float32(255)
    photo = (toy - (1 - alpha[..., None]) * (1 - stripes)).clip(0, 1).astype(np.float32)
    mask = (alpha > 0.5).astype(np.float32)
    ys, xs = np.nonzero(mask)
    cv2.circle(mask, (int(xs.max()) - 4, int(ys.max()) - 4), 26, 1.0, -1)
    cv2.circle(mask, (int(xs.min()) + 6, int(ys.mean())), 16, 0.0, -1)
    return QueryImage(composite(photo, mask, field.background), mask, CAMERA, field.background, photo)


def test_templates_know_how_training_views_are_rolled(templates: Templates) -> None:
    off = np.abs((np.degrees(templates.rolls) - ROLL_DEG + 180.0) % 360.0 - 180.0)
    assert np.median(off) < 4.0
    assert np.quantile(off, 0.9) < 20.0  # beside the poles an azimuth is a roll


def test_differences_equal_their_twin(field: Field, templates: Templates) -> None:
    query = _on_stripes(field, pose_from(DIRECTION))
    assert query.photo is not None
    assert query.mask is not None
    rings = describe(query.photo, query.mask, CAMERA, beyond=True).rings.astype(np.float64)
    found = Layers.of(templates).differences(rings.astype(np.float32))
    shown = templates.rings.astype(np.float64) / 255.0
    for n, k in ((0, 0), (3, 17), (11, 50)):
        turned = np.roll(shown[n], k, axis=1)
        colour, alpha = turned[..., :3], turned[..., 3]
        straight = colour / np.maximum(alpha, 1e-3)[..., None]
        under = alpha * ((rings[..., :3] - straight) ** 2).sum(axis=-1)
        guess = rings[..., 3]
        disagree = 0.1 * (alpha * (1.0 - guess) + (1.0 - alpha) * guess)
        twin = ((under + disagree) * RING_WEIGHTS[..., 0]).sum() / ANGLES
        assert found[n, k] == pytest.approx(twin, abs=2e-4)


def test_upright_starts_are_near_where_an_outline_misleads(field: Field, templates: Templates) -> None:
    near = {"by the outline": 0, "upright": 0}
    guide = Guide(templates, None)
    for seed in range(10):
        direction = np.random.default_rng(seed).normal(size=3)
        truth = pose_from(direction / np.linalg.norm(direction), roll_deg=ROLL_DEG)
        query = _on_stripes(field, truth)
        starts = {
            "by the outline": starting_poses(field, guide, query, PoseConfig(hypotheses=10)),
            "upright": upright_poses(templates, query, field.centre, 10),
        }
        for name, poses in starts.items():
            assert 0 < len(poses) <= 10
            near[name] += min(rotation_error_deg(p, truth) for p in poses) < 15.0
    assert near["upright"] >= 8
    assert near["upright"] >= near["by the outline"] + 2


def test_upright_search_finds_what_lies_on_stripes(field: Field, templates: Templates) -> None:
    truth = pose_from(DIRECTION, roll_deg=ROLL_DEG + 8.0)
    found = search(field, Guide(templates, None), _on_stripes(field, truth), UPRIGHT)[0]
    assert rotation_error_deg(found.cam_from_world, truth) < 0.5


def test_one_template_is_enough_for_upright_starts(field: Field, templates: Templates) -> None:
    nearest = int(np.argmin([rotation_error_deg(t, pose_from(DIRECTION)) for t in templates.poses]))
    one = Templates(*(getattr(templates, f.name)[nearest : nearest + 1] for f in fields(Templates)))
    poses = upright_poses(one, _on_stripes(field, pose_from(DIRECTION, roll_deg=ROLL_DEG)), field.centre, 10)
    assert 0 < len(poses) <= 2


def test_an_outline_that_is_known_has_no_upright_starts(field: Field, templates: Templates) -> None:
    query = _on_stripes(field, pose_from(DIRECTION))
    known = QueryImage(query.image, query.mask, CAMERA, field.background)
    assert upright_poses(templates, known, field.centre, 10) == []
    with pytest.raises(PoseError, match="nothing in the photo"):
        search(field, Guide(templates, None), known, UPRIGHT)


def test_cut_again_a_pose_comes_home(field: Field) -> None:
    truth = pose_from(DIRECTION)
    about, back = np.eye(4), np.eye(4)
    about[:3, 3], back[:3, 3] = truth[:3, 3], -truth[:3, 3]
    off = about @ se3_exp(np.array([0.08, -0.06, 0.05, 0.02, 0.02, 0.0])) @ back @ truth
    query = _on_stripes(field, truth)
    found = realigned(field, query, Alignment(off, 1.0, np.ones(3, np.float32)), 0.05)
    assert rotation_error_deg(off, truth) > 5.0
    assert rotation_error_deg(found.cam_from_world, truth) < 0.5


def test_a_cut_leaves_the_shadow_out(field: Field) -> None:
    truth = pose_from(DIRECTION)
    query = _on_stripes(field, truth)
    assert query.photo is not None
    assert query.mask is not None
    _, alpha = photograph(field.gaussians, truth)
    mask = cut_around((query.photo * 255).astype(np.uint8), alpha)
    assert mask is not None

    def overlap(guess: np.ndarray) -> float:
        return float(((guess > 0.5) & (alpha > 0.5)).sum() / ((guess > 0.5) | (alpha > 0.5)).sum())

    assert overlap(query.mask) < 0.85
    assert overlap(mask) > 0.9
    empty = np.zeros_like(alpha)
    assert cut_around((query.photo * 255).astype(np.uint8), empty) is None
    assert cut_around((query.photo * 255).astype(np.uint8), empty + 1) is None


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
