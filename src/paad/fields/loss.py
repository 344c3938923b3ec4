"""How far a rendered view is from its photo: absolute and squared colour error in one pass, with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from paad.render.threads import spread

_f = np.float32
_LEAST_ROWS = 100


@njit(cache=True, fastmath=True)
def _row(drawn: Any, photo: Any, squared: Any, scale: Any, gradient: Any) -> Any:
    total = _f(0.0)
    for k in range(drawn.shape[0]):
        d = drawn[k] - photo[k]
        total += abs(d) + squared * d * d
        sign = _f(1.0) if d > _f(0.0) else (_f(-1.0) if d < _f(0.0) else _f(0.0))
        gradient[k] = scale * (sign + _f(2.0) * squared * d)
    return total


@njit(cache=True, fastmath=True, nogil=True)
def _rows(start: int, stop: int, drawn: Any, photo: Any, squared: Any, scale: Any, totals: Any, gradient: Any) -> None:
    for y in range(start, stop):
        totals[y] = _row(drawn[y], photo[y], squared, scale, gradient[y])


def _loss_and_gradient(drawn: Any, photo: Any, squared: float) -> tuple[float, Any]:
    """Mean over all values of |d| + squared d², and its gradient, of pictures [H, W * 3]."""
    gradient, totals = np.empty_like(drawn), np.zeros(len(drawn), np.float64)
    spread(_rows, len(drawn), _LEAST_ROWS, drawn, photo, _f(squared), _f(1.0 / drawn.size), totals, gradient)
    return float(totals.sum()) / drawn.size, gradient


class _ColourLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drawn: Tensor, photo: Tensor, squared: float) -> Tensor:
        rows = (drawn.shape[0], -1)
        loss, gradient = _loss_and_gradient(
            drawn.detach().contiguous().numpy().reshape(rows), photo.contiguous().numpy().reshape(rows), squared
        )
        ctx.gradient = torch.from_numpy(gradient.reshape(drawn.shape))
        return torch.tensor(loss, dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        return ctx.gradient * grad_outputs[0], None, None


def colour_loss(drawn: Tensor, photo: Tensor, squared: float) -> Tensor:
    """Mean of |d| + ``squared`` d² over the differences d of two pictures [H, W, 3]; differentiable in ``drawn``."""
    if drawn.device.type == "cpu":
        out: Tensor = _ColourLoss.apply(drawn, photo, squared)  # type: ignore[no-untyped-call]
        return out
    difference = drawn - photo
    return difference.abs().mean() + squared * (difference * difference).mean()
