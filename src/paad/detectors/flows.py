"""Normalizing flows of affine coupling steps, by FrEIA.

One step (FrEIA's ``AllInOneBlock``): split the channels into x1, x2; a small network of x1 (and of the condition) gives
s and t; y1 = x1, y2 = x2 * exp(clamp * tanh(s / 10)) + t / 10; a factor and a shift for each channel and a permutation
of the channels follow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

with warnings.catch_warnings():
    # FrEIA's docstrings hold invalid escapes, which Python reports when it compiles them.
    warnings.simplefilter("ignore")
    from FrEIA.framework import SequenceINN
    from FrEIA.modules import AllInOneBlock

Subnet = Callable[[int, int], nn.Module]


def coupling_flow(
    shape: tuple[int, ...],
    subnets: list[Subnet],
    clamp: float,
    condition: int = 0,
    soft_permutation: bool = False,
) -> Any:
    """A flow with one coupling step for each of ``subnets``; call it as ``flow(x)`` or ``flow(x, [condition])``.

    It returns (z, log |det dz/dx| [B]). Permutations come from numpy's global generator and rotations from torch's; the
    caller seeds them.

    Args:
        shape: (C, H, W) or (C,), without the batch.
        subnets: each is called as ``subnet(channels_in, channels_out)``.
        clamp: bound of the log of the factors.
        condition: length of the condition vector, for ``shape`` (C,).
        soft_permutation: a random rotation of the channels in place of a permutation.
    """
    flow = SequenceINN(*shape)
    given = {"cond": 0, "cond_shape": (condition,)} if condition else {}
    for subnet in subnets:
        flow.append(
            AllInOneBlock,
            subnet_constructor=subnet,
            affine_clamping=clamp,
            global_affine_type="SOFTPLUS",
            permute_soft=False,
            **given,
        )
        if soft_permutation:
            _rotate(flow[-1])
    return flow


@torch.no_grad()
def _rotate(step: Any) -> None:
    """A random orthogonal matrix in place of the permutation. FrEIA's own takes minutes for 2,000 channels."""
    channels = step.w_perm.shape[0]
    q, r = torch.linalg.qr(torch.randn(channels, channels))
    q = q * r.diagonal().sign()
    step.w_perm.copy_(q.reshape(step.w_perm.shape))
    step.w_perm_inv.copy_(q.T.reshape(step.w_perm.shape))
