"""Masks are exact: compared with a search over all triangles, and with the definition at the picture's own pixels."""

from __future__ import annotations

import numpy as np
import pytest

from paad.geometry.camera import Camera
from paad.synth.defects import Damage
from paad.synth.defects_burrs import burr
from paad.synth.defects_missing import remove_parts
from paad.synth.defects_stains import stain
from paad.synth.looks import SIM_LIGHTING
from paad.synth.masks import buffers, change_mask, window_of
from paad.synth.masks_brute import changed_samples, faults, nearest
from paad.synth.render_scene import Scene
from paad.synth.render_surface import concatenate
from paad.synth.rig import ANGLE_X, orbit
from test_synth_defects import box_toy, top_spot

CAMERA = Camera.from_angle_x(ANGLE_X, 90, 70)
CENTRE = np.array([[0.5, 0.5]])


def damages(seed: int) -> list[Damage]:
    parts = box_toy()
    whole, rng = concatenate(parts), np.random.default_rng(seed)
    made = [
        remove_parts(parts, lambda gone: 0 not in gone, 0.05, top_spot(whole, 2), rng),
        next(filter(None, (stain(whole, 0.03, top_spot(whole, 0), rng) for _ in range(9)))),
        burr(whole, 0.01, top_spot(whole, 1), rng),
    ]
    assert all(made)
    return [d for d in made if d is not None]


def test_buffers_agree_with_the_search_over_all_triangles() -> None:
    whole = concatenate(box_toy())
    pose = orbit(25.0, 30.0, 3.0)
    found = buffers(Scene(whole, SIM_LIGHTING), CAMERA, pose)
    triangle, distance, _ = nearest(whole, CAMERA, pose, (0, 0, 90, 70), CENTRE)
    triangle, distance = triangle[..., 0], np.where(triangle >= 0, distance, 0.0)[..., 0]
    assert ((found.part >= 0) == (triangle >= 0)).mean() > 0.999
    both = (found.part >= 0) & (triangle >= 0)
    assert both.sum() > 500
    np.testing.assert_allclose(found.distance[both], distance[both], atol=2e-5)
    assert (found.part[both] == whole.part[triangle[both]]).mean() > 0.998
    same = both & (np.abs(found.distance - distance) < 1e-5) & (found.part == whole.part[triangle])
    assert (np.abs(found.albedo - whole.colours[triangle]).max(axis=-1) < 1e-6)[same].mean() > 0.998


@pytest.mark.parametrize("seed", range(3))
def test_masks_miss_no_change_and_mark_nothing_else(seed: int) -> None:
    good = Scene(concatenate(box_toy()), SIM_LIGHTING)
    rng = np.random.default_rng(seed)
    for damage in damages(seed):
        bad = Scene(damage.surface, SIM_LIGHTING)
        shown = 0
        for azimuth in (20.0, 140.0, 260.0):
            pose = orbit(float(rng.uniform(5.0, 60.0)), azimuth, 3.0)
            mask = change_mask(good, bad, damage, CAMERA, pose, 4)
            everything = (0, 0, CAMERA.width, CAMERA.height)
            offsets = rng.uniform(0.0, 1.0, (25, 2))
            changed = changed_samples(good.surface, damage.surface, CAMERA, pose, everything, offsets)
            assert faults(mask, changed, everything, least=0.3) == (0, 0)
            shown += int(mask.sum())
        assert shown > 20


def test_no_damage_means_an_empty_mask() -> None:
    whole = concatenate(box_toy())
    good, same = Scene(whole, SIM_LIGHTING), Scene(whole, SIM_LIGHTING)
    nothing = Damage("Burrs", whole, whole.corners.reshape(-1, 3))
    mask = change_mask(good, same, nothing, CAMERA, orbit(10.0, 10.0, 3.0), 3)
    assert not mask.any()


def test_faults_counts_both_kinds() -> None:
    mask = np.zeros((6, 6), bool)
    mask[0, 0] = True
    changed = np.zeros((6, 6, 4), bool)
    changed[4, 4] = True
    assert faults(mask, changed, (0, 0, 6, 6)) == (1, 1)


def test_windows_hold_what_they_should() -> None:
    pose = orbit(0.0, 0.0, 3.0)
    points = np.array([[0.0, 0.1, 0.1], [0.0, -0.1, -0.1]], np.float32)
    window = window_of(points, CAMERA, pose, margin=1)
    pixels, _ = CAMERA.project(points, pose)
    assert window is not None
    assert (pixels >= np.array(window[:2]) + 0.9).all()
    assert (pixels <= np.array(window[2:]) - 0.9).all()
    assert window_of(points[:0], CAMERA, pose, margin=1) is None
    assert window_of(np.full((1, 3), 50.0, np.float32), CAMERA, pose, margin=1) in (None, (0, 0, 90, 70))
