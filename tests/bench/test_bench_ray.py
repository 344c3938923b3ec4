"""Jobs on a real two-node Ray cluster on this machine. Skipped where ray is not installed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid
from paad.bench.runner import run_grid
from paad.bench.store import read_rows
from paad.errors import MissingDependencyError

MEASURED = ("seconds", "peak_rss_mb", "machine", "settings", "settings_hash")


def _cluster_or_skip() -> Any:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    return Cluster


@pytest.fixture(scope="module")
def cluster(packages: Path) -> Iterator[Any]:
    """A head and a second node, one processor each, whose workers find the test's packages."""
    made_of = _cluster_or_skip()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(packages))
        patch.setenv("PYTHONPATH", str(packages))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        node = {"num_cpus": 1, "object_store_memory": 80_000_000}
        made = made_of(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        made.add_node(**node)
        made.wait_for_nodes(timeout=120)
        yield made
        made.shutdown()


def _figures(run: Path) -> dict[str, Any]:
    return {row["key"]: {k: v for k, v in row.items() if k not in MEASURED} for row in read_rows(run)}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::UserWarning")
def test_a_worker_killed_in_the_middle_costs_nothing(cluster: Any, data: Path, tmp_path: Path) -> None:
    from paad.bench.executor_ray import RayExecutor

    grid = Grid(data, ("trouble",), objects=("01Ball",), seeds=(0, 1, 2), options={"trouble": {"seconds": 0.2}})
    killed: list[int] = []
    seen = threading.Event()
    killer = threading.Thread(target=_kill_one, args=(tmp_path / "ray", killed, seen), daemon=True)
    killer.start()
    with RayExecutor(cluster.address, Limits(seconds=120.0)) as executor:
        assert executor.slots == 2
        summary = run_grid(grid, tmp_path / "ray", executor)
    killer.join()
    assert killed, "the worker was to be killed in the middle of its job"
    assert summary.by_status == {"ok": 3}
    run_grid(grid, tmp_path / "local", LocalExecutor(1, Limits()))
    assert _figures(tmp_path / "ray") == _figures(tmp_path / "local")


def _kill_one(run: Path, killed: list[int], seen: threading.Event) -> None:
    """Kill the first process that holds a file of a running job open, once the job predicts."""
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline and not killed:
        for scratch in (run / "predictions").glob(".partial-*"):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    opened = [os.readlink(file) for file in (process / "fd").iterdir()]
                except OSError:
                    continue
                if int(process.name) != os.getpid() and any(str(scratch) in name for name in opened):
                    os.kill(int(process.name), signal.SIGKILL)
                    killed.append(int(process.name))
                    return
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::UserWarning")
def test_a_hanging_and_a_crashing_job_are_rows_on_a_cluster_too(cluster: Any, data: Path, tmp_path: Path) -> None:
    from paad.bench.executor_ray import RayExecutor

    grid = Grid(data, ("trouble",), objects=("01Ball",), options={"trouble": {"mode": "hang"}})
    run_grid(grid, tmp_path / "hang", RayExecutor(cluster.address, Limits(seconds=8.0)))
    assert read_rows(tmp_path / "hang")[0]["status"] == "timeout"
    grid = Grid(data, ("trouble",), objects=("01Ball",), options={"trouble": {"mode": "crash"}})
    run_grid(grid, tmp_path / "crash", RayExecutor(cluster.address, Limits()))
    assert read_rows(tmp_path / "crash")[0]["status"] == "crashed"


def test_without_ray_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from paad.bench.executor_ray import RayExecutor

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'paad\[ray\]'"):
        RayExecutor(None, Limits())
