"""Compact numbers of the model file: what comes back, and how near it is."""

from __future__ import annotations

import numpy as np
import pytest

from paad.detectors.compact import as_bytes, as_places, of_bytes, of_places, squeezed, unsqueezed


def test_bytes_keep_small_values_beside_large_ones() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(5000, 4, 2)) * np.exp(rng.normal(size=(5000, 4, 2)))).astype(np.float32)
    values[0] = 500.0
    code, top = as_bytes(values)
    back = of_bytes(code, top)
    assert code.dtype == np.int8
    assert top.shape == (4, 2)
    # half a step at value v is sqrt(v * top) / 127
    assert (np.abs(back - values) <= np.sqrt(np.abs(values) * top) / 127.0 + top / 127.0**2 + 1e-6).all()
    assert np.array_equal(of_bytes(*as_bytes(back)), back)


def test_columns_without_values_stay_zero() -> None:
    assert np.array_equal(of_bytes(*as_bytes(np.zeros((3, 2), np.float32))), np.zeros((3, 2), np.float32))
    assert of_bytes(*as_bytes(np.zeros((7, 0, 3), np.float32))).shape == (7, 0, 3)


def test_places_are_within_half_a_step_and_stable() -> None:
    points = np.random.default_rng(1).normal(size=(1000, 3)).astype(np.float32)
    back = of_places(*as_places(points))
    assert np.abs(back - points).max() < 0.51 * np.ptp(points, axis=0).max() / 65535.0 + 1e-6
    assert np.array_equal(of_places(*as_places(back)), back)


def test_squeezed_arrays_come_back_and_damage_is_noticed() -> None:
    array = np.random.default_rng(2).integers(0, 3, (11, 5, 4)).astype(np.uint8)
    tensors = squeezed("a", array)
    assert np.array_equal(unsqueezed("a", tensors, np.uint8), array)
    assert tensors["a"].nbytes < array.nbytes
    with pytest.raises(ValueError, match="'a' cannot be inflated"):
        unsqueezed("a", tensors | {"a": tensors["a"][:9]}, np.uint8)
    with pytest.raises(KeyError):
        unsqueezed("b", tensors, np.uint8)
