"""Normalizing flows of affine coupling steps, by FrEIA.

One step (FrEIA's ``AllInOneBlock``): split the channels into x1, x2; a small network of x2 (and of the condition) gives
s and t; y1 = x1 * exp(clamp * tanh(0.1 s)) + t; a global affine layer and a permutation of the channels follow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

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

    It returns (z, log |det dz/dx| [B]). Permutations come from numpy's global generator, which the caller seeds.

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
            permute_soft=soft_permutation,
            **given,
        )
    return flow
