"""The report: honest means, marks, ranks and tests; published tables both ways; whole from a partial grid."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from paad.bench import published
from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid
from paad.bench.runner import run_grid
from paad.cli.main import main
from paad.errors import DataError
from paad.report import bench_figures as figures
from paad.report import bench_text
from paad.report.bench_report import write_bench_report

IMAGE_AUROC = figures.METRICS[0]


def _row(name: str, method: str, value: float | None, seed: int = 0, status: str = "ok") -> dict[str, Any]:
    return {"object": name, "method": method, "seed": seed, "views": 1.0, "status": status, "image": {"auroc": value}}


def _table(rows: list[dict[str, Any]]) -> figures.Table:
    return figures.table_of(rows, IMAGE_AUROC, 1.0)


def test_means_are_over_the_objects_that_all_methods_share() -> None:
    rows = [_row("x", "a", 0.9), _row("y", "a", 0.1), _row("x", "b", 0.8), _row("y", "b", None, status="timeout")]
    table = _table(rows)
    assert table.common == ("x",)
    assert table.means["a"].value == pytest.approx(90.0)  # not 50: b has no figure for y
    assert table.means["a"].own == pytest.approx(50.0)
    assert table.cells["y", "b"].note == "timeout"
    assert (table.marks["x", "a"], table.marks["x", "b"]) == ("best", "second")
    assert ("y", "a") not in table.marks  # alone is not best


def test_a_method_without_any_figure_does_not_empty_the_others_means() -> None:
    table = _table([_row("x", "a", 0.9), _row("x", "b", None, status="skipped")])
    assert table.means["a"].value == pytest.approx(90.0)
    assert table.means["b"].value is None


def test_equal_as_shown_shares_the_mark_and_less_can_be_better() -> None:
    table = _table([_row("x", "a", 0.90001), _row("x", "b", 0.90002), _row("x", "c", 0.7)])
    assert [table.marks["x", m] for m in "abc"] == ["best", "best", "second"]
    seconds = next(m for m in figures.METRICS if m.key == "seconds")
    rows = [{**_row("x", m, None), "seconds": {"per_image": s}} for m, s in (("slow", 9.0), ("fast", 1.0))]
    assert figures.table_of(rows, seconds, 1.0).marks["x", "fast"] == "best"


def test_interval_over_seeds_is_students() -> None:
    rows = [
        _row(o, "a", v, seed=s)
        for s, pair in enumerate([(0.9, 0.8), (0.94, 0.8), (0.88, 0.78)])
        for o, v in zip("xy", pair)
    ]
    means = np.array([85.0, 87.0, 83.0])
    low, high = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert _table(rows).means["a"].interval == pytest.approx((low, high))
    assert _table(rows[:2]).means["a"].interval is None
    incomplete = [*rows, _row("x", "a", 0.1, seed=7)]  # a seed without y says nothing about the mean of both
    assert _table(incomplete).means["a"].interval == pytest.approx((low, high))


def test_ranks_and_paired_tests_over_objects() -> None:
    rng = np.random.default_rng(0)
    base = rng.uniform(0.6, 0.9, 12)
    rows = [_row(f"o{i}", "good", v) for i, v in enumerate(base)]
    rows += [_row(f"o{i}", "worse", v - 0.03 - 0.001 * i) for i, v in enumerate(base)]
    rows += [_row(f"o{i}", "alike", v + 0.01 * (-1) ** i) for i, v in enumerate(base)]
    means = _table(rows).means
    assert means["worse"].rank == 3.0
    best = min(("good", "alike"), key=lambda m: means[m].rank or 9.0)
    assert means[best].p_value is None
    assert means["worse"].p_value is not None
    assert means["worse"].p_value < 0.01
    other = {"good": "alike", "alike": "good"}[best]
    assert means[other].p_value is not None
    assert means[other].p_value > 0.2
    assert figures.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_correlations_equal_scipy() -> None:
    attributes = {f"o{i}": {"size": float(i)} for i in range(6)}
    values = [0.5, 0.7, 0.6, 0.8, 0.75, 0.9]
    (found,) = figures.correlations(_table([_row(f"o{i}", "a", v) for i, v in enumerate(values)]), attributes)
    assert (found.n, found.pearson) == (6, pytest.approx(stats.pearsonr(range(6), values).statistic))
    assert found.spearman_p == pytest.approx(stats.spearmanr(range(6), values).pvalue)
    assert figures.correlations(_table([_row("o1", "a", 0.5)]), attributes) == []


def test_published_means_are_shown_both_ways() -> None:
    omnipose = published.mad_sim_mean("pixel_auroc", "omniposead")
    assert omnipose.published == 97.8
    assert omnipose.of_rows == pytest.approx(98.35, abs=0.01)
    assert omnipose.disagrees
    assert not published.mad_sim_mean("image_auroc", "omniposead").disagrees
    assert published.mad_sim_mean("image_auroc", "cutpaste").published is None
    assert len(published.mad_attributes()) == 20
    assert published.toy_name("13Phoenix") in published.mad_attributes()
    assert published.toy_name("01Gorilla") == "Gorilla"


def test_latex_and_markdown_mark_and_escape() -> None:
    table = _table([_row("01_Ball", "a&b", 0.9), _row("01_Ball", "c", 0.8)])
    latex = bench_text.latex([table], ["100 % note"])
    assert r"01\_Ball & \textbf{90.0} & \underline{80.0} \\" in latex
    assert r"a\&b" in latex
    assert "| 01_Ball | **90.0** | *80.0* |" in bench_text.markdown([table], [])


class _Page(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith(("data:", "#"))
        ]
        self.loads += [tag] if tag in ("script", "iframe", "link") else []


@pytest.fixture(scope="module")
def finished(data: Path, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two methods, two splits and two objects in which one method fails on everything."""
    run = tmp_path_factory.mktemp("run")
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(packages))
    grid = Grid(data, ("mean-image", "trouble"), views=(1.0, 4), options={"trouble": {"mode": "raise"}})
    run_grid(grid, run, LocalExecutor(2, Limits()))
    patch.undo()
    return run


def test_report_of_a_run(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "report", str(finished), "--out", str(tmp_path)]) == 0
    assert "report.html" in capsys.readouterr().err
    page = (tmp_path / "report.html").read_text()
    parser = _Page()
    parser.feed(page)
    assert parser.loads == []
    assert page.count("<svg") == 3  # curves, time, sparse views
    assert page.count("data:image/jpeg") > 10
    assert "not to my taste" in page
    assert "Not comparable" in page
    assert "8 of 8 jobs of the grid have ended: 4 ok, 4 failed" in re.sub(r"\s+", " ", page)
    with (tmp_path / "rows.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 8
    with (tmp_path / "tables.csv").open() as file:
        cells = [c for c in csv.DictReader(file) if c["metric"] == "image_auroc" and c["object"] == "mean"]
    assert {c["method"]: c["value"] != "" for c in cells} == {"mean-image": True, "trouble": False}


def test_a_partial_grid_says_so(finished: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    (part / "run.json").write_text((finished / "run.json").read_text())
    lines = (finished / "rows.jsonl").read_text().splitlines(keepends=True)
    (part / "rows.jsonl").write_text(
        "".join(line for line in lines if '"mean-image/' in line or "/mean-image/" in line)[:]
    )
    page = write_bench_report(part, tmp_path / "out", data=Path("/nowhere"))[0].read_text()
    assert "4 of 8 jobs" in page
    assert "NOT complete: 8 jobs, 4 done" in page
    assert "not known yet for trouble" in page  # no job of it has finished, so nobody knows how long it takes
    assert "/nowhere" in page  # the photos are gone, and the report says so instead of failing
    (part / "rows.jsonl").write_text("")
    with pytest.raises(DataError, match="no job has ended yet"):
        write_bench_report(part, tmp_path / "out")


def test_command_line_runs_estimates_and_refuses(
    data: Path, installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["bench", "run", "--data", str(data), "--out", str(tmp_path), "--methods", "mean-image"]
    assert main([*base, "--dry-run"]) == 0
    assert "not known yet for mean-image" in capsys.readouterr().out
    assert main([*base, "--objects", "01Ball", "--views", "1.0", "0.5", "--options", "mean-image.floor=0.1"]) == 0
    assert "2 jobs, 2 run now: 2 ok" in capsys.readouterr().err
    assert main([*base, "--objects", "01Ball", "--options", "mean-image.floor=0.2"]) == 2
    assert "floor" in capsys.readouterr().err
    assert main([*base, "--score-again"]) == 0
    trouble = ["--methods", "trouble", "--options", "trouble.mode=raise", "--objects", "01Ball"]  # VALUE a plain word
    assert main([*base[:-2], "--out", str(tmp_path / "words"), *trouble]) == 1
    assert "not to my taste" in capsys.readouterr().err
    for wrong in (["--options", "floor=1"], ["--workers", "0"], ["--address", "1.2.3.4:5"], ["--views", "0"]):
        assert main([*base, *wrong]) == 2
    assert main([*base, "--options", "mean-image.nonsense=1", "--rerun-changed"]) == 1  # the rows say what failed
