"""Retinex: paint and light are told apart where they are known; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from paad.compare.retinex import reflectance
from paad.errors import DataError, UsageError

SIZE = 96


def _paint(seed: int = 0) -> np.ndarray:
    """Patches of paint [H, W, 3], of which no two neighbours have like colours."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0.1, 0.9, (6, 6, 3))
    return np.kron(patches, np.ones((SIZE // 6, SIZE // 6, 1))).astype(np.float32)


def _light() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    return (0.6 + 0.5 * x * y + 0.3 * np.sin(2.0 * x + 1.0)).astype(np.float32)


def _spread(ratio: np.ndarray) -> float:
    """Standard deviation of a logarithm: how far two pictures are from being equal up to scale."""
    return float(np.log(ratio).std())


@pytest.mark.parametrize("seed", range(3))
def test_paint_times_smooth_light_gives_back_the_paint_up_to_scale(seed: int) -> None:
    paint, light = _paint(seed), _light()
    found, lit = reflectance(paint * light[..., None])
    assert _spread(light) > 0.09
    assert _spread(found / paint) < 0.02
    assert _spread(lit / light) < 0.015
    assert np.log(lit).mean() == pytest.approx(0.0, abs=1e-3)


def test_flat_light_changes_nothing() -> None:
    paint = _paint()
    found, lit = reflectance(0.7 * paint)
    assert np.abs(lit - 1.0).max() < 0.02
    assert np.allclose(found, 0.7 * paint, atol=0.02)


def test_photo_is_paint_times_light() -> None:
    photo = _paint() * _light()[..., None]
    found, lit = reflectance(photo)
    assert np.allclose((found + 1 / 64) * lit[..., None] - 1 / 64, photo, atol=1e-4)


def test_background_stays_and_does_not_shine_in() -> None:
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[20:80, 12:70] = 1.0
    photo = np.where(mask[..., None] > 0, _paint() * _light()[..., None], 1.0).astype(np.float32)
    black = np.where(mask[..., None] > 0, photo, 0.0).astype(np.float32)
    found, lit = reflectance(photo, mask)
    assert np.array_equal(found[mask == 0], photo[mask == 0])
    assert np.array_equal(lit[mask == 0], np.ones(int((mask == 0).sum()), np.float32))
    inside = mask > 0
    assert _spread((found / _paint())[inside]) < 0.03
    assert np.array_equal(reflectance(black, mask)[0][inside], found[inside])


def test_a_larger_photo_is_solved_small() -> None:
    large = np.kron(_paint() * _light()[..., None], np.ones((3, 3, 1))).astype(np.float32)
    found, lit = reflectance(large, side=SIZE)
    assert found.shape == (3 * SIZE, 3 * SIZE, 3)
    assert _spread(lit / np.kron(_light(), np.ones((3, 3)))) < 0.02


def test_nothing_to_see() -> None:
    dark = np.zeros((20, 30, 3), np.float32)
    found, lit = reflectance(dark)
    assert np.allclose(found, 0.0, atol=1e-6)
    assert np.allclose(lit, 1.0)
    kept, lit = reflectance(_paint(), np.zeros((SIZE, SIZE), np.float32))
    assert np.allclose(kept, _paint(), atol=1e-6)
    assert np.isfinite(lit).all()


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="RGB"):
        reflectance(np.zeros((5, 5), np.float32))
    with pytest.raises(DataError, match="size"):
        reflectance(np.zeros((5, 5, 3), np.float32), np.zeros((4, 5), np.float32))
    with pytest.raises(UsageError, match="contrast"):
        reflectance(np.zeros((5, 5, 3), np.float32), contrast=0.0)
