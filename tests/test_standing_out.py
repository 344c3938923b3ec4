"""What stands out from its ground by depth, where its colours are those of the ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paad.fields import find_object
from paad.fields.find_object import with_object_masks
from paad.fields.standing_out import _alone, _refined, standing_out
from paad.pose.templates import sphere_directions
from paad.render import Gaussians
from paad.render.splats import Splats
from paad.types import Float64, PosedView
from toy import CAMERA, photograph, pose_from, toy_field, toy_gaussians

FLOOR = -0.75


def _ground(reach: float = 4.0, step: float = 0.06) -> Gaussians:
    """A flat, patchy floor in the toy's own colours."""
    rng = np.random.default_rng(3)
    x, y = np.meshgrid(*2 * [np.arange(-reach, reach, step)])
    n = x.size
    toy = toy_gaussians()
    patches = rng.integers(len(toy), size=(40, 40))
    cell = ((np.stack([x, y], axis=-1) + reach) / (2 * reach) * 40).astype(int).reshape(-1, 2)
    means = np.stack([x.ravel(), y.ravel(), np.full(n, FLOOR)], axis=1).astype(np.float32)
    return Gaussians(
        torch.from_numpy(means),
        torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(n, 1),
        torch.tensor([np.log(0.6 * step), np.log(0.6 * step), np.log(0.01)], dtype=torch.float32).repeat(n, 1),
        torch.full((n,), 4.0),
        toy.sh[torch.from_numpy(patches[cell[:, 0], cell[:, 1]])],
    )


def _both(a: Gaussians, b: Gaussians) -> Gaussians:
    return Gaussians(*(torch.cat([a.named()[k], b.named()[k]]) for k in a.named()))


@pytest.fixture(scope="module")
def scene() -> tuple[list[PosedView], list[PosedView]]:
    """Photos of the toy on the floor, and of the toy alone, from above."""
    toy, ground = toy_gaussians(), _ground()
    on, alone = [], []
    for i, direction in enumerate(d for d in sphere_directions(20.0) if d[2] > 0.15):
        pose = pose_from(direction)
        mask = photograph(toy, pose)[1]
        image = photograph(_both(toy, ground), pose)[0]
        on.append(PosedView(f"{i}.png", image, None, CAMERA, pose))
        alone.append(PosedView(f"{i}.png", image, mask, CAMERA, pose))
    return on, alone


def _overlaps(found: list[PosedView], true: list[PosedView]) -> Float64:
    pairs = [(f.mask > 0.5, t.mask > 0.5) for f, t in zip(found, true, strict=True) if f.mask is not None]
    return np.array([(a & b).sum() / (a | b).sum() for a, b in pairs])


def test_an_object_in_the_colours_of_its_ground_is_found_by_depth(
    scene: tuple[list[PosedView], list[PosedView]],
) -> None:
    photos, true = scene
    assert find_object.by_colour(photos) is None
    found = with_object_masks(photos)
    assert found is not None
    overlaps = _overlaps(found, true)
    assert len(overlaps) > 0.9 * len(photos)
    assert np.median(overlaps) > 0.8
    again = with_object_masks(photos)
    assert again is not None
    assert all(a.mask is None or np.array_equal(a.mask, b.mask) for a, b in zip(again, found, strict=True))


def test_a_bare_floor_holds_no_object(scene: tuple[list[PosedView], list[PosedView]]) -> None:
    ground = _ground()
    bare = [replace(v, image=photograph(ground, v.cam_from_world)[0]) for v in scene[0]]
    assert with_object_masks(bare) is None


@pytest.mark.parametrize(("free", "is_believed"), [(0.9, True), (0.8, False)])
def test_what_haze_half_hides_is_no_object(
    scene: tuple[list[PosedView], list[PosedView]], free: float, is_believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, true = scene
    masks = [v.mask for v in true]
    monkeypatch.setattr(find_object, "standing_out", lambda *_: masks)
    monkeypatch.setattr(find_object, "lifted", lambda *_: (masks, free))
    assert (find_object.by_depth(photos) is not None) == is_believed


def test_haze_before_a_camera_hides_nothing() -> None:
    field, pose = toy_field(), pose_from(np.array([1.0, 0.0, 0.3]))
    view = PosedView("view.png", np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8), None, CAMERA, pose)
    toy = field.splats
    before = np.array([1.0, 0.0, 0.3], np.float32)
    haze = Splats(
        (1.5 * before / np.linalg.norm(before))[None],
        np.array([[1.0, 0.0, 0.0, 0.0]], np.float32),
        np.full((1, 3), np.log(0.4), np.float32),
        np.full(1, 4.0, np.float32),
        np.zeros((1, *toy.sh.shape[1:]), np.float32),
    )
    both = Splats(**{name: np.concatenate([array, haze.named()[name]]) for name, array in toy.named().items()})
    own = np.arange(len(both)) < len(toy)
    hidden = replace(field, splats=both)
    free = field.draw(pose, CAMERA).alpha
    assert hidden.draw_with(own.astype(np.float32)[:, None], pose, CAMERA)[1].sum() < 0.5 * free.sum()
    assert np.array_equal(_alone(hidden, own, [view])[0], free)


def test_nothing_stands_out_of_two_photos(scene: tuple[list[PosedView], list[PosedView]]) -> None:
    assert standing_out(scene[0][:2], np.zeros(3), 0.8) is None


def test_a_plane_goes_through_its_points() -> None:
    rng = np.random.default_rng(0)
    normal = np.array([0.48, 0.6, 0.64])
    across = np.linalg.svd(normal[None])[2][1:]
    points = rng.uniform(-1, 1, (2000, 2)) @ across + 0.3 * normal + rng.normal(scale=0.003, size=(2000, 1)) * normal
    points = np.concatenate([points, rng.uniform(0.5, 1.0, (200, 1)) * normal])
    tilted = normal + np.array([0.02, 0.0, -0.02])
    found, height = _refined(points, tilted / np.linalg.norm(tilted), 0.29, 0.05)
    assert found @ normal > 0.9999
    assert height == pytest.approx(0.3, abs=0.002)
