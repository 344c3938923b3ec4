"""How long a grid will take, from its finished jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol


class Planned(Protocol):
    """What an estimate asks of a job."""

    @property
    def key(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def views(self) -> float: ...


@dataclass(frozen=True)
class Estimate:
    """Jobs to do and the seconds they will take on ``workers`` workers; methods of which nothing is known yet."""

    n_jobs: int
    n_done: int
    seconds: float
    unknown: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self.n_jobs} jobs, {self.n_done} done"
        if self.n_done == self.n_jobs:
            return text
        known = f"; the rest will take about {duration(self.seconds)}" if self.seconds > 0 else ""
        if not self.unknown:
            return text + known
        return f"{text}{known}; not known yet for {', '.join(self.unknown)}: no job of theirs has finished"


def estimate(jobs: Sequence[Planned], rows: Sequence[dict[str, Any]], workers: int) -> Estimate:
    """Estimate the unfinished ``jobs`` by the finished rows of the same method.

    A job is expected to take as long as the median of the same method's jobs: of those with the same views, if
    there are any, else of all.
    """
    done = {row["key"] for row in rows}
    by_split: dict[tuple[str, float], list[float]] = {}
    by_method: dict[str, list[float]] = {}
    for row in rows:
        seconds = row.get("seconds", {}).get("job")
        if seconds is not None:
            by_split.setdefault((row["method"], row["views"]), []).append(seconds)
            by_method.setdefault(row["method"], []).append(seconds)
    total, longest, unknown = 0.0, 0.0, set()
    for job in jobs:
        if job.key in done:
            continue
        known = by_split.get((job.method, job.views)) or by_method.get(job.method)
        if known is None:
            unknown.add(job.method)
        else:
            total += median(known)
            longest = max(longest, median(known))
    seconds = max(total / max(workers, 1), longest)
    return Estimate(len(jobs), sum(job.key in done for job in jobs), seconds, tuple(sorted(unknown)))


def duration(seconds: float) -> str:
    """Seconds as a person says them: "40 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
