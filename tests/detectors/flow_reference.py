"""Weights and inputs that any program can make, for comparisons with numbers from another one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def wave(*shape: int, step: float) -> Tensor:
    """sin(step * i), i counting the elements of ``shape``."""
    return torch.sin(step * torch.arange(math.prod(shape), dtype=torch.float32)).reshape(shape)


def fill_flow(flow: nn.Module) -> nn.Module:
    """Give the tensor number k, in the order of their names, the values 0.2 sin(0.7 i + k).

    Permutations reverse the channels; the global scale gets 10 more, which is near its neutral value.
    """
    with torch.no_grad():
        for k, (name, values) in enumerate(sorted(flow.state_dict().items())):
            if "w_perm" in name:
                values.copy_(torch.eye(len(values)).flip(0).reshape(values.shape))
            else:
                filled = 0.2 * torch.sin(0.7 * torch.arange(values.numel()) + k)
                values.copy_((filled + 10.0 * ("global_scale" in name)).reshape(values.shape))
    return flow


def jacobian_log_det(flow: nn.Module, x: Tensor, *condition: Tensor) -> float:
    """log |det dz/dx| of one item ``x`` [1, ...] by automatic differentiation."""

    def run(flat: Tensor) -> Tensor:
        z: Tensor = flow(flat.reshape(x.shape), list(condition) or None)[0]
        return z.flatten()

    matrix = torch.autograd.functional.jacobian(run, x.flatten())
    return float(torch.linalg.slogdet(matrix.double()).logabsdet)
