"""Parts of the report: the overview, paired differences from stored predictions, attributes, what went wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid
from paad.bench.runner import run_grid
from paad.bench.store import read_rows
from paad.report import bench_overview, bench_plots, bench_text
from paad.report.bench_attributes import attributes_of
from paad.report.bench_figures import METRICS, p_text, table_of
from paad.report.bench_paired import MEAN, Comparison
from paad.report.bench_report import write_bench_report


def _row(name: str, method: str, value: float, **more: Any) -> dict[str, Any]:
    return {
        "key": f"{name}/{method}/0/100%", "object": name, "method": method, "seed": 0, "views": 1.0, "status": "ok",
        "message": "", "image": {"auroc": value}, "seconds": {"per_image": 2 * value, "job": 10.0},
        "settings": {"options": {}, "versions": {"paad": "1"}, "protocol": 2, "threads": 1}, **more,
    }  # fmt: skip


def test_the_overview_has_one_line_a_method_the_best_first() -> None:
    rows = [_row("x", "a", 0.7), _row("x", "b", 0.9), _row("y", "a", 0.7), _row("y", "b", 0.5)]
    rows.append({**_row("x", "c", 0.1), "status": "failed", "image": {}})
    found = bench_overview.overview(rows, 1.0)
    assert found is not None
    assert [line[0] for line in found.lines] == ["a", "b"]  # 70 and 70: the order of the run
    assert [m.key for m in found.metrics] == ["image_auroc", "seconds"]
    assert found.lines[0][1:] == (2, (("70.0", "best"), ("1.4", "best")))
    assert bench_overview.overview(rows[-1:], 1.0) is None
    assert r"a & \textbf{70.0}" in bench_text.latex([], [], found)
    assert "| a | **70.0** |" in bench_text.markdown([], [], found)


def test_rows_of_two_configurations_are_told_apart_but_seeds_are_not() -> None:
    rows = [_row("x", "a", 0.5, config={"seed": i, "steps": 3}) for i in range(2)]
    assert not [note for note in bench_overview.notes(rows, {}) if "configuration" in note]
    rows.append(_row("y", "a", 0.5, config={"seed": 0, "steps": 4}))
    assert [note for note in bench_overview.notes(rows, {}) if "NOT one configuration in all rows of: a" in note]
    (line,) = bench_overview.method_lines(rows, ["a"], {})
    assert (line.paradigm, line.ended, len(line.configurations)) == ("not installed here", "3 ok", 2)


def test_jobs_that_ended_alike_are_told_together() -> None:
    rows = [{**_row(o, "a", 0.5), "status": "failed", "message": f"{o} is too small"} for o in "xyz"]
    rows.append({**_row("x", "b", 0.5), "message": "1 photos failed"})
    found = bench_overview.troubles(rows)
    assert [(t.method, t.status, len(t.jobs)) for t in found] == [("a", "failed", 3), ("b", "ok", 1)]


def test_a_rest_that_takes_long_is_told() -> None:
    asked = {"jobs": ["x/a/0/100%", "y/a/0/100%", "x/a/0/4-shot", "x/b/0/20%"]}
    text = " ".join(bench_overview.notes([_row("x", "a", 0.5)], asked))
    assert "4 jobs, 1 done; the rest will take about 20 s; not known yet for b" in text


@pytest.fixture(scope="module")
def finished(data: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods on two objects; the second adds noise to the corner of its maps."""
    run = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(packages))
        run_grid(Grid(data, ("mean-image", "trouble"), seeds=(0, 1)), run, LocalExecutor(2, Limits()))
    return run


def test_differences_are_those_of_the_rows_with_an_interval(finished: Path, data: Path, tmp_path: Path) -> None:
    rows = read_rows(finished)
    comparison = Comparison(finished, data, rows, n=50)
    found = [d for d in comparison.differences() if d.object == MEAN]
    assert comparison.missing == []
    assert [d.figure for d in found] == ["image_auroc", "pixel_auroc", "aupro_30", "aupro_5", "aupimo", "pixel_ap"]
    for d in found:
        table = table_of(rows, next(m for m in METRICS if m.key == d.figure), 1.0)
        ours, theirs = table.means[d.method].value, table.means[d.rival].value
        assert ours is not None
        assert theirs is not None
        assert d.interval.value == pytest.approx(ours - theirs, abs=0.15)
        assert d.interval.low <= d.interval.high
        assert (d.n_objects, d.n_photos) == (2, 18)
    assert comparison.differences() == Comparison(finished, data, rows, n=50).differences()
    write_bench_report(finished, tmp_path, resamples=20)
    with (tmp_path / "differences.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["object"] for line in lines} == {MEAN, "01Ball", "2Flat"}
    assert "95 % interval" in (tmp_path / "report.html").read_text()


def test_what_cannot_be_compared_is_said(finished: Path, data: Path, tmp_path: Path) -> None:
    rows = read_rows(finished)
    comparison = Comparison(finished, tmp_path, rows)
    assert comparison.differences() == []
    assert "no such folder" in comparison.missing[0]
    moved = [{**row, "settings": {**row["settings"], "data_fingerprint": "other"}} for row in rows]
    comparison = Comparison(finished, data, moved)
    assert comparison.differences() == []
    assert "not the data" in comparison.missing[0]


def _toy_folder(root: Path, name: str, manifest: dict[str, Any] | None) -> None:
    import cv2

    (root / name / "train" / "good").mkdir(parents=True)
    (root / name / "test" / "good").mkdir(parents=True)
    photo = np.random.default_rng(len(name)).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    for place in ("train/good/0.png", "test/good/0.png"):
        assert cv2.imwrite(str(root / name / place), photo)
    if manifest is not None:
        (root / name / "manifest.json").write_text(json.dumps(manifest))


def test_attributes_are_the_datas_own_or_of_the_toys_shown_or_mads(tmp_path: Path) -> None:
    names = ["Owl", "Bear", "Cat"]
    for name in names:
        _toy_folder(tmp_path / "mad", f"01{name}", None)
        _toy_folder(tmp_path / "ours", name, {"format": "paad-synth", "source": name})
        _toy_folder(tmp_path / "given", name, {"attributes": {"parts": len(name)}})
    given, origin = attributes_of(tmp_path / "given", names)
    assert given["Bear"] == {"parts": 4.0}
    assert "manifest.json" in origin
    ours, origin = attributes_of(tmp_path / "ours", names)
    assert "toys that these photos show" in origin
    assert set(ours["Owl"]) == {"shape_complexity", "color_contrast"}
    mad, origin = attributes_of(tmp_path / "mad", [f"01{name}" for name in names])
    assert "as published" in origin
    assert mad["01Owl"] == {"shape_complexity": 46.23, "color_contrast": 74.59}
    assert ours["Owl"]["shape_complexity"] != pytest.approx(46.23, abs=0.01)


def test_no_two_methods_look_alike_in_a_plot() -> None:
    style = bench_plots.Style([str(i) for i in range(40)])
    assert len({(style(str(i))["color"], style(str(i))["marker"]) for i in range(40)}) == 40


def test_p_values_have_two_digits() -> None:
    assert [p_text(p) for p in (0.00012, 0.0123, 1.0)] == ["< 0.001", "0.012", "1"]
