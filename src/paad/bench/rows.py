"""What every row of a run has, however its job ended. Loads nothing heavy: the runner's own process needs no more."""

from __future__ import annotations

from typing import Any, Literal

from paad.bench.grid import Job

Status = Literal["ok", "skipped", "failed", "timeout", "out_of_memory", "crashed"]
"""How a job ended. "skipped": the method does not apply to this data, and "message" says why."""


def empty_row(job: Job, status: Status, message: str) -> dict[str, Any]:
    """The row of a job that has no figures, and the head of one that has."""
    return {
        "key": job.key,
        "object": job.object,
        "method": job.method,
        "seed": job.seed,
        "views": job.views,
        "status": status,
        "message": message,
        "settings": job.settings,
        "settings_hash": job.settings_hash,
        "predictions": None,
    }
