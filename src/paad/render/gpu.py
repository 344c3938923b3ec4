"""The CUDA rasterizer: gsplat (extra ``gpu``) behind the same signature."""

from __future__ import annotations

import torch
from torch import Tensor

from paad.errors import MissingDependencyError
from paad.geometry.camera import Camera
from paad.render.constants import BLUR, NEAR


def rasterize_gsplat(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    cam_from_world: Tensor,
    camera: Camera,
    background: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour [H, W, 3], alpha [H, W] and depth sum [H, W]; arguments as :func:`paad.render.rasterize`.

    Raises:
        MissingDependencyError: gsplat is not installed.
    """
    try:
        from gsplat import rasterization
    except ImportError as error:
        raise MissingDependencyError(
            "rendering on CUDA needs gsplat: pip install 'paad[gpu]', or use device='cpu'"
        ) from error
    degree = {1: 0, 4: 1, 9: 2, 16: 3}[sh.shape[1]]
    intrinsics = torch.as_tensor(camera.matrix, dtype=means.dtype, device=means.device)
    rendered, alpha, _ = rasterization(
        means,
        quats,
        scales,
        opacities,
        sh,
        cam_from_world[None],
        intrinsics[None],
        camera.width,
        camera.height,
        near_plane=NEAR,
        eps2d=BLUR,
        sh_degree=degree,
        render_mode="RGB+D",
        rasterize_mode="antialiased",
        packed=False,
    )
    alpha = alpha[0, ..., 0]
    colour = rendered[0, ..., :3] + (1.0 - alpha)[..., None] * background
    return colour, alpha, rendered[0, ..., 3]
