"""Change the number of Gaussians while they are optimized: split the ones that are pulled hardest, prune the idle.

The gradient criterion of Kerbl et al. (2023), with the split along the longest axis in place of random children, so
that nothing is drawn at random, and with a budget in place of a gradient threshold.
"""

from __future__ import annotations

import torch
from torch import Tensor

from paad.render import Gaussians
from paad.render.twin import rotation_matrices

_CHILD_OFFSET = 0.5
_CHILD_SCALE = 0.6


def split_longest(parents: Gaussians) -> tuple[Gaussians, Gaussians]:
    """Two children of each parent, half a standard deviation to either side along the longest axis.

    The children's opacity is such that two of them let through as much light as their parent did.
    """
    longest = parents.log_scales.argmax(dim=1)
    rows = torch.arange(len(parents), device=longest.device)
    axis = rotation_matrices(parents.quats)[rows, :, longest]
    offset = axis * (_CHILD_OFFSET * parents.scales[rows, longest])[:, None]
    log_scales = parents.log_scales.clone()
    log_scales[rows, longest] += torch.log(torch.tensor(_CHILD_SCALE)).item()
    opacity = 1.0 - torch.sqrt((1.0 - parents.opacities).clamp_min(1e-6))
    children = [
        Gaussians(
            parents.means + sign * offset,
            parents.quats.clone(),
            log_scales.clone(),
            torch.logit(opacity.clamp(1e-4, 0.995)),
            parents.sh.clone(),
        )
        for sign in (1.0, -1.0)
    ]
    return children[0], children[1]


def chosen_to_split(pull: Tensor, gaussians: Gaussians, room: int) -> Tensor:
    """Indices of at most ``room`` Gaussians with the largest ``pull`` [N] that are opaque enough to matter."""
    worth = torch.where(gaussians.opacities > 0.05, pull, torch.zeros_like(pull))
    count = min(room, int((worth > 0).sum()))
    return torch.topk(worth, count).indices.sort().values


def idle(gaussians: Gaussians, box: tuple[Tensor, Tensor] | None, largest: float, least_opacity: float) -> Tensor:
    """Which Gaussians [N] can go: nearly transparent, larger than ``largest`` (scene units), or outside ``box``."""
    out = (gaussians.opacities < least_opacity) | (gaussians.scales.amax(dim=1) > largest)
    if box is not None:
        out |= ((gaussians.means < box[0]) | (gaussians.means > box[1])).any(dim=1)
    return out
