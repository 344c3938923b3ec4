"""Procedural textures: noise by its laws, sets by their promises."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from paad import open_object
from paad.errors import UsageError
from paad.synth.textures import (
    perlin_noise,
    plant_defect,
    procedural_texture,
    texture_set,
    write_texture_object,
)


def test_perlin_noise_is_zero_at_lattice_points_and_linear_beside_them() -> None:
    """With odd many samples a cell, pixel centres never fall on lattice points; near one, the value is the gradient's
    dot product: at a distance d below it at most sqrt(2) d."""
    noise = perlin_noise(np.random.default_rng(0), 400, 400, 4, 4)
    corner = noise[99:101, 99:101]  # half a pixel from the lattice point, a cell is 100 pixels
    assert np.abs(corner).max() < np.sqrt(2) * np.sqrt(0.5) / 100 * 1.05
    assert 0.3 < np.abs(noise).max() <= 1.05


def test_perlin_noise_is_continuous_across_cells() -> None:
    noise = perlin_noise(np.random.default_rng(1), 512, 512, 8, 4)
    assert np.abs(np.diff(noise, axis=0)).max() < 0.06
    assert np.abs(np.diff(noise, axis=1)).max() < 0.06


def test_textures_differ_and_repeat() -> None:
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    made = [procedural_texture(rng, 40, 56) for _ in range(20)]
    assert all(t.shape == (40, 56, 3) and t.dtype == np.float32 and t.min() >= 0 and t.max() <= 1 for t in made)
    assert all(np.array_equal(t, procedural_texture(again, 40, 56)) for t in made)
    assert all(np.abs(a - b).mean() > 0.02 for a, b in itertools.pairwise(made))


@pytest.mark.parametrize("kind", ["weave", "tiles", "disc", "grain"])
def test_a_set_repeats_and_its_masks_cover_what_was_changed(kind: str) -> None:
    data = texture_set(kind, side=64, n_train=3, n_good=2, n_defect=4, seed=5)
    again = texture_set(kind, side=64, n_train=3, n_good=2, n_defect=4, seed=5)
    assert np.array_equal(data.images, again.images)
    assert not np.array_equal(data.images, texture_set(kind, side=64, n_good=2, n_defect=4, seed=6).images)
    assert data.train.shape == (3, 64, 64, 3)
    assert data.labels == ("good", "good", "stain", "scratch", "patch", "dent")
    assert not data.masks[:2].any()
    assert all(0.003 < m.mean() < 0.15 for m in data.masks[2:])


@pytest.mark.parametrize("defect", ["stain", "scratch", "patch", "dent"])
def test_a_defect_changes_its_mask(defect: str) -> None:
    clean = texture_set("weave", side=64, n_train=1, n_good=0, n_defect=0).train[0].astype(np.float32) / 255
    spoiled, mask = plant_defect(clean, defect, np.random.default_rng(0))
    change = np.abs(spoiled - clean).mean(-1)
    assert change[mask].mean() > 0.08
    assert change[~mask].mean() < 0.01


def test_an_object_folder_without_poses(tmp_path: Path) -> None:
    root = write_texture_object(tmp_path / "weave", texture_set("weave", side=48, n_train=3, n_good=1, n_defect=2))
    toy = open_object(root)
    assert not toy.has_poses
    assert len(toy.train_images) == 3
    assert [q.label for q in toy.test] == ["good", "scratch", "stain"]
    assert toy.test[1].load_mask((48, 48)).any()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="choose one of weave"):
        texture_set("velvet")
