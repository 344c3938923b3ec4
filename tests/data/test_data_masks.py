"""Masks from a plain background: what must be found, what must not, and how sure it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from paad.data.images import save_png
from paad.data.masks import estimate_mask, read_mask
from paad.errors import DataError
from paad.types import Bool, UInt8

SIDE = 200
Y, X = np.mgrid[0:SIDE, 0:SIDE]


def scene(colour: tuple[int, int, int], ground: float | np.ndarray = 255.0, noise: float = 0.0) -> tuple[UInt8, Bool]:
    """A ring with a thin stick, anti-aliased, on a ground; and where it is."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(canvas, (90, 100), 45, 255, -1, cv2.LINE_AA)
    cv2.circle(canvas, (90, 100), 15, 0, -1, cv2.LINE_AA)
    cv2.line(canvas, (130, 100), (180, 60), 255, 2, cv2.LINE_AA)
    share = canvas[..., None] / 255.0
    back = np.broadcast_to(np.asarray(ground, float)[..., None], (SIDE, SIDE, 3))
    image = share * np.array(colour) + (1 - share) * back
    image = image + np.random.default_rng(0).normal(0, noise, image.shape) if noise else image
    return np.clip(image.round(), 0, 255).astype(np.uint8), canvas > 127


def iou(mask: np.ndarray, truth: Bool) -> float:
    found = mask > 0.5
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0])
@pytest.mark.parametrize(
    ("colour", "ground"),
    [((200, 30, 30), 255.0), ((215, 215, 215), 255.0), ((20, 20, 20), 160.0), ((240, 240, 240), 20.0)],
)
def test_finds_objects_of_all_colours(colour: tuple[int, int, int], ground: float, noise: float) -> None:
    image, truth = scene(colour, ground, noise)
    estimate = estimate_mask(image)
    assert iou(estimate.mask, truth) > 0.93
    assert estimate.confidence > 0.8
    assert estimate.mask[100, 90] == 0.0, "the hole shows background"
    assert estimate.mask[75:80, 155:165].max() > 0.5, "the thin stick stays"
    np.testing.assert_allclose(estimate.background, ground / 255.0, atol=0.02)


def test_uneven_light_is_background() -> None:
    ground = 230.0 - 60.0 * (((X - 100) / 100.0) ** 2 + ((Y - 100) / 100.0) ** 2) / 2.0 - 20.0 * X / SIDE
    image, truth = scene((180, 40, 40), ground, noise=2.0)
    assert iou(estimate_mask(image).mask, truth) > 0.93


def test_a_soft_shadow_is_not_object_and_a_grey_object_is() -> None:
    shadow = cv2.GaussianBlur(((X - 105) ** 2 + (Y - 130) ** 2 < 45**2).astype(np.float32), (0, 0), 9)
    image, truth = scene((200, 30, 30), 245.0 * (1.0 - 0.3 * shadow))
    estimate = estimate_mask(image)
    outside = (X - 90) ** 2 + (Y - 100) ** 2 > 48**2
    assert not (
        (estimate.mask > 0.5) & outside & ~cv2.dilate(truth.astype(np.uint8), np.ones((5, 5))).astype(bool)
    ).any()
    assert iou(estimate.mask, truth) > 0.85, "what shows through the hole is shadow on all sides, and stays"
    for level in (235, 200, 150):
        image, truth = scene((level, level, level), 250.0)
        assert iou(estimate_mask(image).mask, truth) > 0.93


def test_small_burrs_and_stains_stay_and_dust_of_noise_goes() -> None:
    image, truth = scene((60, 90, 160))
    image[50:56, 88:92] = (60, 90, 160)  # a burr on the rim
    image[150, 20] = (240, 240, 240)  # one bad pixel
    mask = estimate_mask(image).mask
    assert (mask[50:56, 88:92] > 0.5).all()
    assert mask[150, 20] == 0.0
    assert iou(mask, truth | (mask > 0.5)) > 0.97


def test_the_outline_is_soft() -> None:
    image = np.full((60, 60, 3), 255, np.uint8)
    image[20:40, 20:40] = 0
    image[20:40, 19] = 128  # half covered
    mask = estimate_mask(image).mask
    assert 0.3 < mask[30, 19] < 0.7
    assert mask[30, 20] > 0.99
    assert mask[30, 18] == 0.0


def test_confidence_is_low_where_there_is_no_plain_background() -> None:
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8), (SIDE, SIDE))
    for image in (room, np.full((SIDE, SIDE, 3), 255, np.uint8), rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)):
        assert estimate_mask(image).confidence < 0.3
    crossing, truth = scene((60, 90, 160))
    crossing[80:120, :60] = (60, 90, 160)  # the object leaves the picture on one side
    truth[80:120, :60] = True
    estimate = estimate_mask(crossing)
    assert estimate.confidence > 0.8
    assert iou(estimate.mask, truth) > 0.95


def test_white_parts_on_white_lower_the_confidence() -> None:
    image, _ = scene((251, 251, 251))
    pale = estimate_mask(image).confidence
    image, _ = scene((200, 200, 200))
    assert pale < 0.5 < estimate_mask(image).confidence


def test_wrong_images_are_refused() -> None:
    with pytest.raises(DataError, match="uint8"):
        estimate_mask(np.zeros((20, 20, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="16x16"):
        estimate_mask(np.zeros((8, 20, 3), np.uint8))


def test_read_mask_understands_class_numbers_alpha_and_colour(tmp_path: Path) -> None:
    truth = np.zeros((6, 8), np.uint8)
    truth[2:4, 3:6] = 1
    drawn = np.dstack([np.zeros((6, 8, 3), np.uint8), truth * 255])
    red = np.dstack([truth * 255, truth * 0, truth * 0])
    for name, image in {"classes": truth * 3, "white": truth * 255, "drawn": drawn, "red": red}.items():
        mask = read_mask(save_png(tmp_path / f"{name}.png", image))
        np.testing.assert_array_equal(mask > 127, truth > 0)
