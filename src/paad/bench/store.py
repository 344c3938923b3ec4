"""The rows of a run: JSON lines that survive ``kill -9`` at any moment, and are never mixed with other settings.

A row is one line, written at once and flushed to the disk. A line cut by a kill has no line end and is dropped when
the run is opened again. A job's predictions are moved to their place, with the row among them, before the row is
appended: a kill between the two costs nothing, the row is found there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from paad.bench.grid import Job, hash_of
from paad.data.files import write_text
from paad.errors import DataError, PaadError, UsageError

ROWS = "rows.jsonl"
SUPERSEDED = "superseded.jsonl"
_PER_JOB = ("data_fingerprint", "seed", "views", "options", "method")


def read_rows(run: Path) -> list[dict[str, Any]]:
    """All whole rows of a run, in the order they were written.

    Raises:
        DataError: there is no run, or a line other than a cut last one is damaged.
    """
    path = run / ROWS
    if not path.is_file():
        raise DataError(f"{path}: no such file; {run} is not the folder of a run of 'paad bench run'")
    text = path.read_text(encoding="utf-8")
    rows = []
    for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise DataError(f"{path}: line {number} is damaged ({error}); delete that line and resume") from error
    return rows


@contextlib.contextmanager
def open_store(run: Path) -> Iterator[Store]:
    """The run's store, locked against a second runner while the block lasts.

    Raises:
        PaadError: another runner works in this folder, or it cannot be written.
        DataError: its rows are damaged.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = (run / ".lock").open("a+")
    except OSError as error:
        raise PaadError(f"{run}: cannot write here ({error.strerror}); choose another --out") from error
    with lock:
        _lock(lock.fileno(), run)
        yield Store(run)


def _lock(descriptor: int, run: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: two runners in one folder are then up to the user
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise PaadError(
            f"{run}: another 'paad bench run' works in this folder; wait for it or choose another"
        ) from error


class Store:
    """Rows and predictions of one run; made by :func:`open_store`."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._path = run / ROWS
        self._path.touch()
        _drop_cut_line(self._path)
        self.rows = read_rows(run)
        for stale in (run / "predictions").glob(".partial-*"):
            shutil.rmtree(stale, ignore_errors=True)

    @property
    def done(self) -> dict[str, dict[str, Any]]:
        """Rows by the key of their job."""
        return {row["key"]: row for row in self.rows}

    def scratch(self, job: Job) -> Path:
        """A new, private folder for one attempt at ``job``."""
        folder = self.run / "predictions" / f".partial-{job.folder}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        return folder

    def append(self, row: dict[str, Any], job: Job, scratch: Path) -> None:
        """Move an attempt's predictions to their place and add its row."""
        line = json.dumps(row, allow_nan=False)
        write_text(scratch / "row.json", line + "\n")
        target = self.run / "predictions" / job.folder
        if target.exists():
            shutil.rmtree(target)
        os.replace(scratch, target)
        self._append_line(self._path, line)
        self.rows.append(row)

    def adopt(self, jobs: Sequence[Job]) -> int:
        """Add the rows of predictions that were moved to their place just before a kill; returns how many."""
        done, found = self.done, 0
        for job in jobs:
            path = self.run / "predictions" / job.folder / "row.json"
            if job.key in done or not path.is_file():
                continue
            row = json.loads(path.read_text(encoding="utf-8"))
            if row["settings_hash"] == job.settings_hash:
                self._append_line(self._path, json.dumps(row, allow_nan=False))
                self.rows.append(row)
                found += 1
        return found

    def accept(self, jobs: Sequence[Job], rerun_changed: bool = False) -> None:
        """Check that no row was made with other settings than ``jobs`` now have; a grid may grow, not change.

        Rows that differ are put aside into ``superseded.jsonl`` with ``rerun_changed``, so that their jobs run again.

        Raises:
            UsageError: rows differ and ``rerun_changed`` is False; the message names what changed.
        """
        now = {job.key: job.settings for job in jobs}
        shared = _shared(jobs[0].settings) if jobs else {}
        changed: dict[str, list[str]] = {}
        for row in self.rows:
            wanted = now.get(row["key"])
            if wanted is not None and hash_of(wanted) != row["settings_hash"]:
                changed[row["key"]] = _differences(row["settings"], wanted)
            elif wanted is None and jobs and _shared(row["settings"]) != shared:
                changed[row["key"]] = _differences(_shared(row["settings"]), shared)
        if not changed:
            return
        if not rerun_changed:
            key, what = next(iter(changed.items()))
            raise UsageError(
                f"{self.run}: {len(changed)} of its {len(self.rows)} rows were made with other settings; for {key}: "
                f"{'; '.join(what)}. Choose another --out, or run those again with --rerun-changed"
            )
        self.put_aside(set(changed))

    def put_aside(self, keys: set[str]) -> None:
        """Move the rows of ``keys`` to ``superseded.jsonl`` and drop their predictions."""
        for row in self.rows:
            if row["key"] in keys:
                self._append_line(self.run / SUPERSEDED, json.dumps(row, allow_nan=False))
        self.replace([row for row in self.rows if row["key"] not in keys])
        for path in (self.run / "predictions").glob("*/row.json"):
            if json.loads(path.read_text(encoding="utf-8"))["key"] in keys:
                shutil.rmtree(path.parent)

    def replace(self, rows: list[dict[str, Any]]) -> None:
        """Write all rows anew, whole or not at all."""
        write_text(self._path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))
        self.rows = rows

    def _append_line(self, path: Path, line: str) -> None:
        try:
            with path.open("ab") as file:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise PaadError(
                f"{path}: row not written ({error.strerror}); free some space and start the same command again"
            ) from error


def _drop_cut_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)


def _shared(settings: dict[str, Any]) -> dict[str, Any]:
    """What all rows of a run must have in common."""
    kept = {key: value for key, value in settings.items() if key not in _PER_JOB}
    return {**kept, "versions": {name: kept["versions"].get(name) for name in ("paad", "numpy", "torch")}}


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{key} was {before.get(key)!r}, is now {now.get(key)!r}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
