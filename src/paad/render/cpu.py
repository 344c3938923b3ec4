"""The CPU rasterizer: numba kernels as one differentiable torch function."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paad.geometry.camera import Camera
from paad.render import kernels_blend as blending
from paad.render import kernels_project as projecting
from paad.render.threads import ONE_CALLER


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


def _intrinsics(camera: Camera) -> NDArray[np.float32]:
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)


def _forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    *tensors, pose, background, camera = inputs
    arrays = [_array(t) for t in tensors]
    matrix = _array(pose)[:3]
    size = (camera.width, camera.height)
    projected = projecting.project(*arrays, matrix, _intrinsics(camera), *size)
    drawn = np.flatnonzero(projected[:, 5])
    order = drawn[np.argsort(projected[drawn, 9], kind="stable")]
    columns, rows = -(-camera.width // blending.TILE), -(-camera.height // blending.TILE)
    starts, ids, slots, first = blending.bin_tiles(projected, order, columns, rows)
    ground = np.broadcast_to(_array(background), (1, 1, 3)) if background.ndim == 1 else _array(background)
    colour, alpha, depth, used = blending.blend(projected, starts, ids, np.ascontiguousarray(ground), *size)
    ctx.background_is_colour = background.ndim == 1
    if any(ctx.needs_input_grad):
        ctx.kept = (arrays, matrix, camera, projected, starts, ids, slots, first, used, colour, alpha, depth)
    return torch.from_numpy(colour), torch.from_numpy(alpha), torch.from_numpy(depth)


def _backward(ctx: Any, *grad_outputs: Any) -> Any:
    d_colour, d_alpha, d_depth = grad_outputs
    arrays, matrix, camera, projected, starts, ids, slots, first, used, colour, alpha, depth = ctx.kept
    size = (camera.width, camera.height)
    g_colour, g_alpha, g_depth = _array(d_colour), _array(d_alpha), _array(d_depth)
    pairs = blending.blend_backward(
        projected, starts, ids, slots, used, colour, alpha, depth, g_colour, g_alpha, g_depth
    )
    grads = blending.gather_gradients(projected, first, pairs)
    *d_arrays, d_matrix = projecting.project_backward(*arrays, matrix, _intrinsics(camera), *size, projected, grads)
    d_pose = torch.zeros(4, 4)
    d_pose[:3] = torch.from_numpy(d_matrix)
    d_background = None
    if ctx.needs_input_grad[6]:
        through = (1.0 - torch.from_numpy(alpha))[..., None] * d_colour
        d_background = through.sum((0, 1)) if ctx.background_is_colour else through
    return (*(torch.from_numpy(d) for d in d_arrays), d_pose, d_background, None)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        with ONE_CALLER:
            return _forward(ctx, *inputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        with ONE_CALLER:
            return _backward(ctx, *grad_outputs)


def rasterize_cpu(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    cam_from_world: Tensor,
    camera: Camera,
    background: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour [H, W, 3], alpha [H, W] and depth sum [H, W]; arguments as :func:`paad.render.rasterize`."""
    out: tuple[Tensor, Tensor, Tensor] = _Rasterize.apply(  # type: ignore[no-untyped-call]
        means, quats, scales, opacities, sh, cam_from_world, background, camera
    )
    return out
