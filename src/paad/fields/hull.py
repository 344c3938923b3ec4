"""Where along a ray the object may be: the silhouettes' visual hull, or the ball that all cameras see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paad.fields.carve import cell_centres, inside_silhouettes
from paad.types import Float64, PosedView

_MARCH = 48
"""Steps through the box: longer than a cell, but the hull is grown by a cell all around, so no part of it is missed."""

_CHUNK = 8192


@dataclass(frozen=True)
class Hull:
    """A grid of cells that may hold the object.

    Attributes:
        solid: bool [X, Y, Z].
        low: float32 [3], the corner of the first cell, world coordinates.
        size: of a cell, scene units.
    """

    solid: Tensor
    low: Tensor
    size: float

    def to(self, device: str) -> Hull:
        """A copy on ``device``."""
        return Hull(self.solid.to(device), self.low.to(device), self.size)

    def span(self, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``near`` [R] and ``far`` [R] between which a ray is in the hull, and whether it is at all, bool [R].

        Rays [R, 3] with unit directions. Found by marching through the grid's box; a margin of a step is added.
        """
        with torch.no_grad():
            counts = torch.tensor(self.solid.shape, device=origins.device)
            enter, leave = box_span(origins, directions, self.low, self.low + counts * self.size)
            near, far, hit = enter.clone(), enter + 1e-6, torch.zeros_like(enter) > 0
            for rays in torch.split(torch.nonzero(leave > enter)[:, 0], _CHUNK):
                step = (leave[rays] - enter[rays]) / _MARCH
                solid = self._solid_along(origins[rays], directions[rays], enter[rays], step)
                first = solid.int().argmax(dim=1)
                last = _MARCH - 1 - solid.flip(1).int().argmax(dim=1)
                near[rays] = (enter[rays] + step * (first - 0.5)).clamp_min(1e-6)
                far[rays] = enter[rays] + step * (last + 1.5)
                hit[rays] = solid.any(dim=1)
            return near, far, hit

    def _solid_along(self, origins: Tensor, directions: Tensor, enter: Tensor, step: Tensor) -> Tensor:
        """Whether the points [R, _MARCH] of rays, the first half a ``step`` [R] behind ``enter`` [R], are solid."""
        where = torch.arange(_MARCH, device=origins.device) + 0.5
        depths = enter[:, None] + step[:, None] * where
        index = torch.zeros_like(depths, dtype=torch.int64)
        for axis, count in enumerate(self.solid.shape):
            start, slope = (origins[:, axis] - self.low[axis]) / self.size, directions[:, axis] / self.size
            cell = (start[:, None] + depths * slope[:, None]).long().clamp_(0, count - 1)
            index = index * count + cell
        return self.solid.flatten()[index]


def box_span(origins: Tensor, directions: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Depths [R], [R] at which rays enter and leave a box; it is missed where they leave before they enter."""
    slope = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
    a, b = (low - origins) / slope, (high - origins) / slope
    return torch.minimum(a, b).amax(dim=1).clamp_min(0.0), torch.maximum(a, b).amin(dim=1)


def visual_hull(views: Sequence[PosedView], low: Float64, high: Float64, cells: int = 64) -> Hull:
    """The hull of the views' masks in a box, grown by one cell; views without a mask are passed over."""
    from scipy import ndimage  # only a fit waits for it

    masked = [v for v in views if v.mask is not None]
    masks = [ndimage.binary_dilation(np.asarray(v.mask) > 0.5) for v in masked]
    centres, size = cell_centres(low, high, cells)
    solid = inside_silhouettes(centres.reshape(-1, 3), masked, masks).reshape(centres.shape[:3])
    solid = ndimage.binary_dilation(solid, np.ones((3, 3, 3), np.bool_))
    return Hull(torch.from_numpy(solid), torch.as_tensor(low, dtype=torch.float32), size)
