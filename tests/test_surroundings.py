"""Photos on a table: cut out by colour, the reference laid into what surrounds the object."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

import paad
from paad.compare.surroundings import surroundings_of
from paad.data.masks import coloured_as, cut_out, grab_cut
from paad.geometry.se3 import rotation_error_deg
from paad.pose.query import cut_by_colour, prepare_query
from toy import CAMERA, SIZE, photograph, pose_from, posed_views, toy_gaussians

WHITE = np.ones(3, np.float32)


def table(seed: int, shape: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    """A grained brown table, lighter to one side, RGB [H, W, 3] in [0, 1]."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 1.2)
    light = 0.45 + 0.15 * np.linspace(0.0, 1.0, shape[1], dtype=np.float32) + 0.1 * grain
    return np.clip(light[..., None] * np.array([1.0, 0.8, 0.55], np.float32), 0.0, 1.0)


def on_table(direction: np.ndarray, seed: int, roll_deg: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A photo uint8 [H, W, 3] of the toy on a table, and the toy's coverage [H, W]."""
    image, alpha = photograph(toy_gaussians(), pose_from(direction, roll_deg=roll_deg))
    own = image.astype(np.float32) / 255.0 - (1.0 - alpha)[..., None]
    photo = own + (1.0 - alpha)[..., None] * table(seed)
    return np.clip(photo * 255.0 + 0.5, 0, 255).astype(np.uint8), alpha


def test_an_object_is_cut_out_of_a_grained_table() -> None:
    photo, alpha = on_table(np.array([0.3, -0.8, 0.52]), 1)
    found, true = cut_out(photo) > 0.5, alpha > 0.5
    assert (found & true).sum() / (found | true).sum() > 0.85


def test_cutting_out_finds_nothing_on_an_empty_picture_and_says_the_same_twice() -> None:
    empty = np.full((64, 64, 3), 90, np.uint8)
    np.testing.assert_array_equal(cut_out(empty), cut_out(empty))
    began = time.perf_counter()
    assert cut_out(np.full((400, 400, 3), 128, np.uint8)).max() == 0.0
    assert time.perf_counter() - began < 5.0  # GrabCut alone takes minutes
    photo, _ = on_table(np.array([0.0, -1.0, 0.1]), 2)
    np.testing.assert_array_equal(cut_out(photo), cut_out(photo.copy()))


def test_a_part_that_is_surely_the_objects_stays_beyond_a_joint_in_the_tables_colours() -> None:
    photo = (255.0 * table(3)).astype(np.uint8)
    body, joint, hand = (np.zeros((SIZE, SIZE), bool) for _ in range(3))
    middle = SIZE // 2
    body[middle - 12 : middle + 12, 12:40] = joint[middle - 4 : middle + 4, 40:50] = True
    hand[middle - 6 : middle + 6, 50:62] = True
    photo[body | hand] = (40, 60, 200)
    guess = body | joint | hand
    surely = cv2.erode(guess.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert not surely[joint].any()
    assert (grab_cut(photo, guess, guess, surely) > 0.5)[hand].mean() > 0.9
    assert (grab_cut(photo, guess, guess) > 0.5)[hand].mean() < 0.1


def striped() -> tuple[np.ndarray, np.ndarray]:
    """A dark thing with two thin legs on a striped table, uint8 [120, 120, 3], and where it is."""
    y, x = np.mgrid[:120, :120]
    photo = np.where(((x + y) // 9 % 2)[..., None] > 0, (190, 180, 160), (40, 80, 60)).astype(np.float32)
    thing = np.zeros((120, 120), bool)
    thing[35:60, 40:80] = thing[60:85, 44:48] = thing[60:85, 70:74] = True
    photo[thing] = (45, 45, 50)
    photo += np.random.default_rng(0).normal(0.0, 4.0, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8), thing


def test_an_objects_own_colours_tell_it_from_stripes() -> None:
    photo, thing = striped()
    own = np.full((30, 3), 52, np.uint8)

    def overlap(mask: np.ndarray) -> float:
        return float(((mask > 0.5) & thing).sum() / ((mask > 0.5) | thing).sum())

    assert overlap(coloured_as(photo, own)) > 0.9 > overlap(cut_out(photo))
    darker = np.clip(own * 1.25, 0, 255).astype(np.uint8)  # the photo's light is weaker than the training views'
    assert overlap(coloured_as(photo, darker)) > 0.8
    query = prepare_query(photo.astype(np.float32) / 255.0, None, CAMERA, WHITE, True)
    again = cut_by_colour(query, own)
    assert again is not None
    assert overlap(again.mask) > 0.9
    np.testing.assert_allclose(again.image[2, 2], 1.0)
    np.testing.assert_array_equal(again.photo, query.photo)
    assert cut_by_colour(query, np.array([[250, 0, 250]], np.uint8)) is None
    assert cut_by_colour(query, np.zeros((0, 3), np.uint8)) is None
    alone = prepare_query(photo.astype(np.float32) / 255.0, thing.astype(np.float32), CAMERA, WHITE, True)
    assert cut_by_colour(alone, own) is None


def test_only_a_photo_that_had_to_be_cut_out_is_kept() -> None:
    photo, alpha = on_table(np.array([0.3, -0.8, 0.52]), 3)
    image = photo.astype(np.float32) / 255.0
    assert prepare_query(image, alpha, CAMERA, WHITE, True).photo is None
    assert prepare_query(image, None, CAMERA, WHITE, False).photo is None
    query = prepare_query(image, None, CAMERA, WHITE, True)
    np.testing.assert_array_equal(query.photo, image)
    assert query.scaled(0.5).photo.shape == (SIZE // 2, SIZE // 2, 3)
    grey = np.full((SIZE, SIZE, 3), 0.55, np.float32)
    grey[40:70, 45:75] = (0.1, 0.2, 0.7)
    studio = prepare_query(grey, None, CAMERA, WHITE, True)
    assert studio.photo is None
    np.testing.assert_array_equal(studio.image, grey)  # the field is drawn over the paper, not the photo over white
    np.testing.assert_allclose(studio.background, 0.55, atol=0.003)
    plain = photograph(toy_gaussians(), pose_from(np.array([0.3, -0.8, 0.52])))[0].astype(np.float32) / 255.0
    assert prepare_query(plain, None, CAMERA, WHITE, True).photo is None


def test_surroundings_keep_the_table_and_its_shadow_and_lose_what_sticks_out() -> None:
    ground = table(4, (120, 120))
    alpha = np.zeros((120, 120), np.float32)
    alpha[40:80, 40:80] = 1.0
    photo = ground.copy()
    photo[40:80, 40:80] = (0.1, 0.2, 0.7)
    photo[80:84, 45:75] *= 0.5  # a shadow
    photo[37:40, 50:60] = (0.1, 0.2, 0.7)  # a lump in the object's colour
    found = surroundings_of(photo, alpha)
    np.testing.assert_array_equal(found[:20], photo[:20])
    np.testing.assert_allclose(found[82:84, 50:70], photo[82:84, 50:70])
    assert np.abs(found[37:40, 50:60] - photo[37:40, 50:60]).max() > 0.2
    assert np.abs(found[45:75, 45:75] - ground[45:75, 45:75]).mean() < 0.12


@pytest.fixture(scope="module")
def detector() -> paad.detectors.paad.Paad:
    options = {"steps": 250, "initial_gaussians": 2500, "max_gaussians": 4000, "template_spacing_deg": 16.0}
    return paad.create("paad", device="cpu", **options).fit(posed_views(toy_gaussians(), spacing_deg=24.0))


def test_a_photo_on_a_table_gets_a_pose_and_a_picture_of_its_table(detector: paad.detectors.paad.Paad) -> None:
    direction = np.array([0.36, -0.48, 0.8])
    photo, alpha = on_table(direction, 5, roll_deg=40.0)
    result = detector.predict(photo, 0.05)
    assert result.cam_from_world is not None
    assert rotation_error_deg(result.cam_from_world, pose_from(direction, roll_deg=40.0)) < 3.0
    corner = result.reference[:8, :8]
    np.testing.assert_allclose(corner, photo[:8, :8].astype(np.float32) / 255.0, atol=0.02)
    assert np.median(result.map[alpha < 0.01]) < 0.5
