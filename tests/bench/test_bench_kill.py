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

from paad.bench.store import read_rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

MEASURED = ("seconds", "peak_rss_mb", "machine")


def _command(data: Path, out: Path, *grid: str) -> list[str]:
    options = ["trouble.seconds=0.01", "--workers", "2", "--threads", "1"]
    return [sys.executable, "-m", "paad.cli.main", "bench", "run", "--data", str(data), "--out", str(out),
            "--methods", "mean-image", "trouble", *grid, "--options", *options]  # fmt: skip


def _figures(run: Path) -> dict[str, dict[str, Any]]:
    rows = read_rows(run)
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: {k: v for k, v in row.items() if k not in MEASURED} for row in rows}


def _kill_and_resume(data: Path, tmp_path: Path, kills: int, longest: float, *grid: str) -> int:
    """Kill a run ``kills`` times, let it end, compare; returns how many rows the kills had left to the last start."""
    rng = random.Random(0)
    killed = tmp_path / "killed"
    done = 0
    while done < kills:
        process = subprocess.Popen(
            _command(data, killed, *grid), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(rng.uniform(0.3, longest))
            break  # it ended before the next kill: nothing is left to interrupt
        except subprocess.TimeoutExpired:
            # in turn the runner alone, whose jobs must then notice, and everything at once
            (os.kill if done % 2 else os.killpg)(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
    rows_at_last_start = len(read_rows(killed)) if (killed / "rows.jsonl").is_file() else 0
    subprocess.run(_command(data, killed, *grid), check=True, capture_output=True)
    subprocess.run(_command(data, tmp_path / "whole", *grid), check=True, capture_output=True)
    assert done == kills
    assert _figures(killed) == _figures(tmp_path / "whole")
    time.sleep(0.5)
    assert not list((killed / "predictions").glob(".partial-*"))
    return rows_at_last_start


@pytest.mark.usefixtures("installed")
def test_two_kills(data: Path, tmp_path: Path) -> None:
    _kill_and_resume(data, tmp_path, 2, 8.0, "--objects", "01Ball", "--seeds", "0", "1")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("installed")
def test_twenty_kills(data: Path, tmp_path: Path) -> None:
    seeds = [str(seed) for seed in range(30)]
    left = _kill_and_resume(data, tmp_path, 20, 9.0, "--seeds", *seeds, "--views", "1.0", "4")
    assert left > 0, "no kill came after a finished job; the machine is too slow for this test's clock"
