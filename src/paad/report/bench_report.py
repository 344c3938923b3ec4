"""``paad bench report``: report.html (self-contained), CSV, Markdown and LaTeX of a run, finished or not."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paad._version import __version__
from paad.bench import published
from paad.bench.store import read_rows
from paad.bench.views import split_name
from paad.data.files import write_text
from paad.data.listing import natural_key
from paad.detectors import methods as known_methods
from paad.errors import DataError
from paad.report import bench_figures, bench_overview, bench_plots, bench_text
from paad.report.bench_attributes import attributes_of
from paad.report.bench_figures import METRICS, Row, Table, table_of
from paad.report.bench_paired import MEAN, RESAMPLES, Comparison, Difference, differences_csv
from paad.report.bench_pictures import Gallery

_MAIN = ("image_auroc", "pixel_auroc", "aupro_30", "aupimo")


@dataclass(frozen=True)
class PublishedTable:
    """A published table of MAD-Sim beside this run's figures of the toys of the same names."""

    title: str
    methods: tuple[str, ...]
    ours: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    disagreeing: tuple[str, ...]


def write_bench_report(
    run: Path, out: Path, data: Path | None = None, mad_sim: bool = False, resamples: int = RESAMPLES
) -> list[Path]:
    """Write all reports of ``run`` into the folder ``out``; returns the files, report.html first.

    Args:
        data: the data's root, if it was moved since the run; photos are read from it.
        mad_sim: the data is MAD-Sim as downloaded, so that published figures are of the same photos.
        resamples: bootstraps of the photos for the differences between two methods.

    Raises:
        DataError: ``run`` is not a run, or has no row yet.
        PaadError: ``out`` cannot be written.
    """
    asked = _asked(run)
    rows = _in_order(read_rows(run), asked)
    if not rows:
        raise DataError(f"{run}: no job has ended yet; start 'paad bench run' with --out {run} first")
    tables = [t for v in bench_figures.splits_of(rows) for m in METRICS if _has_values(t := table_of(rows, m, v))]
    notes = bench_overview.notes(rows, asked)
    root = data or Path(asked.get("data", "."))
    first = bench_figures.splits_of(rows)[0]
    comparison = Comparison(run, root, [row for row in rows if row["views"] == first], resamples)
    differences = comparison.differences()
    summary = bench_overview.overview(rows, first)
    page = _page(run, root, rows, tables, notes, mad_sim, summary, differences, comparison)
    return [
        write_text(out / "report.html", page),
        write_text(out / "rows.csv", bench_text.rows_csv(rows)),
        write_text(out / "tables.csv", bench_text.tables_csv(tables)),
        write_text(out / "differences.csv", differences_csv(differences)),
        write_text(out / "tables.md", bench_text.markdown(tables, notes, summary)),
        write_text(out / "tables.tex", bench_text.latex(tables, notes, summary)),
    ]


def _asked(run: Path) -> dict[str, Any]:
    """What the run was asked for last; empty if its ``run.json`` is gone."""
    try:
        asked: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        return asked
    except (OSError, ValueError):
        return {}


def _in_order(rows: Sequence[Row], asked: dict[str, Any]) -> list[Row]:
    """Rows by object, method, seed and split as the grid names them, whatever order the jobs ended in."""
    methods = {name: i for i, name in enumerate(asked.get("methods", ()))}
    return sorted(
        rows,
        key=lambda r: (natural_key(r["object"]), methods.get(r["method"], len(methods)), r["method"], r["seed"]),
    )


def _has_values(table: Table) -> bool:
    return any(cell.value is not None for cell in table.cells.values())


def _page(
    run: Path,
    root: Path,
    rows: Sequence[Row],
    tables: Sequence[Table],
    notes: Sequence[str],
    mad_sim: bool,
    summary: bench_overview.Overview | None,
    differences: Sequence[Difference],
    comparison: Comparison,
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("paad.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    splits = bench_figures.splits_of(rows)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    at_main = [row for row in rows if row["views"] == splits[0]]
    style = bench_plots.Style(methods)
    gallery = Gallery(run, root, at_main)
    attributes, origin = attributes_of(root, list(dict.fromkeys(row["object"] for row in rows)))
    image_table = table_of(rows, METRICS[0], splits[0])
    correlations = bench_figures.correlations(image_table, attributes)
    return environment.get_template("bench.html.j2").render(
        title=f"Benchmark {run.resolve().name}",
        notes=notes,
        overview=summary,
        resamples=comparison.n,
        differences=[(_metric(d.figure), d) for d in differences if d.object == MEAN],
        about=bench_overview.method_lines(rows, methods, known_methods()),
        origin=origin,
        p_text=bench_figures.p_text,
        main=[(bench_figures.caption(t), t, bench_text.body(t)) for t in tables if _is_main(t, splits[0])],
        more=[(bench_figures.caption(t), t, bench_text.body(t)) for t in tables if not _is_main(t, splits[0])],
        split=split_name(splits[0]),
        curves=bench_plots.curves(at_main, methods, style) if any(r["status"] == "ok" for r in at_main) else "",
        time=bench_plots.accuracy_against_time(rows, splits[0], methods, style),
        sparse=bench_plots.sparse_views(rows, splits, methods, style) if len(splits) > 1 else "",
        attributes=bench_plots.attributes(image_table, attributes, style) if correlations else "",
        correlations=correlations,
        grid=gallery.grid(image_table.objects, methods),
        methods=methods,
        worst=gallery.worst(methods),
        missing=list(dict.fromkeys([*gallery.missing, *comparison.missing])),
        troubles=bench_overview.troubles(rows),
        published=[_published_table(m, rows, splits[0]) for m in ("image_auroc", "pixel_auroc")],
        later=published.later_means(),
        mad_sim=mad_sim,
        made=dt.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
    )


def _metric(key: str) -> bench_figures.Metric:
    return next(m for m in METRICS if m.key == key)


def _is_main(table: Table, views: float) -> bool:
    return table.views == views and table.metric.key in _MAIN


def _published_table(key: str, rows: Sequence[Row], views: float) -> PublishedTable:
    """Published cells, then this run's of the toys of the same names; the published mean and that of the rows."""
    metric = _metric(key)
    table = table_of(rows, metric, views)
    known = published.mad_sim(key)
    methods = tuple(m for m in known if known[m])
    toys = published.mad_attributes()
    by_toy = {toy: o for o in table.objects if (toy := published.toy_name(o)) in toys}
    ours = tuple(m for m in table.methods if any((o, m) in table.cells for o in by_toy.values()))
    lines = []
    for toy in toys:
        cells = [metric.text(known[m].get(toy)) for m in methods]
        mine = [table.cells[by_toy[toy], m].value if toy in by_toy else None for m in ours]
        lines.append((toy, (*cells, *(metric.text(v) for v in mine))))
    means = {m: published.mad_sim_mean(key, m) for m in methods}
    blank = tuple("" for _ in ours)
    lines.append(("Mean as published", (*(metric.text(means[m].published) for m in methods), *blank)))
    lines.append(("Mean of the rows above", (*(metric.text(means[m].of_rows) for m in methods), *blank)))
    disagreeing = tuple(m for m in methods if means[m].disagrees)
    return PublishedTable(metric.title, methods, ours, tuple(lines), disagreeing)
