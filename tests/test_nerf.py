"""NeRF: encoding, sampling and compositing against written-out cases; gradients; a fit that learns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from paad.errors import DataError
from paad.fields.hull import box_span, visual_hull
from paad.fields.nerf import (
    Nerf,
    NerfConfig,
    NerfNetwork,
    composite,
    importance_depths,
    positional_encoding,
    stratified_depths,
)
from paad.fields.nerf_field import picture_rays
from paad.fields.nerf_fit import empty_field, fit_nerf, ray_bank
from toy import CAMERA, posed_views, toy_gaussians

SMALL = NerfConfig(
    depth=3, width=48, skip=0, frequencies=5, view_frequencies=2, coarse_depth=2, coarse_width=32, coarse_samples=16,
    fine_samples=8, both=False, in_hull=True, rays=256, steps=60, rate=1e-2, rate_end=2e-3,
)  # fmt: skip


def test_encoding_is_sines_and_cosines_of_doubling_frequency() -> None:
    x = torch.tensor([[0.1, -0.2, 0.5]])
    expected = [0.1, -0.2, 0.5]
    expected += [math.sin(2**k * math.pi * v) for k in range(3) for v in (0.1, -0.2, 0.5)]
    expected += [math.cos(2**k * math.pi * v) for k in range(3) for v in (0.1, -0.2, 0.5)]
    assert positional_encoding(x, 3)[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_compositing_three_samples_by_hand() -> None:
    density, far = torch.tensor([[1.0, 0.5, 2.0]]), torch.tensor([3.5])
    depths = torch.tensor([[1.0, 1.5, 2.5]])
    rgb = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    a = [1 - math.exp(-0.5), 1 - math.exp(-0.5), 1 - math.exp(-2.0)]  # lengths 0.5, 1, 1
    w = [a[0], (1 - a[0]) * a[1], (1 - a[0]) * (1 - a[1]) * a[2]]
    left = 1.0 - sum(w)
    out = composite(density, rgb, depths, far, torch.ones(3))
    assert out.weights[0].tolist() == pytest.approx(w, abs=1e-6)
    assert out.colour[0].tolist() == pytest.approx([wi + left for wi in w], abs=1e-6)
    assert float(out.opacity) == pytest.approx(sum(w), abs=1e-6)
    assert float(out.depth) == pytest.approx(w[0] + 1.5 * w[1] + 2.5 * w[2], abs=1e-6)


def test_compositing_does_not_depend_on_how_finely_a_uniform_medium_is_cut() -> None:
    for count in (4, 64):
        depths = stratified_depths(torch.tensor([2.0]), torch.tensor([4.0]), count)
        depths = depths - (depths[:, :1] - 2.0)  # the first sample begins at near
        out = composite(
            torch.full((1, count), 0.7), torch.zeros(1, count, 3), depths, torch.tensor([4.0]), torch.ones(3)
        )
        assert float(out.opacity) == pytest.approx(1 - math.exp(-1.4), abs=1e-5)


def test_compositing_gradients() -> None:
    g = torch.Generator().manual_seed(0)
    density = torch.rand(2, 5, generator=g, dtype=torch.float64).requires_grad_(True)
    rgb = torch.rand(2, 5, 3, generator=g, dtype=torch.float64).requires_grad_(True)
    depths = torch.rand(2, 5, generator=g, dtype=torch.float64).sort(dim=1).values.requires_grad_(True)
    far, ground = torch.full((2,), 1.5, dtype=torch.float64), torch.rand(3, generator=g, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *t: composite(*t, far, ground)[0], (density, rgb, depths))


def test_stratified_samples_stay_in_their_parts() -> None:
    near, far = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 6.0])
    drawn = stratified_depths(near, far, 8, torch.Generator().manual_seed(1))
    part = (drawn - near[:, None]) / (far - near)[:, None] * 8
    assert part.floor().tolist() == [list(range(8))] * 2
    assert stratified_depths(near, far, 2)[1].tolist() == [3.0, 5.0]


def test_importance_samples_follow_the_weights() -> None:
    edges = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    drawn = importance_depths(edges, torch.tensor([[1.0, 0.0, 3.0]]), 4000, torch.Generator().manual_seed(2), floor=0.0)
    counts = np.histogram(drawn[0].numpy(), edges[0].numpy())[0] / 4000
    assert counts.tolist() == pytest.approx([0.25, 0.0, 0.75], abs=1e-3)
    assert float(drawn[0, -2000:].mean()) == pytest.approx(3.33, abs=0.02)  # the upper two thirds of [2, 4]
    middles = importance_depths(edges, torch.tensor([[1.0, 0.0, 1.0]]), 2, floor=0.0)
    assert middles[0].tolist() == pytest.approx([0.5, 3.0])


def test_importance_samples_of_an_empty_ray_are_even() -> None:
    edges = torch.linspace(0.0, 1.0, 5)[None]
    drawn = importance_depths(edges, torch.zeros(1, 4), 4)
    assert drawn[0].tolist() == pytest.approx([0.125, 0.375, 0.625, 0.875], abs=1e-5)


def test_the_papers_network_has_the_papers_size() -> None:
    net = NerfNetwork(8, 256, 4, 10, 4)
    assert len(net.hidden) == 8
    assert [layer.in_features for layer in net.hidden] == [63, 256, 256, 256, 319, 256, 256, 256]
    assert net.view.in_features + net.view_direction.in_features == 256 + 27
    assert net.rgb.in_features == 128


def test_rays_are_differentiable_in_origin_and_direction() -> None:
    torch.manual_seed(0)
    config = replace(SMALL, depth=2, width=8, coarse_depth=1, coarse_width=8, coarse_samples=6, fine_samples=4)
    nerf = Nerf(config, torch.zeros(3), 1.0, torch.ones(3)).double()
    origin = torch.tensor([[0.1, -0.2, -3.0]], dtype=torch.float64, requires_grad=True)
    direction = torch.tensor([[0.02, 0.05, 0.99]], dtype=torch.float64, requires_grad=True)
    near, far = torch.tensor([2.0], dtype=torch.float64), torch.tensor([4.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda o, d: nerf(o, d, near, far)[0].colour, (origin, direction), atol=1e-4)
    colour = nerf(origin, direction, near, far)[1].colour.sum()
    assert float(torch.autograd.grad(colour, origin)[0].abs().sum()) > 0


def test_box_span() -> None:
    origins = torch.tensor([[0.0, 0.0, -3.0], [5.0, 0.0, -3.0]])
    directions = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    enter, leave = box_span(origins, directions, torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([1.0, 1.0, 1.0]))
    assert (float(enter[0]), float(leave[0])) == (2.0, 4.0)
    assert float(leave[1]) < float(enter[1])


def test_the_hull_holds_the_object_and_little_else() -> None:
    views = posed_views(toy_gaussians(), spacing_deg=40.0)
    field = empty_field(views, SMALL)
    assert field.hull is not None
    for view in views[::12]:
        assert view.mask is not None
        near, far, hit = field.hull.span(*picture_rays(view.cam_from_world, CAMERA))
        on = hit.reshape(view.mask.shape).numpy()
        assert (on | (view.mask < 0.5)).mean() > 0.999
        assert on.mean() < (view.mask > 0.5).mean() + 0.25  # few silhouettes leave a large hull
        assert bool((far[hit] > near[hit]).all())


def test_the_hull_of_no_overlap_is_refused() -> None:
    views = [replace(v, mask=np.zeros_like(v.mask)) for v in posed_views(toy_gaussians(), spacing_deg=60.0)]
    with pytest.raises(DataError, match="silhouettes"):
        empty_field(views, SMALL)
    assert not visual_hull(views, -np.ones(3), np.ones(3), 8).solid.any()


def test_a_fit_learns_the_toy_and_draws_it() -> None:
    views = posed_views(toy_gaussians(), spacing_deg=60.0)
    field, log = fit_nerf(views, SMALL)
    view = views[3]
    drawn, truth = field.draw(view.cam_from_world, CAMERA), view.image / 255.0
    error = float(((drawn - truth) ** 2).mean())
    blank = float(((1.0 - truth) ** 2).mean())
    assert error < 0.25 * blank
    assert log.steps == SMALL.steps
    again, _ = fit_nerf(views, replace(SMALL, steps=3))
    same, _ = fit_nerf(views, replace(SMALL, steps=3))
    for a, b in zip(again.nerf.parameters(), same.nerf.parameters(), strict=True):
        assert torch.equal(a, b)


def test_without_a_hull_rays_run_from_near_to_far() -> None:
    views = posed_views(toy_gaussians(), spacing_deg=60.0, with_masks=False)
    field = empty_field(views, replace(SMALL, in_hull=False))
    assert field.hull is None
    assert 0 < field.near < 2.6 < field.far
    assert len(ray_bank(field, views[:1])) == CAMERA.width * CAMERA.height
    with pytest.raises(DataError, match="usable views"):
        empty_field(views[:2], SMALL)
