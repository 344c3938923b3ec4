"""The numba rasterizer against its readable twin: values, gradients, finite differences, determinism."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paad.errors import UsageError
from paad.geometry.camera import Camera
from paad.geometry.se3 import look_at
from paad.render import draw, rasterize

CAMERA = Camera(45, 37, 40.0, 42.0, 21.3, 18.9)
NAMES = ("means", "quats", "scales", "opacities", "sh", "pose", "background")


def _scene(n: int = 60, bases: int = 16, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=g, dtype=dtype)

    means = (uniform(n, 3) - 0.5) * 1.6
    quats = torch.randn(n, 4, generator=g, dtype=dtype)
    scales = 0.02 + 0.15 * uniform(n, 3)
    opacities = 0.1 + 0.85 * uniform(n)
    sh = torch.randn(n, bases, 3, generator=g, dtype=dtype) * 0.3
    pose = torch.as_tensor(look_at([1.5, -2.0, 1.0], [0.1, 0.0, 0.0]), dtype=dtype)
    return [means, quats, scales, opacities, sh, pose, uniform(3)]


@pytest.mark.parametrize("bases", [1, 4, 9, 16])
def test_values_equal_the_twin(bases: int) -> None:
    scene = _scene(bases=bases)
    *tensors, pose, background = scene
    fast = rasterize(*tensors, pose, CAMERA, background, backend="cpu")
    slow = rasterize(*tensors, pose, CAMERA, background, backend="twin")
    for a, b in zip(fast, slow, strict=True):
        assert torch.allclose(a, b, atol=3e-4), (a - b).abs().max()


def test_other_numbers_are_blended_as_colours_are_and_collected_as_their_gradients() -> None:
    means, quats, scales, opacities, _, pose, _ = _scene()
    values = np.random.default_rng(3).random((len(means), 7)).astype(np.float32)
    flat = (torch.from_numpy(values[:, :3]) - 0.5)[:, None] / 0.28209479177387814
    flat.requires_grad_(True)
    colour = rasterize(means, quats, scales, opacities, flat, pose, CAMERA, torch.zeros(3), backend="twin").colour
    bodies = (means.numpy(), quats.numpy(), scales.numpy(), opacities.numpy(), flat.detach().numpy())
    drawn = draw.forward(bodies, pose.numpy()[:3], CAMERA, np.zeros(3, np.float32))
    blent = draw.blended(drawn, values)
    assert blent.shape == (7, CAMERA.height, CAMERA.width)
    np.testing.assert_allclose(np.moveaxis(blent[:3], 0, 2), colour.detach().numpy(), atol=3e-4)
    np.testing.assert_array_equal(draw.blended(drawn, values[:, 2:3])[0], blent[2])
    pictures = np.random.default_rng(4).random((3, CAMERA.height, CAMERA.width)).astype(np.float32)
    (colour * torch.from_numpy(np.moveaxis(pictures, 0, 2).copy())).sum().backward()
    assert flat.grad is not None
    truth = flat.grad[:, 0].numpy() / 0.28209479177387814
    np.testing.assert_allclose(draw.collected(drawn, pictures), truth, atol=3e-3, rtol=1e-3)


def test_a_picture_as_background() -> None:
    *tensors, pose, _ = _scene()
    picture = torch.rand(CAMERA.height, CAMERA.width, 3, generator=torch.Generator().manual_seed(3))
    fast = rasterize(*tensors, pose, CAMERA, picture, backend="cpu")
    slow = rasterize(*tensors, pose, CAMERA, picture, backend="twin")
    assert torch.allclose(fast.colour, slow.colour, atol=3e-4)


def _gradients(backend: str, scene: list[torch.Tensor], seed: int = 5) -> list[torch.Tensor]:
    leaves = [t.clone().requires_grad_(True) for t in scene]
    out = rasterize(*leaves[:6], CAMERA, leaves[6], backend=backend)  # type: ignore[arg-type]
    g = torch.Generator().manual_seed(seed)
    loss = sum((o * torch.randn(o.shape, generator=g)).sum() for o in out)
    return list(torch.autograd.grad(loss, leaves))  # type: ignore[arg-type]


@pytest.mark.parametrize(("bases", "seed"), [(1, 0), (9, 1), (16, 2)])
def test_gradients_equal_the_twin(bases: int, seed: int) -> None:
    scene = _scene(bases=bases, seed=seed)
    for name, a, b in zip(NAMES, _gradients("cpu", scene), _gradients("twin", scene), strict=True):
        error = (a - b).norm() / b.norm()
        assert error < 5e-3, (name, error)


@pytest.mark.gpu
@pytest.mark.parametrize("bases", [1, 4, 16])
def test_gsplat_draws_what_the_cpu_draws(bases: int) -> None:
    scene = _scene(bases=bases, seed=bases)
    on_gpu = [t.cuda() for t in scene]
    fast = rasterize(*scene[:6], CAMERA, scene[6], backend="cpu")  # type: ignore[arg-type]
    gpu = rasterize(*on_gpu[:6], CAMERA, on_gpu[6], backend="gsplat")  # type: ignore[arg-type]
    for a, b in zip(fast, gpu, strict=True):
        assert (a - b.cpu()).abs().max() < 2e-2
        assert (a - b.cpu()).abs().mean() < 1e-3


def _motions(pose: torch.Tensor) -> list[torch.Tensor]:
    """The derivatives [4, 4] of the pose along three turns and three shifts."""
    out = []
    for k in range(6):
        generator = torch.zeros(4, 4)
        if k < 3:
            i, j = [(2, 1), (0, 2), (1, 0)][k]
            generator[i, j], generator[j, i] = 1.0, -1.0
        else:
            generator[k - 3, 3] = 1.0
        out.append(generator @ pose)
    return out


@pytest.mark.gpu
def test_gsplats_gradients_are_the_cpus() -> None:
    scene = _scene(bases=4, seed=1)
    leaves = {where: [t.clone().to(where).requires_grad_(True) for t in scene] for where in ("cpu", "cuda")}
    found = {}
    for where, own in leaves.items():
        out = rasterize(*own[:6], CAMERA, own[6])  # type: ignore[arg-type]
        weights = torch.rand(out.colour.shape, generator=torch.Generator().manual_seed(2)).to(where)
        found[where] = [g.cpu() for g in torch.autograd.grad((out.colour * weights).sum(), own)]
        # as a matrix the pose has entries that no motion reaches; what counts is its derivative along the six motions
        found[where][NAMES.index("pose")] = torch.stack([(found[where][5] * m).sum() for m in _motions(scene[5])])
    for name, a, b in zip(NAMES, found["cpu"], found["cuda"], strict=True):
        error = (a - b).norm() / a.norm()
        assert error < 5e-2, (name, error)


WIDTHS = (5e-4, 1e-3, 1.5e-3, 2e-3, 2.5e-3, 3e-3)


def test_pose_gradient_by_finite_differences() -> None:
    """Of a smooth scene in the twin's double precision, whose gradient the kernels must also have."""
    scene = [t.double() for t in _scene(n=25, bases=4, seed=4)]
    scene[2] = scene[2] + 0.1
    x = torch.linspace(-2, 2, CAMERA.width)[None, :, None].double()
    y = torch.linspace(-1, 3, CAMERA.height)[:, None, None].double()
    weights = torch.cos(x + torch.tensor([0.0, 1.0, 2.0])) * y  # smooth, so that the cut at ALPHA_MIN averages out

    def loss(pose: torch.Tensor) -> float:
        return float((rasterize(*scene[:5], pose, CAMERA, scene[6], backend="twin").colour * weights).sum())

    pose = scene[5].float().requires_grad_(True)
    fast = rasterize(*(t.float() for t in scene[:5]), pose, CAMERA, scene[6].float(), backend="cpu")
    (gradient,) = torch.autograd.grad((fast.colour * weights.float()).sum(), [pose])
    for i, j in ((0, 3), (1, 3), (2, 3), (0, 1), (2, 0)):
        step = torch.zeros(4, 4, dtype=torch.float64)
        step[i, j] = 1.0
        # pixels that pass the cut make one difference jump; the mean over several widths does not
        differences = [(loss(scene[5] + h * step) - loss(scene[5] - h * step)) / (2 * h) for h in WIDTHS]
        numeric = sum(differences) / len(differences)
        assert float(gradient[i, j]) == pytest.approx(numeric, rel=0.05, abs=2.5)


def test_the_same_call_gives_the_same_bits() -> None:
    scene = _scene(n=300)
    first, second = _gradients("cpu", scene), _gradients("cpu", scene)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_nothing_in_view_is_the_background() -> None:
    *tensors, pose, background = _scene()
    tensors[0] = tensors[0] + torch.tensor([0.0, 0.0, 100.0])
    out = rasterize(*tensors, pose, CAMERA, background, backend="cpu")
    assert torch.equal(out.colour, background.expand_as(out.colour))
    assert float(out.alpha.abs().max()) == 0.0


def test_depth_of_an_opaque_sheet() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30)), -1).reshape(-1, 2)
    means = torch.as_tensor(np.column_stack([grid, np.full(len(grid), 2.5)]), dtype=torch.float32)
    n = len(means)
    quats = torch.tensor([1.0, 0, 0, 0]).repeat(n, 1)
    scales = torch.tensor([0.08, 0.08, 0.001]).repeat(n, 1)
    out = rasterize(
        means, quats, scales, torch.full((n,), 0.95), torch.zeros(n, 1, 3), torch.eye(4), CAMERA, torch.ones(3)
    )
    centre = (CAMERA.height // 2, CAMERA.width // 2)
    assert float(out.alpha[centre]) > 0.99
    assert float(out.depth[centre] / out.alpha[centre]) == pytest.approx(2.5, abs=1e-3)


def test_wrong_arguments() -> None:
    *tensors, pose, background = _scene()
    with pytest.raises(UsageError, match="backend 'metal'"):
        rasterize(*tensors, pose, CAMERA, background, backend="metal")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="sh has shape"):
        rasterize(*tensors[:4], torch.zeros(60, 5, 3), pose, CAMERA, background)
