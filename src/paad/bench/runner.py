"""Run a grid: what is not there yet is run, every job ends as one row, and any end can be resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paad._version import __version__
from paad.bench.estimate import Estimate, estimate
from paad.bench.executors import Executor
from paad.bench.grid import Grid, Job, plan
from paad.bench.predictions import BYTES_PER_PIXEL
from paad.bench.store import Store, open_store
from paad.data import open_object
from paad.data.files import write_json
from paad.errors import DataError, PaadError, UsageError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Summary:
    """How a run stands after :func:`run_grid`: jobs in the grid, run now, and rows by status."""

    n_jobs: int
    n_run: int
    by_status: dict[str, int]


def run_grid(
    grid: Grid,
    run: Path,
    executor: Executor,
    *,
    workers: int = 1,
    rerun_changed: bool = False,
    retry_failed: bool = False,
    say: Say | None = None,
) -> Summary:
    """Run all jobs of ``grid`` that ``run`` has no row of yet.

    Args:
        run: the run's folder; rows that are there are kept, and refused if their settings differ.
        workers: how many jobs the executor does at a time, for the estimate.
        rerun_changed: run jobs with changed settings again instead of refusing.
        retry_failed: run jobs that failed before again.
        say: called with lines for a person.

    Raises:
        UsageError: the grid is wrong, rows differ in their settings, or the disk has no room for the predictions.
        PaadError: the folder cannot be written, or another runner works in it.
    """
    tell = say or (lambda text: None)
    jobs = plan(grid)
    with open_store(run) as store:
        store.accept(jobs, rerun_changed)
        adopted = store.adopt(jobs)
        if adopted:
            tell(f"{adopted} finished jobs found whose rows a kill had kept back")
        if retry_failed:
            store.put_aside({row["key"] for row in store.rows if row["status"] not in ("ok", "skipped")})
        todo = [job for job in jobs if job.key not in store.done]
        _check_disk(todo, run)
        _describe(grid, run, jobs)
        tell(str(estimate(jobs, store.rows, workers)))
        with executor:
            _work_off(todo, jobs, store, executor, workers, tell)
        statuses = [row["status"] for row in store.rows if row["key"] in {job.key for job in jobs}]
    return Summary(len(jobs), len(todo), {status: statuses.count(status) for status in sorted(set(statuses))})


def estimate_grid(grid: Grid, run: Path, workers: int = 1) -> Estimate:
    """How long ``grid`` would take, from the rows in ``run``; nothing is run or written."""
    from paad.bench.store import read_rows

    rows = read_rows(run) if (run / "rows.jsonl").is_file() else []
    return estimate(plan(grid), rows, workers)


def score_run_again(run: Path, data: Path, say: Say | None = None) -> int:
    """Compute the figures of every finished row again from the stored predictions; returns how many rows.

    Raises:
        DataError: an object is missing in ``data`` or differs, or maps were not kept; no row is changed then.
    """
    with open_store(run) as store:
        rows = [_scored_again(row, run, data, say) if row["status"] == "ok" else row for row in store.rows]
        store.replace(rows)
    return len([row for row in rows if row["status"] == "ok"])


def _scored_again(row: dict[str, Any], run: Path, data: Path, say: Say | None) -> dict[str, Any]:
    from paad.bench.scoring import score_again

    folder = data if (data / "test").is_dir() else data / row["object"]
    toy = open_object(folder)
    if toy.fingerprint() != row["settings"]["data_fingerprint"]:
        raise DataError(f"{folder}: not the data that {row['key']} was run on; its fingerprint differs")
    if say is not None:
        say(row["key"])
    figures = score_again(toy, run / "predictions" / row["predictions"], row["settings"]["false_alarm_rate"])
    return {**row, **figures}


def _work_off(
    todo: Sequence[Job], jobs: Sequence[Job], store: Store, executor: Executor, workers: int, tell: Say
) -> None:
    waiting, n_running = list(todo), 0
    while waiting or n_running:
        while waiting and executor.has_room(_expected_bytes(waiting[0], store.rows)):
            job = waiting.pop(0)
            executor.start(job, store.scratch(job), _expected_bytes(job, store.rows))
            n_running += 1
        for finished in executor.wait():
            store.append(finished.row, finished.job, finished.scratch)
            n_running -= 1
            tell(f"{_line(finished.row)}  [{estimate(jobs, store.rows, workers)}]")


def _expected_bytes(job: Job, rows: Sequence[dict[str, Any]]) -> int | None:
    """A fifth more than the most that a job of the same method has used."""
    used = [row.get("peak_rss_mb") or 0 for row in rows if row["method"] == job.method]
    return int(1.2e6 * max(used)) if any(used) else None


def _line(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['key']}: {row['status'].upper()}: {row['message']}"
    figures = [("image AUROC", row["image"]["auroc"]), ("pixel AUROC", row["pixel"]["auroc"])]
    text = ", ".join(f"{name} {100 * value:.1f}" for name, value in figures if value is not None)
    return f"{row['key']}: {text or 'no figure is defined'}, {row['seconds']['job']:.1f} s"


def _check_disk(todo: Sequence[Job], run: Path) -> None:
    need = 0
    pixels: dict[Path, int] = {}
    for job in todo:
        if job.keep_maps == "all" and not job.problem:
            if job.object_dir not in pixels:
                pixels[job.object_dir] = _test_pixels(job.object_dir)
            need += pixels[job.object_dir] * BYTES_PER_PIXEL
    free = shutil.disk_usage(run).free
    if need > free:
        raise UsageError(
            f"--out {run}: the maps of {len(todo)} jobs need {need / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "choose another place, or keep fewer with --keep-maps some"
        )


def _test_pixels(object_dir: Path) -> int:
    """Pixels of all test images, as if all had the first one's size."""
    queries = open_object(object_dir).test
    try:
        height, width = queries[0].load_image().shape[:2] if queries else (0, 0)
    except PaadError:
        return 0
    return int(len(queries) * height * width)


def _describe(grid: Grid, run: Path, jobs: Sequence[Job]) -> None:
    """``run.json``: what was asked for last, for people and for the report."""
    write_json(
        run / "run.json",
        {
            "paad_version": __version__,
            "data": str(grid.data.resolve()),
            "methods": list(grid.methods),
            "objects": list(grid.objects),
            "seeds": list(grid.seeds),
            "views": list(grid.views),
            "options": {name: dict(options) for name, options in grid.options.items()},
            "keep_maps": grid.keep_maps,
            "false_alarm_rate": grid.false_alarm_rate,
            "device": grid.device,
            "threads": grid.threads,
            "jobs": [job.key for job in jobs],
        },
    )
