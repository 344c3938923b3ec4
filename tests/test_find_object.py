"""The object in posed photos without masks: found where it stands out, and left alone where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

import paad
from paad.fields import find_object
from paad.fields.find_object import masks_agree, with_object_masks
from paad.geometry.se3 import rotation_error_deg
from paad.pose.templates import sphere_directions
from paad.types import Float32, Float64, PosedView
from toy import CAMERA, SIZE, photograph, pose_from, posed_views, toy_gaussians

DIRECTION = np.array([0.48, 0.6, 0.64])
OPTIONS = {"steps": 320, "initial_gaussians": 3000, "max_gaussians": 4000, "sh_degree": 1, "template_spacing_deg": 14.0}


def _table(number: int) -> np.ndarray:
    """A speckled, unevenly lit picture uint8 [H, W, 3] in greens and greys, another for each number."""
    rng = np.random.default_rng(number)
    grain = cv2.GaussianBlur(rng.normal(size=(SIZE, SIZE)), (0, 0), 1.2)
    slope = np.linspace(-1.0, 1.0, SIZE) * rng.uniform(-20, 20)
    ground = np.array([120.0, 140.0, 110.0]) + 60.0 * grain[..., None] + slope[:, None, None]
    return ground.clip(0, 255).astype(np.uint8)


def _on(ground: np.ndarray, image: np.ndarray, alpha: Float32) -> np.ndarray:
    cover = alpha[..., None]
    toy = image.astype(np.float32) - 255.0 * (1.0 - cover)
    return (toy + (1.0 - cover) * ground).clip(0, 255).astype(np.uint8)


def _on_tables(views: Sequence[PosedView]) -> list[PosedView]:
    out = []
    for i, view in enumerate(views):
        assert view.mask is not None
        out.append(replace(view, image=_on(_table(i), view.image, view.mask), mask=None))
    return out


def _overlap(a: Float32, b: Float32) -> float:
    return float(((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum())


@pytest.fixture(scope="module")
def photos() -> list[PosedView]:
    return posed_views(toy_gaussians(), spacing_deg=24.0)


def test_the_object_is_found_on_tables(photos: list[PosedView]) -> None:
    found = with_object_masks(_on_tables(photos))
    assert found is not None
    overlaps = [_overlap(f.mask, p.mask) for f, p in zip(found, photos, strict=True) if f.mask is not None]
    assert len(overlaps) > 0.9 * len(photos)
    assert np.median(overlaps) > 0.93
    assert min(overlaps) > 0.8
    again = with_object_masks(_on_tables(photos))
    assert again is not None
    assert all(a.mask is None or np.array_equal(a.mask, b.mask) for a, b in zip(again, found, strict=True))


def _half_checked_ball(name: str, pose: Float64, radius: float = 0.5) -> PosedView:
    """A ball, one half red and one checked in two greys of the smooth ground; the mask is the true one."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    rays = np.stack([(x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy, np.ones_like(x)], axis=-1) @ pose[:3, :3]
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    eye = -pose[:3, :3].T @ pose[:3, 3]
    along = rays @ eye
    depth = along**2 - (eye @ eye - radius**2)
    points = eye - (along + np.sqrt(np.maximum(depth, 0.0)))[..., None] * rays
    checks = np.where(np.floor(points / 0.12).sum(axis=-1) % 2 == 0, 180.0, 120.0)[..., None]
    ball = np.where(points[..., :1] < 0, np.array([200.0, 40.0, 40.0]), checks)
    ground = np.linspace(90.0, 210.0, SIZE)[:, None, None]
    image = np.where(depth[..., None] > 0, ball, ground).astype(np.uint8)
    return PosedView(name, image, (depth > 0).astype(np.float32), CAMERA, pose)


def test_a_printed_part_in_the_colours_of_the_ground_is_of_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    true = [_half_checked_ball(f"{i}.png", pose_from(d)) for i, d in enumerate(sphere_directions(24.0))]
    bare = [replace(v, mask=None) for v in true]
    found = find_object.by_colour(bare)
    assert found is not None
    overlaps = [_overlap(f.mask, v.mask) for f, v in zip(found, true, strict=True) if f.mask is not None]
    assert np.median(overlaps) > 0.85
    monkeypatch.setattr(find_object, "_with_texture", lambda *_: None)
    assert find_object.by_colour(bare) is None


@pytest.mark.parametrize("ahead", [2.6, 0.0, -2.6])
def test_a_view_shows_the_ball_only_if_it_is_ahead(photos: list[PosedView], ahead: float) -> None:
    space = find_object._Space.of([replace(v, mask=None) for v in photos])
    assert space is not None
    pose = np.eye(4)
    pose[:3, 3] = np.array([0.0, 0.0, ahead]) - space.centre
    assert find_object._around(space, replace(space.small[0], cam_from_world=pose)).any() == (ahead > 0)


def test_masks_that_are_there_are_not_looked_at(photos: list[PosedView]) -> None:
    misled = [replace(v, mask=np.ones((SIZE, SIZE), np.float32)) for v in _on_tables(photos)]
    found = with_object_masks(misled)
    assert found is not None
    assert _overlap(found[0].mask, photos[0].mask) > 0.8


def test_tables_alone_hold_no_object(photos: list[PosedView]) -> None:
    assert with_object_masks([replace(v, image=_table(i), mask=None) for i, v in enumerate(photos)]) is None


def test_photos_that_contradict_each_other_hold_no_object(photos: list[PosedView]) -> None:
    order = np.random.default_rng(0).permutation(len(photos))
    mixed = [replace(v, cam_from_world=photos[int(k)].cam_from_world) for v, k in zip(photos, order, strict=True)]
    assert with_object_masks(_on_tables(mixed)) is None


def test_views_in_one_direction_hold_no_object(photos: list[PosedView]) -> None:
    parallel = [replace(v, cam_from_world=photos[0].cam_from_world) for v in _on_tables(photos[:5])]
    assert with_object_masks(parallel) is None
    assert with_object_masks([]) is None


def test_paad_learns_the_object_and_finds_it_on_another_table(photos: list[PosedView]) -> None:
    tables = _on_tables(photos)
    detector = paad.create("paad", device="cpu", **OPTIONS).fit(tables)
    assert detector.summary()["masks"] == "found"
    assert detector.field.bounded
    truth = pose_from(DIRECTION)
    image, alpha = photograph(toy_gaussians(), truth)
    good = detector.predict(_on(_table(99), image, alpha), 0.1)
    assert good.status != "unknown"
    assert rotation_error_deg(good.cam_from_world, truth) < 1.5
    image[SIZE // 2 - 6 : SIZE // 2 + 6, SIZE // 2 - 6 : SIZE // 2 + 6] = (250, 0, 250)
    stained = detector.predict(_on(_table(98), image, alpha), 0.1)
    assert stained.status == "defect"
    assert stained.score > 2.0 * good.score
    assert detector.predict(_table(97)).status == "unknown"


def test_masks_of_one_object_agree(photos: list[PosedView]) -> None:
    assert masks_agree(photos)
    assert not masks_agree(_on_tables(photos))
    order = np.random.default_rng(0).permutation(len(photos))
    mixed = [replace(v, mask=photos[int(k)].mask) for v, k in zip(photos, order, strict=True)]
    assert not masks_agree(mixed)
    spoilt = np.zeros((SIZE, SIZE), np.float32)
    spoilt[:, : SIZE // 2] = 1.0
    assert not masks_agree([replace(v, mask=spoilt) if i % 6 == 0 else v for i, v in enumerate(photos)])


class _Guessed(list[PosedView]):
    """Views whose masks were estimated from the background."""

    mask_source = "background"


@pytest.mark.parametrize("wrong", [True, False])
def test_paad_does_not_believe_guesses_that_contradict_each_other(photos: list[PosedView], wrong: bool) -> None:
    tables = _on_tables(photos)
    spoilt = np.ones((SIZE, SIZE), np.float32)
    spoilt[SIZE // 2 :] = 0.0
    guesses = [spoilt if wrong and i % 2 else photos[i].mask for i in range(len(photos))]
    views = _Guessed(replace(v, mask=m) for v, m in zip(tables, guesses, strict=True))
    detector = paad.create("paad", device="cpu", **{**OPTIONS, "steps": 60}).fit(views)
    assert detector.summary()["masks"] == ("found" if wrong else "given")


def test_paad_learns_the_whole_scene_where_it_is_told_to(photos: list[PosedView]) -> None:
    whole = paad.create("paad", device="cpu", find_object=False, **{**OPTIONS, "steps": 60})
    room = [replace(v, mask=None) for v in photos]
    assert whole.fit(room).summary()["masks"] == "none"
    assert whole.field.camera == CAMERA
