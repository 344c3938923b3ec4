"""Carving, fitting, splitting, storing the field."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from paad.errors import DataError
from paad.fields.build import Split, build_field, fit_also, measure_quality, split_views
from paad.fields.carve import carve
from paad.fields.config import FieldConfig
from paad.fields.density import idle, split_longest
from paad.fields.field import Field
from paad.fields.fit import initial_gaussians, optimize
from paad.fields.framing import box_window
from paad.fields.open_scene import consistent_points
from paad.fields.optimize import GaussianAdam
from paad.fields.ply import read_ply, write_ply
from paad.fields.quality import psnr, ssim
from paad.fields.targets import Target, targets_of
from paad.geometry.camera import Camera
from paad.geometry.se3 import look_at
from paad.render import Gaussians, render
from paad.render.splats import Picture, Splats
from paad.types import Float64, PosedView
from toy import CAMERA, WHITE, photograph, pose_from, posed_views, toy_gaussians

SMALL = FieldConfig(steps=160, initial_gaussians=2500, max_gaussians=3000, sh_degree=1, grow_every=40)


def test_few_views_tell_no_gloss() -> None:
    assert [FieldConfig().for_views(n).sh_degree for n in (4, 11, 12, 31, 32, 79, 80, 210)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert FieldConfig(sh_degree=3).for_views(4).sh_degree == 3


def _ball_views(radius: float = 0.5) -> list[PosedView]:
    """Exact silhouettes of a ball at (0.2, 0, 0)."""
    centre = np.array([0.2, 0.0, 0.0])
    views = []
    for k in range(24):
        eye = np.array([3 * np.cos(k), 3 * np.sin(k), 2.0 * np.sin(2.3 * k)])
        pose = look_at(eye, [0.0, 0.0, 0.0])
        x, y = np.meshgrid(np.arange(CAMERA.width) + 0.5, np.arange(CAMERA.height) + 0.5)
        rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], 1)) @ pose[:3, :3]
        to_ball = centre - eye
        along = rays @ to_ball
        off = np.sqrt(np.maximum(to_ball @ to_ball - along**2, 0)).reshape(y.shape)
        mask = (off < radius).astype(np.float32)
        image = np.where(mask[..., None] > 0, [200, 30, 40], 255).astype(np.uint8)
        views.append(PosedView(f"{k}.png", image, mask, CAMERA, pose))
    return views


def test_carving_a_ball_finds_its_surface_and_colour() -> None:
    surface, low, high = carve(_ball_views(), np.zeros(3), 1.5, cells=64)
    distance = np.linalg.norm(surface.xyz - [0.2, 0, 0], axis=1)
    assert np.percentile(distance, 90) < 0.5 + 2.5 * surface.spacing
    assert np.percentile(distance, 10) > 0.5 - 3 * surface.spacing
    assert np.allclose(0.5 * (low + high), [0.2, 0, 0], atol=0.06)
    assert np.allclose(np.median(surface.rgb, axis=0), np.array([200, 30, 40]) / 255, atol=0.01)


def test_carving_says_when_masks_and_poses_disagree() -> None:
    views = _ball_views()
    moved = [replace(v, mask=np.roll(v.mask, 20 * (i % 5), axis=1)) for i, v in enumerate(views)]
    with pytest.raises(DataError, match="silhouettes of all 24 views"):
        carve(moved, np.zeros(3), 1.5, cells=32)
    with pytest.raises(DataError, match="none of the views"):
        carve([replace(v, mask=None) for v in views], np.zeros(3), 1.5)


def test_two_children_let_through_as_much_light_as_their_parent() -> None:
    parents = toy_gaussians()[torch.arange(10)]
    left, right = split_longest(parents)
    through = (1 - left.opacities) * (1 - right.opacities)
    assert torch.allclose(through, 1 - parents.opacities, atol=1e-5)
    assert torch.allclose(0.5 * (left.means + right.means), parents.means, atol=1e-6)


def test_idle_gaussians() -> None:
    g = toy_gaussians()[torch.arange(4)]
    g.logit_opacities[0] = -9.0
    g.log_scales[1] = 2.0
    g.means[2] = 50.0
    box = (torch.full((3,), -2.0), torch.full((3,), 2.0))
    assert idle(g, box, 1.0, 0.01).tolist() == [True, True, True, False]


def test_moments_follow_their_gaussians() -> None:
    adam = GaussianAdam(toy_gaussians()[torch.arange(5)], dict.fromkeys(
        ("means", "quats", "log_scales", "logit_opacities", "base", "rest"), 0.01))  # fmt: skip
    sum((v * torch.arange(5.0).reshape(5, *[1] * (v.ndim - 1))).sum() for v in adam.values.values()).backward()
    adam.step({})
    before = adam._adam.state[adam.values["means"]]["exp_avg"].clone()
    adam.restructure(torch.tensor([4, 1]), toy_gaussians()[torch.arange(2)])
    after = adam._adam.state[adam.values["means"]]["exp_avg"]
    assert torch.equal(after[:2], before[[4, 1]])
    assert torch.equal(after[2:], torch.zeros(2, 3))


def test_a_fit_reproduces_unseen_views_and_repeats_itself() -> None:
    truth = toy_gaussians()
    views = posed_views(truth)
    field, log = build_field(views, SMALL)
    direction = np.array([0.3, -0.5, 0.81])
    pose = pose_from(direction / np.linalg.norm(direction))
    image, mask = photograph(truth, pose)
    quality = measure_quality(field, [PosedView("new", image, mask, CAMERA, pose)])
    assert quality is not None
    assert quality.psnr > 23.0
    assert log.steps == SMALL.steps
    again, _ = build_field(views, SMALL)
    assert torch.equal(field.gaussians.means, again.gaussians.means)


def test_fitting_on_to_views_kept_aside_draws_others_better_and_repeats_itself() -> None:
    truth = toy_gaussians()
    views = posed_views(truth)
    aside = views[1::3]
    new = []
    for direction in np.random.default_rng(4).normal(size=(8, 3)):
        pose = pose_from(direction / np.linalg.norm(direction))
        image, mask = photograph(truth, pose)
        new.append(PosedView("new", image, mask, CAMERA, pose))
    field, _ = build_field([v for i, v in enumerate(views) if i % 3 != 1], SMALL)
    more = fit_also(field, views, SMALL)
    for unseen, gain in ((new, 0.2), (aside, 0.5)):
        before, after = measure_quality(field, unseen), measure_quality(more, unseen)
        assert before is not None
        assert after is not None
        assert after.psnr_object > before.psnr_object + gain
    assert len(more.directions) == len(views)
    assert len(more.splats) <= len(field.splats)
    again = fit_also(field, views, SMALL)
    assert np.array_equal(again.splats.means, more.splats.means)


class _ElsewhereDrawn(Field):
    """A field that is drawn on another device."""

    def draw(self, cam_from_world: Float64, camera: Camera) -> Picture:
        return self.splats.draw(cam_from_world, camera, self.background)


def test_numbers_are_drawn_beside_colours_on_any_device() -> None:
    splats = Splats.of(toy_gaussians())
    corner = np.ones(3)
    parts = (splats, np.ones(3, np.float32), np.zeros(3), 1.0, -corner, corner, True, False, CAMERA, 2.6)
    here = Field(*parts, np.zeros((0, 3), np.float32))
    elsewhere = _ElsewhereDrawn(*parts, np.zeros((0, 3), np.float32), "cuda")
    values = np.random.default_rng(0).normal(size=(len(splats), 5)).astype(np.float32)
    pose = pose_from(np.array([0.6, 0.0, 0.8]))
    picture, shown = here.draw_with(values, pose, CAMERA)
    other, also_shown = elsewhere.draw_with(values, pose, CAMERA)
    np.testing.assert_array_equal(picture.colour, here.draw(pose, CAMERA).colour)
    np.testing.assert_array_equal(picture.colour, other.colour)
    assert shown.shape == (5, CAMERA.height, CAMERA.width)
    assert shown.min() < -0.5 < 0.5 < shown.max()
    np.testing.assert_allclose(shown, also_shown, atol=1e-4)


def test_the_fit_stops_when_watched_views_get_worse_and_goes_back() -> None:
    truth = toy_gaussians()
    white = np.ones(3, np.float32)
    targets = targets_of(posed_views(truth), white, None, False, "none", 112)
    long = replace(SMALL, steps=2300, initial_gaussians=600, max_gaussians=600)
    start = initial_gaussians(truth.means.numpy().astype(np.float64), np.full((len(truth), 3), 0.5), 0.05, long)
    seen, answers = [], iter([20.0, 25.0, 24.0, 23.0, 99.0])

    def watch(gaussians: Gaussians, _shading: object) -> float:
        seen.append(gaussians.means.clone())
        return next(answers)

    fitted, log = optimize(start, targets, white, 0.9, None, long, watch=watch)
    assert log.watched == [20.0, 25.0, 24.0, 23.0]
    assert log.steps < long.steps
    kept = {tuple(row) for row in seen[1].tolist()}
    assert {tuple(row) for row in fitted.means.tolist()} <= kept


def test_too_few_views() -> None:
    with pytest.raises(DataError, match="2 usable views"):
        build_field(posed_views(toy_gaussians())[:2], SMALL)


def test_open_scene_points_lie_where_views_agree() -> None:
    views = posed_views(toy_gaussians(), with_masks=False)
    xyz, rgb, spacing = consistent_points(views, np.zeros(3), 0.9, None, seed=0)
    assert xyz.shape == rgb.shape
    assert spacing.shape == (len(xyz),)
    assert (spacing > 0).all()
    given = (np.array([[9.0, 0, 0]]), np.array([[1.0, 0, 0]], np.float32))
    assert np.allclose(consistent_points(views, np.zeros(3), 0.9, given, seed=0)[0][0], [9.0, 0, 0])


@pytest.mark.parametrize(("count", "held"), [(3, 0), (8, 0), (15, 0), (16, 3), (120, 19), (1000, 40)])
def test_split(count: int, held: int) -> None:
    split = split_views(count, 0.16)
    assert len(split.held_out) == held
    assert sorted(split.fitted + split.held_out) == list(range(count))
    assert split_views(0, 0.16) == Split((), ())


@pytest.mark.parametrize("bases", [1, 4, 9, 16])
def test_ply_round_trip(tmp_path: Path, bases: int) -> None:
    g = toy_gaussians()
    sh = torch.randn(len(g), bases, 3, generator=torch.Generator().manual_seed(0))
    g = replace(g, sh=sh)
    back = read_ply(write_ply(g, tmp_path / "toy.ply"))
    pose = torch.from_numpy(pose_from(np.array([0.0, 0.6, 0.8])).astype(np.float32))
    a, b = (render(x, pose, CAMERA, WHITE).colour for x in (g, back))
    assert torch.allclose(a, b, atol=1e-5)


def test_ply_by_property_name_and_bad_files(tmp_path: Path) -> None:
    file = write_ply(toy_gaussians(), tmp_path / "toy.ply")
    content = file.read_bytes()
    (tmp_path / "cut.ply").write_bytes(content[:-10])
    with pytest.raises(DataError, match=r"cut\.ply: cut short"):
        read_ply(tmp_path / "cut.ply")
    (tmp_path / "mesh.ply").write_bytes(b"ply\nformat binary_little_endian 1.0\nelement vertex 0\nend_header\n")
    with pytest.raises(DataError, match=r"mesh\.ply: not a splat"):
        read_ply(tmp_path / "mesh.ply")
    (tmp_path / "text.ply").write_text("hello")
    with pytest.raises(DataError, match=r"text\.ply: not a \.ply"):
        read_ply(tmp_path / "text.ply")
    with pytest.raises(DataError, match="no such file"):
        read_ply(tmp_path / "none.ply")


def test_halving_a_target_keeps_rays() -> None:
    """A half-size pixel's centre looks where the corner shared by its four pixels looked."""
    camera = Camera(33, 21, 50.0, 50.0, 15.0, 11.0)
    half = Target(torch.rand(21, 33, 3), None, camera, torch.eye(4)).halved()
    assert (half.camera.width, half.camera.height) == (16, 10)
    assert np.allclose(half.camera.rays(np.array([[3.5, 2.5]])), camera.rays(np.array([[7.0, 5.0]])))


def test_box_window_behind_the_camera_is_the_whole_picture() -> None:
    pose = look_at([0.0, 0.0, 0.1], [1.0, 0, 0])
    assert box_window(CAMERA, pose, np.full(3, -1.0), np.full(3, 1.0)) == (0, 0, CAMERA.width, CAMERA.height)


def test_quality_measures_against_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a = rng.random((60, 70, 3)).astype(np.float32)
    b = np.clip(a + rng.normal(0, 0.1, a.shape), 0, 1).astype(np.float32)
    assert psnr(a, b) == pytest.approx(metrics.peak_signal_noise_ratio(a, b, data_range=1.0), abs=1e-4)
    theirs = metrics.structural_similarity(
        a, b, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(a, b) == pytest.approx(theirs, abs=0.01)  # borders are handled differently


def test_mapping_gaussians() -> None:
    g: Gaussians = toy_gaussians()
    assert len(g.map(lambda t: t[:3])) == 3
    assert g.detached().means.requires_grad is False
