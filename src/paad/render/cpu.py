"""The CPU rasterizer as one differentiable torch function."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paad.geometry.camera import Camera
from paad.render import draw


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().to(torch.float32).contiguous().numpy()
    return array


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        *tensors, pose, background, camera = inputs
        means, quats, scales, opacities, sh = (_array(t) for t in tensors)
        bodies = (means, quats, scales, opacities, sh)
        matrix = _array(pose)[:3]
        drawn = draw.forward(bodies, matrix, camera, _array(background))
        if any(ctx.needs_input_grad):
            ctx.kept = (bodies, matrix, camera, drawn, background.ndim == 1)
        return torch.from_numpy(drawn.colour), torch.from_numpy(drawn.alpha), torch.from_numpy(drawn.depth)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        bodies, matrix, camera, drawn, background_is_colour = ctx.kept
        g_colour, g_alpha, g_depth = (_array(g) for g in grad_outputs)
        d_bodies, d_matrix = draw.backward(bodies, matrix, camera, drawn, g_colour, g_alpha, g_depth)
        d_pose = torch.zeros(4, 4)
        d_pose[:3] = torch.from_numpy(d_matrix)
        d_background = None
        if ctx.needs_input_grad[6]:
            through = (1.0 - torch.from_numpy(drawn.alpha))[..., None] * grad_outputs[0]
            d_background = through.sum((0, 1)) if background_is_colour else through
        return (*(torch.from_numpy(d) for d in d_bodies), d_pose, d_background, None)


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
