"""Running a grid: every job ends as one row, whatever happens to it; runs resume and settings never mix."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paad.bench.estimate import estimate
from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid, plan
from paad.bench.predictions import dequantize, quantize, read_map, read_predictions
from paad.bench.runner import estimate_grid, run_grid, score_run_again
from paad.bench.store import open_store, read_rows
from paad.errors import DataError, PaadError, UsageError

pytestmark = pytest.mark.usefixtures("installed")


def _run(
    grid: Grid, out: Path, seconds: float | None = 60.0, memory: int | None = None, **options: Any
) -> list[dict[str, Any]]:
    run_grid(grid, out, LocalExecutor(2, Limits(seconds, memory)), workers=2, **options)
    return read_rows(out)


def _trouble(data: Path, **options: Any) -> Grid:
    return Grid(data, ("trouble",), objects=("01Ball",), options={"trouble": options})


def test_a_grid_gives_one_whole_row_a_job_and_a_second_run_does_nothing(data: Path, tmp_path: Path) -> None:
    grid = Grid(data, ("mean-image",), seeds=(0, 1), views=(1.0, 4))
    lines: list[str] = []
    rows = _run(grid, tmp_path, say=lines.append)
    assert len({row["key"] for row in rows}) == len(rows) == 8
    assert {row["status"] for row in rows} == {"ok"}
    row = next(r for r in rows if r["key"] == "01Ball/mean-image/0/4-shot")
    assert (row["n_views"], row["n_views_all"]) == (4, 12)
    assert row["settings"]["versions"]["paad-mean-image"] == "0.1.0"
    assert row["pixel"]["auroc"] > 0.8
    assert row["n_without_mask"] == 1  # one of the downloaded set's defects has no mask
    assert row["by_defect"].keys() == {"Stains", "Missing"}
    assert row["peak_rss_mb"] > 30
    assert row["model_bytes"] > 1000
    assert row["seconds"]["job"] >= row["seconds"]["fit"] + row["seconds"]["predict"]
    assert "8 done" in lines[-1]
    before = (tmp_path / "rows.jsonl").read_bytes()
    assert run_grid(grid, tmp_path, LocalExecutor(1, Limits())).n_run == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == before


def test_seeds_reach_the_detector_and_the_same_seed_gives_the_same_figures(data: Path, tmp_path: Path) -> None:
    grid = Grid(data, ("trouble",), objects=("01Ball",), seeds=(0, 1))
    first, again = _run(grid, tmp_path / "a"), _run(grid, tmp_path / "b")

    def maps(run: Path, row: dict[str, Any]) -> np.ndarray[Any, Any]:
        folder = run / "predictions" / row["predictions"]
        return np.stack([m for m in (read_map(folder, s) for s in read_predictions(folder)) if m is not None])

    by_seed = {row["seed"]: maps(tmp_path / "a", row) for row in first}
    assert np.any(by_seed[0] != by_seed[1])
    for row in again:
        assert np.array_equal(maps(tmp_path / "b", row), by_seed[row["seed"]])


@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("raise", "failed", "not to my taste"),
        ("hang", "timeout", "limit of 2 s"),
        ("memory", "out_of_memory", "the limit is 400 MB a job"),
        ("memory-error", "out_of_memory", "out of memory"),
        ("vanish", "out_of_memory", "SIGKILL"),
        ("crash", "crashed", "SIGABRT"),
        ("exit", "crashed", "exit code 7"),
    ],
)
def test_a_job_that_ends_badly_is_a_row_that_says_so(
    data: Path, tmp_path: Path, mode: str, status: str, words: str
) -> None:
    seconds = 2.0 if mode == "hang" else 60.0
    (row,) = _run(_trouble(data, mode=mode), tmp_path, seconds, 400 * 10**6 if mode == "memory" else None)
    assert row["status"] == status
    assert words in row["message"]
    assert row["predictions"] is None


def test_what_a_stopped_job_started_ends_with_it(data: Path, tmp_path: Path) -> None:
    (row,) = _run(_trouble(data, mode="hang-with-a-child"), tmp_path, 2.0)
    assert row["status"] == "timeout"
    (log,) = (tmp_path / "predictions").glob("*/log.txt")
    child = int(log.read_text().split("child")[1].split()[0])
    state = Path(f"/proc/{child}/stat")
    deadline = time.monotonic() + 5.0
    while state.exists() and state.read_text().split(")")[1].split()[0] not in "ZX" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not state.exists() or state.read_text().split(")")[1].split()[0] in "ZX"


def test_rows_hold_the_whole_configuration(data: Path, tmp_path: Path) -> None:
    (row,) = _run(replace(_trouble(data, floor=0.1), seeds=(3,)), tmp_path)
    assert row["config"] == {"floor": 0.1, "seed": 3, "mode": "ok", "unlimited": "Infinity"}
    (other,) = _run(Grid(data, ("mean-image",), objects=("01Ball",)), tmp_path / "other")
    assert other["config"] is None  # it keeps none


def test_failed_jobs_run_again_only_when_asked(data: Path, tmp_path: Path) -> None:
    assert _run(_trouble(data, mode="raise"), tmp_path)[0]["status"] == "failed"
    assert run_grid(_trouble(data, mode="raise"), tmp_path, LocalExecutor(1, Limits())).n_run == 0
    assert run_grid(_trouble(data, mode="raise"), tmp_path, LocalExecutor(1, Limits()), retry_failed=True).n_run == 1
    assert len(read_rows(tmp_path)) == 1


def test_photos_that_fail_count_as_wrong_and_the_job_goes_on(data: Path, tmp_path: Path) -> None:
    (row,) = _run(_trouble(data, mode="picky"), tmp_path)
    assert (row["status"], row["n_failed"], row["n_without_score"]) == ("ok", 3, 3)
    assert "3 photos failed; the first: RuntimeError: too red" in row["message"]
    assert row["image"]["auroc"] <= 0.5  # three of six defects have no score


def test_changed_settings_are_refused_or_run_again_and_never_mixed(data: Path, tmp_path: Path) -> None:
    grid = _trouble(data, floor=0.05)
    _run(grid, tmp_path)
    changed = _trouble(data, floor=0.1)
    with pytest.raises(UsageError, match=r"options was .*0\.05.*is now .*0\.1"):
        _run(changed, tmp_path)
    with pytest.raises(UsageError, match="false_alarm_rate"):
        _run(replace(grid, objects=("2Flat",), false_alarm_rate=0.1), tmp_path)
    rows = _run(changed, tmp_path, rerun_changed=True)
    assert [row["settings"]["options"] for row in rows] == [{"floor": 0.1}]
    assert len((tmp_path / "superseded.jsonl").read_text().splitlines()) == 1
    grown = replace(changed, objects=("01Ball", "2Flat"), seeds=(0, 3))
    assert len(_run(grown, tmp_path)) == 4  # a grid may grow


def test_a_method_that_needs_poses_says_why_it_did_not_run(
    data: Path, tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = packages / "paad_posed.py"
    module.write_text("from paad_mean_image import MeanImage\nclass Posed(MeanImage):\n    needs_poses = True\n")
    info = tmp_path / "site" / "paad_posed-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paad-posed\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[paad.detectors]\nposed = paad_posed:Posed\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    rows = {row["object"]: row for row in _run(Grid(data, ("posed",)), tmp_path / "run")}
    assert rows["01Ball"]["status"] == "ok"
    assert rows["2Flat"]["status"] == "skipped"
    assert "needs camera poses" in rows["2Flat"]["message"]


def test_a_broken_object_is_a_row_too(data: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    (root / "3Empty" / "test" / "good").mkdir(parents=True)
    (root / "01Ball").symlink_to(data / "01Ball")
    rows = {row["object"]: row for row in _run(Grid(root, ("mean-image",)), tmp_path / "run")}
    assert rows["01Ball"]["status"] == "ok"
    assert rows["3Empty"]["status"] == "failed"
    assert "3Empty" in rows["3Empty"]["message"]


def test_a_damaged_mask_is_named_and_costs_its_photo_only(data: Path, tmp_path: Path) -> None:
    toy = tmp_path / "data" / "2Flat"
    shutil.copytree(data / "2Flat", toy)
    (toy / "ground_truth" / "Stains" / "1_mask.png").write_bytes(b"no picture")
    (row,) = _run(Grid(tmp_path / "data", ("mean-image",)), tmp_path / "run")
    assert (row["status"], row["n_without_mask"]) == ("ok", 1)
    assert "1_mask.png" in row["message"]


def test_figures_can_be_computed_again_from_what_was_stored(data: Path, tmp_path: Path) -> None:
    before = _run(Grid(data, ("mean-image",)), tmp_path)
    assert score_run_again(tmp_path, data) == 2
    assert read_rows(tmp_path) == before
    _run(Grid(data, ("trouble",), keep_maps="some"), tmp_path / "some")
    assert score_run_again(tmp_path / "some", data) == 2  # three of each label are all there are
    _run(Grid(data, ("trouble",), keep_maps="none"), tmp_path / "none")
    with pytest.raises(DataError, match="--keep-maps all"):
        score_run_again(tmp_path / "none", data)


def test_a_cut_line_and_a_kept_back_row_are_mended(data: Path, tmp_path: Path) -> None:
    grid = Grid(data, ("mean-image",))
    rows = _run(grid, tmp_path)
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_bytes(lines[0] + lines[1][:100])
    lines_said: list[str] = []
    assert run_grid(grid, tmp_path, LocalExecutor(1, Limits()), say=lines_said.append).n_run == 0
    assert read_rows(tmp_path) == rows
    assert "1 finished jobs found" in lines_said[0]


def test_damage_and_a_second_runner_are_named(data: Path, tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(PaadError, match="another 'paad bench run'"), open_store(tmp_path):
        pass
    (tmp_path / "rows.jsonl").write_text('{"broken\n{}\n')
    with pytest.raises(DataError, match="line 1 is damaged"):
        read_rows(tmp_path)
    with pytest.raises(DataError, match="not the folder of a run"):
        read_rows(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ("nonesuch",)}, "nonesuch"),
        ({"objects": ("04Nowhere",)}, "choose from: 01Ball, 2Flat"),
        ({"views": (0.0,)}, "share in"),
        ({"views": (2.5,)}, "share in"),
        ({"data": Path("/nowhere")}, "no such folder"),
    ],
)
def test_a_wrong_grid_is_refused(data: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises((UsageError, DataError), match=words):
        plan(replace(Grid(data, ("mean-image",)), **changes))


def test_every_method_goes_first_once_so_that_time_can_be_told(data: Path) -> None:
    jobs = plan(Grid(data, ("mean-image", "trouble"), seeds=(0, 1)))
    assert [job.method for job in jobs[:2]] == ["mean-image", "trouble"]
    assert len(jobs) == len({job.key for job in jobs}) == len({job.folder for job in jobs}) == 8


def test_the_estimate_comes_from_finished_jobs(data: Path, tmp_path: Path) -> None:
    grid = Grid(data, ("mean-image", "trouble"), seeds=(0, 1, 2))
    jobs = plan(grid)
    assert "not known yet for mean-image, trouble" in str(estimate_grid(grid, tmp_path / "none"))
    rows = [{"key": jobs[0].key, "method": "mean-image", "views": 1.0, "seconds": {"job": 100.0}}]
    found = estimate(jobs, rows, workers=2)
    assert (found.n_jobs, found.n_done, found.seconds, found.unknown) == (12, 1, 250.0, ("trouble",))
    assert "11" not in str(found)
    assert "about 4 min" in str(found)


@pytest.mark.parametrize("offset", [0.0, -1000.0, 5.0])
@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e6])
def test_stored_maps_are_close_whatever_their_range(offset: float, scale: float) -> None:
    values = (offset + scale * np.random.default_rng(0).random((20, 30)) ** 4).astype(np.float32)
    stored, low, exponent = quantize(values)
    restored = dequantize(*(stored, low, exponent))
    bound = (values - values.min()) / 2048 + np.abs(values) * 2e-7 + scale * 1e-8
    assert (np.abs(restored - values) <= bound).all()
    assert np.array_equal(quantize(np.full((2, 2), 3.0))[0], np.zeros((2, 2)))


def test_rows_are_plain_json(data: Path, tmp_path: Path) -> None:
    _run(Grid(data, ("mean-image",), objects=("2Flat",)), tmp_path)
    for line in (tmp_path / "rows.jsonl").read_text().splitlines():
        assert json.loads(line, parse_constant=pytest.fail)["pose"] is None
    assert json.loads((tmp_path / "run.json").read_text())["methods"] == ["mean-image"]


def test_jobs_wait_for_memory_but_one_always_runs(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, *_ = plan(_trouble(data, mode="hang"))
    free = 4 * 10**9
    monkeypatch.setattr("paad.bench.executors.available_bytes", lambda: free)
    with LocalExecutor(3, Limits()) as executor:
        assert executor.has_room(10**12)
        executor.start(job, tmp_path, 3 * 10**9)  # will grow: its share counts before it takes it
        assert not executor.has_room(10**9)
        assert executor.has_room(10**8)
        executor.start(job, tmp_path, 10**8)
        executor.start(job, tmp_path, 10**8)
        assert not executor.has_room(1)
        free = 10**8  # the system is about to run out: the largest is stopped
        (stopped, *_) = executor.wait() or executor.wait()
        assert stopped.row["status"] == "out_of_memory"
        assert "the machine had 100 MB left" in stopped.row["message"]
