"""``kill -9`` at random moments, then resume: every row is there once, equal to an uninterrupted run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid
from paad.bench.runner import run_grid
from paad.bench.store import read_rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

MEASURED = ("seconds", "peak_rss_mb", "machine")


def _command(data: Path, out: Path, objects: tuple[str, ...], seeds: range) -> list[str]:
    options = ["trouble.seconds=0.01", "--workers", "2", "--threads", "1"]
    grid = ["--objects", *objects, "--seeds", *map(str, seeds)]
    return [sys.executable, "-m", "paad.cli.main", "bench", "run", "--data", str(data), "--out", str(out),
            "--methods", "mean-image", "trouble", *grid, "--options", *options]  # fmt: skip


def _figures(run: Path) -> dict[str, dict[str, Any]]:
    rows = read_rows(run)
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: {k: v for k, v in row.items() if k not in MEASURED} for row in rows}


def _n_rows(run: Path) -> int:
    return (run / "rows.jsonl").read_bytes().count(b"\n") if (run / "rows.jsonl").is_file() else 0


def _kill_and_resume(data: Path, tmp_path: Path, kills: int, objects: tuple[str, ...], seeds: range) -> None:
    """Kill a run ``kills`` times, each some rows and a random moment after its start; let it end; compare."""
    rng = random.Random(0)
    killed = tmp_path / "killed"
    for i in range(kills):
        wanted = _n_rows(killed) + rng.randint(0, 3 if kills > 5 else 1)
        process = subprocess.Popen(
            _command(data, killed, objects, seeds),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and _n_rows(killed) < wanted:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.4))
        assert process.poll() is None, "the run ended before it could be killed; the grid is too small"
        # in turn everything at once, and the runner alone, whose jobs must then notice
        (os.kill if i % 2 else os.killpg)(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(_command(data, killed, objects, seeds), check=True, capture_output=True)
    methods, options = ("mean-image", "trouble"), {"trouble": {"seconds": 0.01}}
    whole = Grid(data, methods, objects, tuple(seeds), options=options, threads=1)
    run_grid(whole, tmp_path / "whole", LocalExecutor(2, Limits()))
    assert _figures(killed) == _figures(tmp_path / "whole")
    time.sleep(0.5)
    assert not list((killed / "predictions").glob(".partial-*"))


@pytest.mark.usefixtures("installed")
def test_two_kills(data: Path, tmp_path: Path) -> None:
    _kill_and_resume(data, tmp_path, 2, ("01Ball",), range(7))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("installed")
def test_twenty_kills(data: Path, tmp_path: Path) -> None:
    _kill_and_resume(data, tmp_path, 20, ("01Ball", "2Flat"), range(30))
