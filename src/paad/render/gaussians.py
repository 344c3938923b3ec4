"""A set of 3D Gaussians: the field's parameters as they are optimized and stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SH_BASES = {0: 1, 1: 4, 2: 9, 3: 16}


@dataclass
class Gaussians:
    """N Gaussians in world coordinates.

    Attributes:
        means: [N, 3].
        quats: [N, 4], w x y z, any length.
        log_scales: [N, 3], natural logarithm of the standard deviations in scene units.
        logit_opacities: [N].
        sh: [N, K, 3], K = 1, 4, 9 or 16; colour is 0.5 + the sum of the basis times these, clipped at 0.
    """

    means: Tensor
    quats: Tensor
    log_scales: Tensor
    logit_opacities: Tensor
    sh: Tensor

    def __len__(self) -> int:
        return int(self.means.shape[0])

    @property
    def scales(self) -> Tensor:
        """Standard deviations [N, 3] in scene units."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Tensor:
        """Opacities [N] in (0, 1)."""
        return self.logit_opacities.sigmoid()

    def named(self) -> dict[str, Tensor]:
        """The five tensors by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def map(self, change: Callable[[Tensor], Tensor]) -> Gaussians:
        """The Gaussians with the callable ``change`` applied to each tensor."""
        return Gaussians(**{name: change(tensor) for name, tensor in self.named().items()})

    def to(self, device: str | torch.device) -> Gaussians:
        """A copy on ``device``."""
        return self.map(lambda t: t.to(device))

    def detached(self) -> Gaussians:
        """The same values without gradients."""
        return self.map(lambda t: t.detach())

    def __getitem__(self, index: Tensor) -> Gaussians:
        return self.map(lambda t: t[index])


def concatenate(parts: list[Gaussians]) -> Gaussians:
    """One set that holds all ``parts``; their numbers of colour bases must agree."""
    import torch

    return Gaussians(**{name: torch.cat([p.named()[name] for p in parts]) for name in parts[0].named()})
