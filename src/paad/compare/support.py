"""How many training views stand around a viewing direction, and how much more good views show where they are few.

A field is worse between its training views than beside them, so that a good photo from there shows more residual, and
its loudest place is louder. A rig crowds views somewhere (rings do at the poles), and so stand the views kept aside for
calibration; photos to inspect come from elsewhere. What a good view usually shows is therefore a function of the
direction: covariate shift (Shimodaira, 2000), met by regression on what shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paad.types import Float32, Float64

_AROUND_DEG = 20.0
_NONE = 1e-3
_KNOWN_DEG, _KNOWN_GAPS = 25.0, 3.5
_USUAL_SLOPE, _SLOPES_DIFFER = 0.9, 0.35
"""Logits that a good view peaks higher where there are e times fewer views, and by how much objects differ in it: mean
and deviation of what views kept aside showed on eight random assemblies, five at 160 px and three at 400."""


def log_support(directions: Float32, towards: Float64) -> float:
    """Logarithm of the number of training views around a direction, weighed by a Gaussian of 20 degrees.

    ``directions``: unit vectors [V, 3] from the object to the training views; ``towards`` [3]: to this one.
    """
    angle = np.degrees(np.arccos(np.clip(directions @ towards, -1.0, 1.0)))
    return float(np.log(np.exp(-0.5 * (angle / _AROUND_DEG) ** 2).sum() + _NONE))


def beside_no_view(directions: Float32, towards: Float64) -> bool:
    """Whether a direction is so far from every training view that nobody knows what a good specimen shows there.

    Farther than 25 degrees, and than three and a half times what the nearest of the others is away from a view in the
    median.
    ``directions``: unit vectors [V, 3] from the object to the training views; ``towards`` [3]: to this one.
    """
    apart = np.degrees(np.arccos(np.clip(directions @ directions.T, -1.0, 1.0)))
    np.fill_diagonal(apart, 180.0)
    nearest = float(np.degrees(np.arccos(np.clip((directions @ towards).max(), -1.0, 1.0))))
    return nearest > max(_KNOWN_DEG, _KNOWN_GAPS * float(np.median(apart.min(axis=1))))


@dataclass(frozen=True)
class Support:
    """What :func:`log_support` does to the logits at which good views peak.

    Attributes:
        slope: logits that they fall for each unit of support.
        least, usual, most: support of the good views; beyond the least and the most nothing is known.
    """

    slope: float
    least: float
    usual: float
    most: float

    def excess(self, support: float) -> float:
        """Logits by which a good view with so much support peaks above the usual."""
        return self.slope * (self.usual - min(max(support, self.least), self.most))


def learn_support(supports: Sequence[float], peaks: Sequence[float]) -> Support:
    """From the support of good views and the logits at which they peak: least squares, the usual slope as prior."""
    x, y = np.asarray(supports, np.float64), np.asarray(peaks, np.float64)
    x, y = x - x.mean(), y - y.mean()
    spread, slope = float((x * x).sum()), _USUAL_SLOPE
    if len(x) > 2 and spread > 0.0:
        own = -float((x * y).sum()) / spread
        variance = float(((y + own * x) ** 2).sum()) / (len(x) - 2) / spread
        slope += (own - slope) * _SLOPES_DIFFER**2 / (_SLOPES_DIFFER**2 + variance)
    return Support(max(slope, 0.0), float(min(supports)), float(np.median(supports)), float(max(supports)))
