"""From scores of good views to p-values and thresholds for a chosen false-alarm rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from paad.errors import UsageError


@dataclass(frozen=True)
class Calibration:
    """Scores of good views that the model was not fitted to, each found and compared as a query is."""

    scores: tuple[float, ...]

    def p_value(self, score: float) -> float | None:
        """How likely a good view scores at least ``score``; None without calibration scores.

        Inside the range of the n calibration scores the conformal p-value (1 + #{scores >= score}) / (n + 1) (Vovk et
        al., "Algorithmic Learning in a Random World", 2005). It cannot fall below 1 / (n + 1); beyond the largest
        score it is continued by the tail of the log-scores' Student predictive distribution.
        """
        n = len(self.scores)
        if n == 0 or not np.isfinite(score):
            return None
        rank = (1 + sum(s >= score for s in self.scores)) / (n + 1)
        if rank > 1 / (n + 1) or n < 4:
            return rank
        return float(min(rank, self._tail().sf(np.log(max(score, 1e-12)))))

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
        if n < 4:
            return above_all
        return max(above_all, float(np.exp(self._tail().isf(false_alarm_rate))))

    def _tail(self) -> stats._distn_infrastructure.rv_frozen:
        logs = np.log(np.maximum(np.asarray(self.scores), 1e-12))
        n = len(logs)
        spread = max(float(logs.std(ddof=1)), 0.03) * np.sqrt(1 + 1 / n)
        return stats.t(n - 1, loc=float(logs.mean()), scale=spread)


def calibrate(scores: Sequence[float]) -> Calibration:
    """A :class:`Calibration` of the finite ones among ``scores``."""
    return Calibration(tuple(float(s) for s in scores if np.isfinite(s)))
