"""Is a promised false-alarm rate kept? Exact binomial intervals, no normal approximation.

The special functions are called directly: scipy's distributions take half a second to load.
"""

from __future__ import annotations

from scipy.special import bdtrc, betaincinv

from paad.errors import DataError


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a binomial rate (Clopper and Pearson, Biometrika 1934).

    Raises:
        DataError: counts that cannot be, or a level outside (0, 1).
    """
    if not 0 <= successes <= trials or trials < 1 or not 0.0 < level < 1.0:
        raise DataError(
            f"{successes} of {trials} at level {level}: needs 0 <= successes <= trials, trials >= 1, 0 < level < 1"
        )
    tail = 0.5 * (1.0 - level)
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1.0 - tail))
    return low, high


def false_alarms(alarms: int, n_good: int, promised: float) -> dict[str, float | int | bool | list[float]] | None:
    """False alarms on good test images against the promised rate; None without good images.

    ``p_value`` is the chance of at least as many alarms if the promise were kept exactly; ``kept`` is False where
    it is below 0.05, that is, where the promise is refuted by the data. Few images can refute little.
    """
    if n_good == 0:
        return None
    low, high = clopper_pearson(alarms, n_good)
    p_value = float(bdtrc(alarms - 1, n_good, promised)) if alarms else 1.0
    return {
        "promised": promised,
        "false_alarms": alarms,
        "n_good": n_good,
        "rate": alarms / n_good,
        "interval_95": [low, high],
        "p_value": p_value,
        "kept": p_value >= 0.05,
    }
