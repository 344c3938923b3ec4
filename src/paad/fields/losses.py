"""How different two pictures are, differentiably: L1 and structural similarity in torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SIGMA, _RADIUS = 1.5, 5
_C1, _C2 = 0.01**2, 0.03**2


def _blur(pictures: Tensor, kernel: Tensor) -> Tensor:
    """Separable blur of [N, 1, H, W], the rim mirrored."""
    mirrored = functional.pad(pictures, (_RADIUS, _RADIUS, _RADIUS, _RADIUS), mode="reflect")
    rows = functional.conv2d(mirrored, kernel.reshape(1, 1, 1, -1))
    return functional.conv2d(rows, kernel.reshape(1, 1, -1, 1))


def ssim_torch(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity (a scalar) of pictures [H, W, 3] in [0, 1], at least 6 pixels each way.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004): Gaussian window,
    sigma 1.5, 11 x 11 pixels. The differentiable twin of :func:`paad.fields.quality.ssim`.
    """
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=a.dtype, device=a.device)
    kernel = torch.exp(-0.5 * (offsets / _SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    x, y = a.permute(2, 0, 1), b.permute(2, 0, 1)
    means = _blur(torch.cat([x, y, x * x, y * y, x * y])[:, None], kernel)
    mx, my, xx, yy, xy = means.reshape(5, 3, a.shape[0], a.shape[1]).unbind()
    contrast = (2 * (xy - mx * my) + _C2) / (xx - mx * mx + yy - my * my + _C2)
    return ((2 * mx * my + _C1) / (mx * mx + my * my + _C1) * contrast).mean()


def photometric_loss(a: Tensor, b: Tensor, ssim_weight: float = 0.2) -> Tensor:
    """(1 - w) L1 + w (1 - SSIM) of pictures [H, W, 3]: the loss of 3D Gaussian splatting and of SplatPose's poses."""
    loss = (1.0 - ssim_weight) * (a - b).abs().mean()
    return loss if ssim_weight == 0 else loss + ssim_weight * (1.0 - ssim_torch(a, b))
