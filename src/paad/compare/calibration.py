"""From scores of good views to p-values and thresholds for a chosen false-alarm rate."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.errors import UsageError


@dataclass(frozen=True)
class Calibration:
    """Scores of good views that the model was not fitted to, each found and compared as a query is."""

    scores: tuple[float, ...]

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
        standings = _gumbel_standings(n)
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
        standing = _gumbel_standings(n)[min(_DRAWS - 1, math.ceil((1.0 - false_alarm_rate) * (_DRAWS + 1)))]
        return max(above_all, float(np.nextafter(self._score_at(float(standing)), np.inf)))

    def _standing(self, score: float) -> float:
        """How many sample deviations the logarithm of ``score`` lies above the calibration's mean."""
        logs = np.log(np.maximum(np.asarray(self.scores), 1e-12))
        return float((np.log(max(score, 1e-12)) - logs.mean()) / max(float(logs.std(ddof=1)), _LEAST_SPREAD))

    def _score_at(self, standing: float) -> float:
        logs = np.log(np.maximum(np.asarray(self.scores), 1e-12))
        return float(np.exp(logs.mean() + standing * max(float(logs.std(ddof=1)), _LEAST_SPREAD)))


_LEAST_SPREAD = 0.03
_DRAWS = 40_000


@functools.lru_cache(maxsize=8)
def _gumbel_standings(n: int) -> NDArray[np.float64]:
    """Sorted standings of a new draw among n others, all from one Gumbel distribution, whichever it is.

    A score is the largest of many residuals, so its logarithm follows a Gumbel law, about. The standing (new draw
    minus sample mean, over sample deviation) does not depend on the law's place and width, so that its distribution,
    drawn here once, gives thresholds that hold for a sample of n, the uncertainty of the sample included.
    """
    draws = np.random.default_rng(n).gumbel(size=(_DRAWS, n + 1))
    sample = draws[:, :n]
    out: NDArray[np.float64] = np.sort((draws[:, n] - sample.mean(axis=1)) / sample.std(axis=1, ddof=1))
    return out


def calibrate(scores: Sequence[float]) -> Calibration:
    """A :class:`Calibration` of the finite ones among ``scores``."""
    return Calibration(tuple(float(s) for s in scores if np.isfinite(s)))
