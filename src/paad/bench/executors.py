"""What runs jobs: the interface, and processes on this machine that are stopped when they hang.

Each job has a process of its own, forked from a small server, so that its peak memory is its own, a crash takes
nothing else along and memory goes back when it ends.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from paad.bench.grid import Job
from paad.bench.rows import empty_row

_POLL_SECONDS = 0.2
_SPARE_BYTES = 512 * 1024**2  # below this much free memory the largest job is stopped before the system picks a victim
_UNKNOWN_JOB_BYTES = 1024**3  # memory set aside for a method of which no job has finished yet


@dataclass(frozen=True)
class Limits:
    """What one job may use: wall seconds and resident bytes, None for no limit; and processors, for Ray."""

    seconds: float | None = None
    memory_bytes: int | None = None
    threads: int = 1


@dataclass(frozen=True)
class Finished:
    """A job that ended, with its row; ``scratch`` holds its predictions if it has any."""

    job: Job
    scratch: Path
    row: dict[str, Any]


class Executor(Protocol):
    """Where jobs run. ``expected_bytes`` is the most a job of that method has used so far, None if unknown."""

    def __enter__(self) -> Executor: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def has_room(self, expected_bytes: int | None) -> bool:
        """Whether one more job may start now."""

    def start(self, job: Job, scratch: Path, expected_bytes: int | None) -> None:
        """Start a job."""

    def wait(self) -> list[Finished]:
        """Wait until a job ends or a moment has passed; the jobs that ended."""


@dataclass
class _Running:
    job: Job
    scratch: Path
    process: BaseProcess
    deadline: float
    expected_bytes: int


class LocalExecutor:
    """Processes on this machine: at most ``workers``, and no more than fit into the free memory."""

    def __init__(self, workers: int, limits: Limits) -> None:
        self._workers, self._limits = workers, limits
        self._running: list[_Running] = []
        self._context: Any = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
        if sys.platform != "win32":
            from multiprocessing import forkserver

            self._context.set_forkserver_preload(["paad.bench.preload", "torch"])
            forkserver.ensure_running()  # it loads its modules while the jobs are still being planned

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in self._running:
            _kill(running.process)
            running.process.join()
        self._running.clear()

    def has_room(self, expected_bytes: int | None) -> bool:
        """Whether a worker is free and the free memory holds what running jobs may still take and one job more."""
        if len(self._running) >= self._workers:
            return False
        free = available_bytes()
        if not self._running or free is None:
            return True
        growth = sum(max(0, r.expected_bytes - (resident_bytes(r.process.pid) or 0)) for r in self._running)
        return free - growth - _SPARE_BYTES >= (expected_bytes or _UNKNOWN_JOB_BYTES)

    def start(self, job: Job, scratch: Path, expected_bytes: int | None) -> None:
        """Start a job in a new process; what it prints goes to ``log.txt`` among its predictions."""
        process = self._context.Process(target=_work, args=(job, scratch), daemon=False)
        process.start()
        deadline = time.monotonic() + (self._limits.seconds or float("inf"))
        self._running.append(_Running(job, scratch, process, deadline, expected_bytes or _UNKNOWN_JOB_BYTES))

    def wait(self) -> list[Finished]:
        """Wait until a process ends or 0.2 s have passed; stop what hangs or takes too much memory."""
        connection.wait([r.process.sentinel for r in self._running], timeout=_POLL_SECONDS)
        finished = []
        for running in list(self._running):
            row = self._row_if_over(running)
            if row is not None:
                running.process.join()
                self._running.remove(running)
                finished.append(Finished(running.job, running.scratch, row))
        return finished

    def _row_if_over(self, running: _Running) -> dict[str, Any] | None:
        job, process = running.job, running.process
        if not process.is_alive():
            return row_of_process(job, running.scratch, process.exitcode)
        if time.monotonic() > running.deadline:
            _kill(process)
            return empty_row(job, "timeout", f"stopped after the limit of {self._limits.seconds:g} s")
        used, most = resident_bytes(process.pid) or 0, self._limits.memory_bytes
        if most is not None and used > most:
            _kill(process)
            return empty_row(
                job, "out_of_memory", f"stopped at {used / 1e6:.0f} MB; the limit is {most / 1e6:.0f} MB a job"
            )
        free = available_bytes()
        if free is not None and free < _SPARE_BYTES and used >= self._largest():
            _kill(process)
            return empty_row(
                job, "out_of_memory", f"stopped at {used / 1e6:.0f} MB: the machine had {free / 1e6:.0f} MB left"
            )
        return None

    def _largest(self) -> int:
        return max(resident_bytes(r.process.pid) or 0 for r in self._running)


def row_of_process(job: Job, scratch: Path, exit_code: int | None) -> dict[str, Any]:
    """The row that a job's process left behind, or one that says how the process died."""
    path = scratch / "result.json"
    if exit_code == 0 and path.is_file():
        row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return row
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        if name == "SIGKILL":
            return empty_row(job, "out_of_memory", "its process was killed from outside (SIGKILL): as a rule, by the "
                             "system for lack of memory")  # fmt: skip
        return empty_row(job, "crashed", f"its process died of {name}; see log.txt among its predictions")
    return empty_row(job, "crashed", f"its process ended with exit code {exit_code}; see log.txt among its predictions")


def write_result(job: Job, scratch: Path) -> None:
    """Do a job and leave its row as ``result.json`` in ``scratch``."""
    from paad.bench.job import run_job  # here: only the process of a job needs what a job loads

    row = run_job(job, scratch)
    text = json.dumps(row, allow_nan=False)
    (scratch / "result.json.part").write_text(text, encoding="utf-8")
    os.replace(scratch / "result.json.part", scratch / "result.json")


def _kill(process: BaseProcess) -> None:
    """Stop a job and whatever it started itself."""
    if sys.platform != "win32" and process.pid is not None:
        with contextlib.suppress(ProcessLookupError):  # it may not lead its group yet, or be gone
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _work(job: Job, scratch: Path) -> None:
    """The main function of a job's process, which leads a group of its own so that its children end with it."""
    if sys.platform != "win32":
        os.setpgid(0, 0)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    log = os.open(scratch / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    write_result(job, scratch)


def _die_with_parent() -> None:
    """End this process when the runner was killed, so that no orphan goes on computing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        if sys.platform != "win32":
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def available_bytes() -> int | None:
    """Memory that can be had without swapping, None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None


def resident_bytes(pid: int | None) -> int | None:
    """Resident memory of a process, None where the system does not tell or the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None
