"""How different two pictures are, differentiably: L1 and structural similarity in torch."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

_SIGMA, _RADIUS = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2


def window_blur(pictures: Tensor) -> Tensor:
    """[H, W, C] blurred by the window of structural similarity: 11 x 11 pixels, sigma 1.5, zeros beyond the rim."""
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=pictures.dtype, device=pictures.device)
    kernel = torch.exp(-0.5 * (offsets / _SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    planes = pictures.permute(2, 0, 1)[:, None]
    rows = functional.conv2d(planes, kernel.reshape(1, 1, 1, -1), padding=(0, _RADIUS))
    return functional.conv2d(rows, kernel.reshape(1, 1, -1, 1), padding=(_RADIUS, 0))[:, 0].permute(1, 2, 0)


class _FastBlur(torch.autograd.Function):
    """:func:`window_blur` through OpenCV. With zeros beyond the rim a symmetric window is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        array = np.ascontiguousarray(inputs[0].detach().numpy())
        size = (2 * _RADIUS + 1, 2 * _RADIUS + 1)
        return torch.from_numpy(cv2.GaussianBlur(array, size, _SIGMA, borderType=cv2.BORDER_CONSTANT))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return _FastBlur.forward(ctx, grad_outputs[0])


def ssim_torch(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity (a scalar) of pictures [H, W, 3] in [0, 1]; differentiable.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004): Gaussian window,
    sigma 1.5, 11 x 11 pixels, zeros beyond the rim as in 3D Gaussian splatting.
    """
    fast = a.device.type == "cpu" and a.dtype == torch.float32
    stack = torch.cat([a, b, a * a, b * b, a * b], dim=2)
    means: Tensor = _FastBlur.apply(stack) if fast else window_blur(stack)  # type: ignore[no-untyped-call]
    mx, my, xx, yy, xy = torch.chunk(means, 5, dim=2)
    contrast = (2 * (xy - mx * my) + _C2) / (xx - mx * mx + yy - my * my + _C2)
    return ((2 * mx * my + _C1) / (mx * mx + my * my + _C1) * contrast).mean()


def photometric_loss(a: Tensor, b: Tensor, ssim_weight: float = 0.2) -> Tensor:
    """(1 - w) L1 + w (1 - SSIM) of pictures [H, W, 3]: the loss of 3D Gaussian splatting and of SplatPose's poses."""
    loss = (1.0 - ssim_weight) * (a - b).abs().mean()
    return loss if ssim_weight == 0 else loss + ssim_weight * (1.0 - ssim_torch(a, b))
