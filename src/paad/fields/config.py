"""What a fit is told and what it leaves in writing: plain records, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace

_LEAST_VIEWS_OF_DEGREE = (12, 32, 80)
"""Of degrees 1, 2 and 3."""


@dataclass(frozen=True)
class FieldConfig:
    """How the field is fitted. The defaults suit a toy in 100 to 200 views of 400 x 400 pixels on two cores."""

    steps: int = 2400  # optimization steps, one view each
    seconds: float | None = None  # wall time after which the schedule is wound up; None leaves it to the steps
    initial_gaussians: int = 20000  # points of the carved surface that are taken
    max_gaussians: int = 28000  # budget for splitting
    sh_degree: int | None = None  # degree of the view-dependent colour, 0 to 3; None: as many views can tell
    max_side: int = 800  # longer training pictures are reduced to this many pixels
    grow_from: float = 0.08  # share of the schedule at which splitting begins
    grow_until: float = 0.6  # and ends
    grow_every: int = 100  # steps between two rounds of splitting and pruning
    coarse_until: float = 0.25  # share of the schedule fitted at half the resolution
    squared: float = 2.0  # weight of the squared error beside the absolute one
    gloss: float = 0.01  # weight of squared view-dependent colours beside a pixel's error
    silhouette: float = 0.5  # weight of the absolute error of alpha where it is known
    moving_light: bool | None = None  # whether the light differs from photo to photo; None finds out
    seed: int = 0  # order of the views and choice of the initial points

    def for_views(self, count: int) -> FieldConfig:
        """With the degree of colour that so many views can tell: of fewer it learns which view is which, not gloss.

        The steps are where unseen views of a random assembly were reproduced best (6, 21, 50 and 101 views).
        """
        if self.sh_degree is not None:
            return self
        return replace(self, sh_degree=sum(count >= least for least in _LEAST_VIEWS_OF_DEGREE))


@dataclass
class FitLog:
    """What happened during a fit: seconds, steps done, number of Gaussians, and now and then the loss, and the PSNR
    of the views that were watched; whether the light moves, and the shares of the error that each view's own light and
    its neighbour's explained; whether the object was found in photos without masks."""

    seconds: float = 0.0
    steps: int = 0
    gaussians: int = 0
    losses: list[float] = field(default_factory=list)
    watched: list[float] = field(default_factory=list)
    moving_light: bool = False
    explained_by_light: float | None = None
    explained_by_neighbours: float | None = None
    object_found: bool = False


@dataclass(frozen=True)
class Quality:
    """Means over views that the fit has not seen: dB over the picture and over the object's pixels, and SSIM.

    Where the light moves, the field is put under each view's own first."""

    psnr: float
    psnr_object: float
    ssim: float


def mean_quality(each: Sequence[Quality]) -> Quality | None:
    """Means over several; None of none."""
    if not each:
        return None
    return Quality(*(sum(values) / len(each) for values in zip(*map(astuple, each), strict=True)))
