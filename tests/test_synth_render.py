"""The renderer: cameras to the pixel, exact buffers, seeds, looks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from paad.errors import DataError, MissingDependencyError, UsageError
from paad.geometry.camera import Camera
from paad.geometry.se3 import camera_centre, inverse
from paad.synth import render_mitsuba, render_wavefront, rig
from paad.synth.looks import SIM_LIGHTING, Lighting, SoftBox, check_look, environment, random_lighting
from paad.synth.looks_photo import Shot, on_white, photographed, random_shot
from paad.synth.looks_tables import table_texture
from paad.synth.model import Mesh
from paad.synth.render_mitsuba import chosen_variant, mitsuba, works
from paad.synth.render_scene import Backdrop, Lens, Scene, ray_directions
from paad.synth.render_surface import (
    METAL,
    Surface,
    concatenate,
    linear_of_srgb,
    placed,
    srgb_of_linear,
    surface_of_mesh,
)

TETRAHEDRON = Mesh(
    np.array([[0, 0, 0], [60, 0, 0], [0, -60, 0], [0, 0, 60]], np.float32),
    np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32),
)
CAMERA = Camera.from_angle_x(rig.ANGLE_X, 60, 48)


def wedge(colour: tuple[float, float, float] = (0.6, 0.2, 0.1), finish: int = 0, part: int = 0) -> Surface:
    return surface_of_mesh(TETRAHEDRON, colour, finish, part, placed([TETRAHEDRON], 0.85))


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(wedge(), SIM_LIGHTING)


def test_hits_lie_on_the_triangles_they_name(scene: Scene) -> None:
    shifted = Camera(60, 48, CAMERA.fx, CAMERA.fy, 36.5, 20.25)
    for camera, window in ((CAMERA, None), (shifted, None), (shifted, (10, 5, 50, 40))):
        pose = rig.orbit(25.0, 60.0, 3.2)
        triangle, distance = scene.hits(camera, pose, window)
        hit = triangle >= 0
        assert hit.sum() > 100
        world = inverse(pose)
        points = (ray_directions(camera, window)[hit] * distance[hit, None]) @ world[:3, :3].T + world[:3, 3]
        corner, normal = scene.surface.corners[triangle[hit], 0], scene.surface.normals[triangle[hit], 0]
        assert np.abs(((points - corner) * normal).sum(axis=1)).max() < 1e-5


def test_a_window_is_a_part_of_the_whole_picture(scene: Scene) -> None:
    pose = rig.orbit(-30.0, 200.0, 3.0)
    whole, _ = scene.hits(CAMERA, pose)
    part, _ = scene.hits(CAMERA, pose, (20, 10, 40, 35))
    np.testing.assert_array_equal(part, whole[10:35, 20:40])
    alpha = scene.picture(CAMERA, pose, 16, 1)[1]
    inner = np.all([np.roll(whole >= 0, s, a) for s in (-1, 1) for a in (0, 1)], axis=0) & (whole >= 0)
    assert (alpha[inner] > 0.99).all()


def test_pictures_depend_on_the_seed_only(scene: Scene) -> None:
    pose = rig.orbit(10.0, 20.0, 3.0)
    first, second, other = (scene.picture(CAMERA, pose, 9, seed)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.0
    again = Scene(wedge(), SIM_LIGHTING).picture(CAMERA, pose, 9, 3)[0]
    np.testing.assert_array_equal(first, again)


def test_light_comes_from_where_it_should() -> None:
    """A box of light at azimuth 90 brightens a face that looks there more than one that looks away."""
    dark = (0.0, 0.0, 0.0)
    tile = Mesh(
        np.array([[-20, 0, -20], [20, 0, -20], [20, 0, 20], [-20, 0, 20]], np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
    )
    levels = {}
    for elevation, azimuth in ((80.0, 0.0), (5.0, 90.0), (-80.0, 0.0)):
        lighting = Lighting(dark, dark, (SoftBox(elevation, azimuth, 20.0, (3.0, 3.0, 3.0)),))
        lit = Scene(surface_of_mesh(tile, (0.5, 0.5, 0.5), 0, 0, placed([tile], 0.8)), lighting)
        levels[elevation] = float(lit.picture(CAMERA, rig.orbit(70.0, 180.0, 3.0), 64, 0)[0].max())
    assert levels[80.0] > 5.0 * levels[5.0]
    assert levels[80.0] > 20.0 * max(levels[-80.0], 1e-6)
    image = environment(Lighting(dark, dark, (SoftBox(0.0, 90.0, 20.0, (1.0, 1.0, 1.0)),)))
    row, column = np.unravel_index(image[..., 0].argmax(), image.shape[:2])
    assert abs(row - 15.5) <= 0.5
    assert abs(column - 15.5) <= 0.5


def test_finishes_and_backdrops_are_told_apart() -> None:
    both = concatenate([wedge(), wedge((0.8, 0.7, 0.3), METAL, 1)])
    both.corners[4:] += np.float32(0.5)
    table = Backdrop(-0.8, 4.0, np.full((4, 4, 3), 0.5, np.float32))
    scene = Scene(both, SIM_LIGHTING, table)
    triangle, _ = scene.hits(CAMERA, rig.orbit(30.0, 60.0, 3.5))
    assert set(both.part[triangle[triangle >= 0]].tolist()) == {0, 1}
    assert (triangle < 0).any()
    rgb, _ = scene.picture(CAMERA, rig.orbit(60.0, 60.0, 3.5), 4, 0, lens=Lens(0.02, 3.5))
    assert rgb.min() > 0.0
    before = rgb.mean()
    scene.relight(random_lighting(np.random.default_rng(0)))
    assert scene.picture(CAMERA, rig.orbit(60.0, 60.0, 3.5), 4, 0)[0].mean() != before


def test_the_llvm_variant_shows_the_same() -> None:
    """The same hits; pictures agree as two noisy ones do."""
    if not works("llvm_ad_rgb"):
        pytest.skip("Mitsuba's LLVM variant does not run here")
    both = concatenate([wedge(), wedge((0.8, 0.7, 0.3), METAL, 1)])
    both.corners[4:] += np.float32(0.5)
    table = Backdrop(-0.8, 4.0, np.full((4, 4, 3), 0.5, np.float32))
    pose, window, light = rig.orbit(30.0, 60.0, 3.5), (5, 3, 55, 40), random_lighting(np.random.default_rng(0))
    seen = []
    for variant in ("scalar_rgb", "llvm_ad_rgb"):
        alone, on_table = (Scene(both, SIM_LIGHTING, t, variant) for t in (None, table))
        on_table.relight(light)
        seen.append(
            (
                *alone.picture(CAMERA, pose, 16, 7, window),
                on_table.picture(CAMERA, pose, 16, 7, lens=Lens(0.02, 3.5))[0],
                on_table.picture(CAMERA, pose, 16, 8, lens=Lens(0.02, 3.5))[0],
                *alone.hits(CAMERA, pose, window),
            )
        )
        np.testing.assert_array_equal(alone.picture(CAMERA, pose, 16, 7, window)[0], seen[-1][0])
    (rgb, cover, photo, another, triangle, distance), (rgb2, cover2, photo2, _, triangle2, distance2) = seen
    assert np.abs(cover - cover2).mean() < 0.02
    assert rgb.mean() == pytest.approx(rgb2.mean(), rel=0.02)
    assert photo.mean() == pytest.approx(photo2.mean(), rel=0.02)
    assert np.abs(photo - photo2).mean() < 1.1 * np.abs(photo - another).mean()
    np.testing.assert_array_equal(triangle, triangle2)
    np.testing.assert_allclose(distance, distance2, atol=1e-4)


def test_large_windows_are_rendered_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    if not works("llvm_ad_rgb"):
        pytest.skip("Mitsuba's LLVM variant does not run here")
    scene, pose = Scene(wedge(), SIM_LIGHTING, variant="llvm_ad_rgb"), rig.orbit(30.0, 60.0, 3.5)
    whole, cover = scene.picture(CAMERA, pose, 16, 7)
    monkeypatch.setattr(render_wavefront, "LARGEST_WAVE", 60 * 16 * 10)
    strips, cover2 = scene.picture(CAMERA, pose, 16, 7)
    assert strips.shape == whole.shape
    assert strips.mean() == pytest.approx(whole.mean(), rel=0.02)
    assert np.abs(cover - cover2).mean() < 0.02


def test_the_variant_is_the_one_begun_with_or_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_mitsuba, "works", lambda variant: True)
    assert chosen_variant("scalar_rgb", "llvm_ad_rgb") == "scalar_rgb"
    assert chosen_variant("auto") == "llvm_ad_rgb"
    assert chosen_variant("auto", "scalar_rgb") == "scalar_rgb"
    monkeypatch.setattr(render_mitsuba, "works", lambda variant: False)
    assert chosen_variant("auto") == chosen_variant("auto", "llvm_ad_rgb") == "scalar_rgb"


def test_square_pixels_are_required(scene: Scene) -> None:
    with pytest.raises(UsageError, match="square pixels"):
        scene.hits(Camera(40, 40, 50.0, 60.0, 20.0, 20.0), rig.orbit(0.0, 0.0, 3.0))
    with pytest.raises(UsageError, match="vulkan"):
        mitsuba("vulkan")


@pytest.mark.slow
def test_a_variant_that_does_not_run_is_refused_before_it_can_abort() -> None:
    code = "from paad.synth.render_mitsuba import mitsuba, works; works('llvm_ad_rgb') and mitsuba('llvm_ad_rgb')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200)
    if not works("llvm_ad_rgb"):
        with pytest.raises(MissingDependencyError, match="llvm_ad_rgb"):
            mitsuba("llvm_ad_rgb")


def test_mads_rig() -> None:
    poses = rig.mad_rig(210, 3.5)
    centres = np.array([camera_centre(p) for p in poses])
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 3.5)
    np.testing.assert_allclose(np.degrees(np.arcsin(centres[0, 2] / 3.5)), -85.0, atol=1e-6)
    np.testing.assert_allclose(np.degrees(np.arctan2(centres[0, 1], centres[0, 0])), 120.0, atol=1e-6)
    for pose in poses:
        np.testing.assert_allclose((pose @ [0, 0, 0, 1])[:2], 0.0, atol=1e-12)
    for count in (40, 105):
        some = np.array([camera_centre(p) for p in rig.mad_rig(count, 1.0)])
        assert len(some) == count
        rng = np.random.default_rng(0)
        away = rng.normal(size=(500, 3))
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        assert np.degrees(np.arccos(np.clip(away @ some.T, -1, 1)).min(axis=1)).max() < 32.0
    with pytest.raises(UsageError, match="211"):
        rig.mad_rig(211, 3.0)


def test_table_views_stay_above_the_table() -> None:
    rng = np.random.default_rng(0)
    poses = rig.table_rig(50, 3.0, rng) + [rig.table_view(rng, 3.0) for _ in range(50)]
    centres = np.array([camera_centre(p) for p in poses])
    assert centres[:, 2].min() > 0.1
    assert np.linalg.norm(centres, axis=1).min() > 2.7
    assert np.linalg.norm(centres, axis=1).max() < 3.3


def test_srgb_round_trip() -> None:
    values = np.linspace(0.0, 1.0, 257)
    np.testing.assert_allclose(srgb_of_linear(linear_of_srgb(values)), values, atol=1e-6)


def test_white_is_white_and_black_is_black() -> None:
    assert (on_white(np.zeros((2, 2, 3), np.float32), np.zeros((2, 2), np.float32)) == 255).all()
    assert (on_white(np.zeros((2, 2, 3), np.float32), np.ones((2, 2), np.float32)) == 0).all()


def test_a_photo_is_noisy_and_seeded() -> None:
    grey = np.full((40, 40, 3), 0.2, np.float32)
    shot = Shot(1.0, (1.0, 1.0, 1.0), 3000.0, 5.0, 95)
    first, second = (photographed(grey, shot, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    expected = 255.0 * float(srgb_of_linear(np.array([0.2]))[0])
    assert abs(float(first.mean()) - expected) < 2.0
    assert first.std() > 0.5
    shots = [random_shot(np.random.default_rng(i)) for i in range(50)]
    assert np.std([s.exposure for s in shots]) > 0.05
    assert all(86 <= s.jpeg_quality <= 95 for s in shots)


def test_tables_differ_and_are_seeded() -> None:
    names = set()
    for seed in range(12):
        texture, name = table_texture(np.random.default_rng(seed))
        assert texture.shape == (384, 384, 3)
        assert 0.0 < texture.min() <= texture.max() < 1.0
        names.add(name)
    assert len(names) >= 4
    np.testing.assert_array_equal(
        table_texture(np.random.default_rng(3))[0], table_texture(np.random.default_rng(3))[0]
    )


def test_bad_input_is_refused() -> None:
    with pytest.raises(UsageError, match="'cartoon'"):
        check_look("cartoon")
    with pytest.raises(DataError, match="no parts"):
        placed([], 1.0)
    point = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    with pytest.raises(DataError, match="no extent"):
        placed([point], 1.0)
