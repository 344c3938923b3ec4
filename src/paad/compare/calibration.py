"""From scores of good views to p-values and thresholds for a chosen false-alarm rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from paad.errors import UsageError

_Numbers = TypeVar("_Numbers", float, NDArray[np.float64])


@dataclass(frozen=True)
class Spread:
    """By how much logarithms of good views' scores deviate: the ``usual`` standard deviation among objects, and the
    standard deviation of its own logarithm between objects, ``stray``."""

    usual: float
    stray: float


OF_PHOTOS = Spread(0.4, 0.2)
"""Of scores of good views of 35 random assemblies (``benchmarks/learn_spread.py``), for which 0.36 and 0.18 are
likeliest. Somewhat more, since photos on tables stray farther than the views that calibrated: 5.4 % of them are alarms
at 5 %, and would be 7.4 %."""


@dataclass(frozen=True)
class Calibration:
    """Scores of good views that the model was not fitted to, each found and compared as a query is.

    ``spread``: what is known of scores of such views beforehand; None where it is nothing.
    """

    scores: tuple[float, ...]
    spread: Spread | None = OF_PHOTOS

    def p_value(self, score: float) -> float | None:
        """How likely a good view scores at least ``score``; None without calibration scores.

        Inside the range of the n calibration scores the conformal p-value (1 + #{scores >= score}) / (n + 1) (Vovk et
        al., "Algorithmic Learning in a Random World", 2005). It cannot fall below 1 / (n + 1); beyond the largest
        score it is continued by the predictive distribution of :func:`_gumbel_standings`.
        """
        n = len(self.scores)
        if n == 0 or not np.isfinite(score):
            return None
        rank = (1 + sum(s >= score for s in self.scores)) / (n + 1)
        if rank > 1 / (n + 1) or n < 2:
            return rank
        standings = _gumbel_standings(n, self.spread)
        above = _DRAWS - int(np.searchsorted(standings, self._standing(score)))
        return min(rank, (1 + above) / (_DRAWS + 1))

    def threshold(self, false_alarm_rate: float) -> float | None:
        """The least score whose p-value is at most ``false_alarm_rate``; None where nothing was calibrated.

        Raises:
            UsageError: the rate is not between 0 and 1.
        """
        if not 0.0 < false_alarm_rate < 1.0:
            raise UsageError(f"false-alarm rate is {false_alarm_rate}; it must lie between 0 and 1, such as 0.02")
        n = len(self.scores)
        if n == 0:
            return None
        ordered = np.sort(np.asarray(self.scores))[::-1]
        allowed = int(np.floor(false_alarm_rate * (n + 1) + 1e-9)) - 1
        if allowed >= 0:
            # p is at most the rate just above the score that has `allowed` scores above it
            return float(np.nextafter(ordered[allowed], np.inf)) if allowed < n else float(ordered[-1])
        above_all = float(np.nextafter(ordered[0], np.inf))
        if n < 2:
            return above_all
        standing = _gumbel_standings(n, self.spread)[
            min(_DRAWS - 1, math.ceil((1.0 - false_alarm_rate) * (_DRAWS + 1)))
        ]
        return max(above_all, float(np.nextafter(self._score_at(float(standing)), np.inf)))

    def _standing(self, score: float) -> float:
        """How many deviations the logarithm of ``score`` lies above the calibration's mean."""
        mean, deviation = self._place()
        return (float(np.log(max(score, 1e-12))) - mean) / deviation

    def _score_at(self, standing: float) -> float:
        mean, deviation = self._place()
        return float(np.exp(mean + standing * deviation))

    def _place(self) -> tuple[float, float]:
        logs = np.log(np.maximum(np.asarray(self.scores), 1e-12))
        deviation = _deviation(max(float(logs.std(ddof=1)), _LEAST_SPREAD), len(logs), self.spread)
        return float(logs.mean()), float(deviation)


_LEAST_SPREAD = 0.03
_DRAWS = 40_000
_GUMBEL_DEVIATION = math.pi / math.sqrt(6.0)
_DOUBT = 1.1
"""Variance of the logarithm of a Gumbel sample's deviation, times the sample's size: (kurtosis - 1) / 4."""


@functools.lru_cache(maxsize=8)
def _gumbel_standings(n: int, spread: Spread | None) -> NDArray[np.float64]:
    """Sorted standings of a new draw among n others, all from one Gumbel distribution, whichever it is.

    A score is the largest of many residuals, so its logarithm follows a Gumbel law, about. The standing (new draw
    minus sample mean, over sample deviation) does not depend on the law's place and width, so that its distribution,
    drawn here once, gives thresholds that hold for a sample of n, the uncertainty of the sample included. With a
    ``spread`` the width is that of an object drawn from many, and the deviation is :func:`_deviation`: thresholds hold
    over such objects (empirical Bayes: Morris, Journal of the American Statistical Association 78, 1983).
    """
    rng = np.random.default_rng(n)
    draws = rng.gumbel(size=(_DRAWS, n + 1)) / _GUMBEL_DEVIATION
    if spread is not None:
        draws *= spread.usual * np.exp(spread.stray * rng.normal(size=(_DRAWS, 1)))
    sample = draws[:, :n]
    deviations = _deviation(sample.std(axis=1, ddof=1), n, spread)
    out: NDArray[np.float64] = np.sort((draws[:, n] - sample.mean(axis=1)) / deviations)
    return out


def _deviation(sampled: _Numbers, n: int, spread: Spread | None) -> _Numbers:
    """The deviation of ``n`` logarithms, between the ``sampled`` and the usual one by what is less in doubt."""
    if spread is None:
        return sampled
    own = spread.stray**2 / (spread.stray**2 + _DOUBT / n)
    out: _Numbers = spread.usual ** (1.0 - own) * sampled**own
    return out


def calibrate(scores: Sequence[float]) -> Calibration:
    """A :class:`Calibration` of the finite ones among ``scores``."""
    return Calibration(tuple(float(s) for s in scores if np.isfinite(s)))
