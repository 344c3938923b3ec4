"""Jobs on a Ray cluster (extra ``ray``). Data and run folder must have the same paths on all its machines.

Each job is a Ray task in a worker process of its own. A task whose worker or node dies is started again by Ray up to
three times; when those are used up, the job becomes a row that says so.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from paad.bench.executors import Finished, Limits, row_of_process, write_result
from paad.bench.grid import Job
from paad.bench.rows import empty_row
from paad.errors import MissingDependencyError, UsageError

_RETRIES = 3
_POLL_SECONDS = 0.5


@dataclass
class _Task:
    job: Job
    scratch: Path
    started: float


def _attempt(job: Job, scratch: Path) -> None:
    """What a worker does. A retry finds the folder of the attempt before it and starts it over."""
    if not scratch.is_dir():
        raise FileNotFoundError(f"{scratch} is not there on {os.uname().nodename}; --out must be on a shared disk")
    write_result(job, scratch)


class RayExecutor:
    """At most as many tasks as the cluster has processors for, ``limits.threads`` processors each.

    Args:
        address: of the cluster's head, such as "10.0.0.1:6379" or "auto"; None starts Ray on this machine.

    Raises:
        MissingDependencyError: ray is not installed.
        UsageError: no cluster answers at ``address``.
    """

    def __init__(self, address: str | None, limits: Limits) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no data leaves the cluster unasked
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError("--executor ray needs the package ray: pip install 'paad[ray]'") from error
        self._ray, self._limits = ray, limits
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            try:
                ray.init(address=address, include_dashboard=False if address is None else None, log_to_driver=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UsageError(
                    f"--address {address}: no Ray cluster answers there ({error}); start it with 'ray start --head'"
                ) from error
        self._tasks: dict[Any, _Task] = {}
        memory = {"memory": limits.memory_bytes} if limits.memory_bytes is not None else {}
        self._remote = ray.remote(num_cpus=limits.threads, max_retries=_RETRIES, max_calls=1, **memory)(_attempt)

    @property
    def slots(self) -> int:
        """How many jobs the cluster can do at a time now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)) // self._limits.threads)

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._tasks.clear()
        if self._started_ray:
            self._ray.shutdown()

    def has_room(self, expected_bytes: int | None) -> bool:
        """Whether a processor is free; memory is left to Ray, which keeps to the limit a job was given."""
        return len(self._tasks) < self.slots

    def start(self, job: Job, scratch: Path, expected_bytes: int | None) -> None:
        """Hand a job to the cluster."""
        reference = self._remote.remote(job, scratch.resolve())
        self._tasks[reference] = _Task(job, scratch, time.monotonic())

    def wait(self) -> list[Finished]:
        """Wait until a task ends or half a second has passed; cancel what takes too long."""
        ready, _ = self._ray.wait(list(self._tasks), timeout=_POLL_SECONDS)
        finished = [self._finish(reference, self._tasks.pop(reference)) for reference in ready]
        for reference, task in list(self._tasks.items()):
            if self._limits.seconds is not None and time.monotonic() - task.started > self._limits.seconds:
                self._ray.cancel(reference, force=True)
                del self._tasks[reference]
                message = f"stopped after the limit of {self._limits.seconds:g} s"
                finished.append(Finished(task.job, task.scratch, empty_row(task.job, "timeout", message)))
        return finished

    def _finish(self, reference: Any, task: _Task) -> Finished:
        exceptions = self._ray.exceptions
        try:
            self._ray.get(reference)
            row = row_of_process(task.job, task.scratch, 0)
        except exceptions.OutOfMemoryError as error:
            row = empty_row(task.job, "out_of_memory", _first_line(error))
        except exceptions.RayError as error:
            row = empty_row(task.job, "crashed", f"{type(error).__name__}: {_first_line(error)}")
        return Finished(task.job, task.scratch, row)


def _first_line(error: BaseException) -> str:
    text = getattr(error, "cause", None) or error
    return " ".join(str(text).split())[:300]
