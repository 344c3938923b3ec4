"""What a reader wants first: one line a method, what was run and with which settings, and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from paad.bench.estimate import estimate
from paad.bench.rows import Status
from paad.bench.views import split_of_name
from paad.detectors import Method
from paad.report.bench_figures import METRICS, Metric, Row, Table, mean_text, table_of

_OVERVIEW = (
    "image_auroc", "specimen", "pixel_auroc", "pixel_ap", "aupro_30", "aupimo", "seconds", "fit", "memory",
)  # fmt: skip


@dataclass(frozen=True)
class Overview:
    """Means of every method in the main figures, the best image AUROC first; marks as in a table.

    ``lines``: method, number of objects with a figure, and text and mark of each metric.
    """

    metrics: tuple[Metric, ...]
    lines: tuple[tuple[str, int, tuple[tuple[str, str], ...]], ...]
    n_common: int
    n_objects: int


def overview(rows: Sequence[Row], views: float) -> Overview | None:
    """The overview of the split ``views``; None where no method has any figure."""
    tables = {key: table_of(rows, next(m for m in METRICS if m.key == key), views) for key in _OVERVIEW}
    kept = [t for t in tables.values() if any(mean.value is not None for mean in t.means.values())]
    if not kept:
        return None
    first = kept[0]
    shown = [m for m in first.methods if any(t.means[m].own is not None for t in kept)]
    shown.sort(key=lambda m: -_or_lowest(first, m))
    lines = tuple(
        (m, first.means[m].n_own, tuple((mean_text(t, t.means[m]), t.marks.get(("", m), "")) for t in kept))
        for m in shown
    )
    return Overview(tuple(t.metric for t in kept), lines, len(first.common), len(first.objects))


def _or_lowest(table: Table, method: str) -> float:
    value = table.means[method].value
    return float("-inf") if value is None else value


@dataclass(frozen=True)
class MethodLine:
    """A method of the run: what it is, how its jobs ended, and its configurations as JSON (more than one: mixed)."""

    name: str
    paradigm: str
    year: str
    paper: str
    ended: str
    configurations: tuple[str, ...]


def method_lines(rows: Sequence[Row], names: Sequence[str], known: dict[str, Method]) -> list[MethodLine]:
    """One line for each method in ``names``."""
    lines = []
    for name in names:
        mine, method = [row for row in rows if row["method"] == name], known.get(name)
        configurations = tuple(dict.fromkeys(_configuration(row) for row in mine if row["status"] == "ok"))
        year = str(method.year) if method is not None and method.year else ""
        about = (method.paradigm, year, method.paper) if method is not None else ("not installed here", "", "")
        lines.append(MethodLine(name, *about, ended(mine), configurations))
    return lines


def _configuration(row: Row) -> str:
    """The resolved configuration without the seed, or the given options where the detector keeps none."""
    config = row.get("config") or row["settings"]["options"]
    return json.dumps({k: v for k, v in config.items() if k != "seed"}, sort_keys=True, indent=1)


def ended(rows: Sequence[Row]) -> str:
    """ "4 ok, 1 timeout": how jobs ended."""
    statuses = [row["status"] for row in rows]
    counts = {status: statuses.count(status) for status in get_args(Status) if status in statuses}
    return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items())


@dataclass(frozen=True)
class Trouble:
    """Jobs of one method that ended alike, or remarks that they left."""

    method: str
    status: str
    message: str
    jobs: tuple[str, ...]


def troubles(rows: Sequence[Row]) -> list[Trouble]:
    """Jobs that did not end well, or did with a remark, those of the same words together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["status"] != "ok" or row["message"]:
            words = row["message"].replace(row["object"], "…") if row["status"] != "ok" else row["message"]
            groups.setdefault((row["method"], row["status"].replace("_", " "), words), []).append(row["key"])
    return [Trouble(*key, tuple(jobs)) for key, jobs in groups.items()]


@dataclass(frozen=True)
class _Planned:
    key: str
    method: str
    views: float


def notes(rows: Sequence[Row], asked: dict[str, Any]) -> list[str]:
    """What a reader must know before comparing figures."""
    keys = list(dict.fromkeys([*asked.get("jobs", ()), *(row["key"] for row in rows)]))
    complete = len(rows) >= len(keys)
    lines = [f"{len(rows)} of {len(keys)} jobs of the grid have ended: {ended(rows)}."]
    if not complete:
        planned = [_Planned(key, key.split("/")[-3], split_of_name(key.split("/")[-1])) for key in keys]
        lines.append(f"The grid is NOT complete: {estimate(planned, rows, 1)}, one at a time.")
    lines += [
        "Means, ranks and tests are over the objects of which every method with any figure has one; "
        "intervals (±) are Student's 95 % over seeds, where there are several.",
        "p: Wilcoxon's signed-rank test over objects against the method with the best mean rank, adjusted by Holm.",
    ]
    mixed = [name for name in dict.fromkeys(row["method"] for row in rows) if _is_mixed(rows, name)]
    if mixed:
        lines.append(f"NOT one configuration in all rows of: {', '.join(mixed)}. See 'Methods'; run those again.")
    settings = [row["settings"] for row in rows]
    versions = sorted({f"paad {s['versions']['paad']}, protocol {s['protocol']}" for s in settings})
    machines = sorted({f"{r['machine']['platform']}, {r['machine']['cpus']} CPUs" for r in rows if "machine" in r})
    threads = " or ".join(str(n) for n in sorted({s["threads"] for s in settings}))
    where = f" on {'; '.join(machines)}" if machines else ""
    lines.append(f"{'; '.join(versions)}. Timed with {threads} thread{'' if threads == '1' else 's'}{where}.")
    return lines


def _is_mixed(rows: Sequence[Row], name: str) -> bool:
    return len({_configuration(row) for row in rows if row["method"] == name and row["status"] == "ok"}) > 1
