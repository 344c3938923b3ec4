"""Rows of a run into tables: means over seeds and objects, intervals, ranks, paired tests. Plain numbers, no layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from paad.bench.views import split_name

Row = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """One figure of a row: where it stands, what it is called, and whether more is better.

    ``unit`` is "%" (a fraction in the row, shown times 100), "deg", "s", "MB" or "".
    """

    key: str
    title: str
    path: tuple[str, ...]
    unit: str = "%"
    more_is_better: bool = True

    def of(self, row: Row) -> float | None:
        """The figure in the unit it is shown in; None where the row has none."""
        value: Any = row
        for name in self.path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            return None
        return float(value) * {"%": 100.0, "MB": 1e-6 if self.key == "model" else 1.0}.get(self.unit, 1.0)

    def text(self, value: float | None) -> str:
        """How the figure is shown."""
        if value is None:
            return "–"
        return f"{value:.1f}" if self.unit == "%" else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


METRICS = (
    Metric("image_auroc", "Image AUROC", ("image", "auroc")),
    Metric("pixel_auroc", "Pixel AUROC", ("pixel", "auroc")),
    Metric("aupro_30", "AUPRO@0.3", ("pixel", "aupro_30")),
    Metric("aupro_5", "AUPRO@0.05", ("pixel", "aupro_5")),
    Metric("aupimo", "AUPIMO", ("pixel", "aupimo")),
    Metric("specimen", "Specimen AUROC", ("specimen_auroc",)),
    Metric("image_ap", "Image AP", ("image", "ap")),
    Metric("image_f1", "Image F1-max", ("image", "f1_max")),
    Metric("image_tpr2", "TPR at 2 % FPR", ("image", "tpr_at_fpr_2")),
    Metric("pixel_ap", "Pixel AP", ("pixel", "ap")),
    Metric("pixel_f1", "Pixel F1-max", ("pixel", "f1_max")),
    Metric("legacy_image", "Image AUROC, legacy 224 px", ("legacy_224", "image_auroc")),
    Metric("legacy_pixel", "Pixel AUROC, legacy 224 px", ("legacy_224", "pixel_auroc")),
    Metric("rotation", "Rotation error, median", ("pose", "rot_deg_median"), "deg", False),
    Metric("pose_auc5", "Pose AUC at 5°", ("pose", "auc_5deg")),
    Metric("false_alarms", "False alarms on good photos", ("calibration", "rate"), "%", False),
    Metric("seconds", "Time an image", ("seconds", "per_image"), "s", False),
    Metric("fit", "Time to fit", ("seconds", "fit"), "s", False),
    Metric("memory", "Peak memory", ("peak_rss_mb",), "MB", False),
    Metric("model", "Model size", ("model_bytes",), "MB", False),
)


@dataclass(frozen=True)
class Cell:
    """The mean over seeds, or why there is none ("failed", "skipped", ..., "not run", "undefined")."""

    value: float | None
    n_seeds: int = 0
    note: str = ""


@dataclass(frozen=True)
class Mean:
    """A method's mean over the common objects, with its 95 % interval over seeds (None with a single seed)."""

    value: float | None
    interval: tuple[float, float] | None = None
    rank: float | None = None
    p_value: float | None = None
    """Paired test over objects against the method with the best mean rank, adjusted by Holm; None for that one."""
    own: float | None = None
    n_own: int = 0


@dataclass(frozen=True)
class Table:
    """Objects x methods of one metric at one split. ``common``: objects of which every shown method has a figure."""

    metric: Metric
    views: float
    objects: tuple[str, ...]
    methods: tuple[str, ...]
    cells: dict[tuple[str, str], Cell]
    means: dict[str, Mean]
    common: tuple[str, ...]
    marks: dict[tuple[str, str], str] = field(default_factory=dict)
    """ "best" or "second" by (object, method); the object of the mean is ""."""


def table_of(rows: Sequence[Row], metric: Metric, views: float) -> Table:
    """The table of ``metric`` at the split ``views`` over all rows of a run."""
    chosen = [row for row in rows if row["views"] == views]
    objects = tuple(dict.fromkeys(row["object"] for row in chosen))
    methods = tuple(dict.fromkeys(row["method"] for row in chosen))
    cells = {(o, m): _cell(chosen, metric, o, m) for o in objects for m in methods}
    shown = [m for m in methods if any(cells[o, m].value is not None for o in objects)]
    common = tuple(o for o in objects if shown and all(cells[o, m].value is not None for m in shown))
    ranks = _mean_ranks(metric, cells, common, shown)
    tests = _paired_tests(cells, common, ranks)
    means = {}
    for m in methods:
        own = [v for o in objects if (v := cells[o, m].value) is not None]
        inside = [v for o in common if (v := cells[o, m].value) is not None]
        means[m] = Mean(
            float(np.mean(inside)) if m in shown and common else None,
            _seed_interval(chosen, metric, common, m),
            ranks.get(m),
            tests.get(m),
            float(np.mean(own)) if own else None,
            len(own),
        )
    return Table(metric, views, objects, methods, cells, means, common, _marks(metric, objects, methods, cells, means))


def _cell(rows: Sequence[Row], metric: Metric, name: str, method: str) -> Cell:
    mine = [row for row in rows if row["object"] == name and row["method"] == method]
    values = [v for row in mine if row["status"] == "ok" and (v := metric.of(row)) is not None]
    if values:
        missing = len(mine) - len(values)
        return Cell(float(np.mean(values)), len(values), f"{missing} of {len(mine)} seeds have none" if missing else "")
    if not mine:
        return Cell(None, note="not run")
    status = next((row["status"] for row in mine if row["status"] != "ok"), "undefined")
    return Cell(None, note=status.replace("_", " "))


def _seed_interval(
    rows: Sequence[Row], metric: Metric, common: Sequence[str], method: str
) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean over ``common``, from one mean for each seed that has all of them."""
    by_seed: dict[int, dict[str, float]] = {}
    for row in rows:
        value = metric.of(row) if row["status"] == "ok" else None
        if row["method"] == method and row["object"] in common and value is not None:
            by_seed.setdefault(row["seed"], {})[row["object"]] = value
    means = [np.mean(list(values.values())) for values in by_seed.values() if len(values) == len(common)]
    if len(means) < 2:
        return None
    half = float(stats.t.ppf(0.975, len(means) - 1) * np.std(means, ddof=1) / np.sqrt(len(means)))
    return float(np.mean(means)) - half, float(np.mean(means)) + half


def _column(cells: dict[tuple[str, str], Cell], common: Sequence[str], method: str) -> list[float]:
    return [v for o in common if (v := cells[o, method].value) is not None]


def _mean_ranks(
    metric: Metric, cells: dict[tuple[str, str], Cell], common: Sequence[str], methods: Sequence[str]
) -> dict[str, float]:
    """Mean rank over the common objects, 1 is best, ties share; empty with fewer than two methods."""
    if len(methods) < 2 or not common:
        return {}
    values = np.array([_column(cells, common, m) for m in methods])
    ranks = stats.rankdata(-values if metric.more_is_better else values, axis=0)
    return dict(zip(methods, ranks.mean(axis=1).tolist(), strict=True))


def _paired_tests(
    cells: dict[tuple[str, str], Cell], common: Sequence[str], ranks: dict[str, float]
) -> dict[str, float]:
    """Wilcoxon's signed-rank test over objects against the best-ranked method, two-sided, adjusted by Holm (1979)."""
    if len(common) < 3 or not ranks:
        return {}
    best = min(ranks, key=lambda m: ranks[m])
    raw = {}
    for method in ranks:
        difference = np.subtract(_column(cells, common, best), _column(cells, common, method))
        if method != best:
            raw[method] = float(stats.wilcoxon(difference).pvalue) if np.any(difference != 0.0) else 1.0
    return holm(raw)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """p-values adjusted for their number by Holm's step-down rule."""
    adjusted, largest = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - i) * p))
        adjusted[name] = largest
    return adjusted


def _marks(
    metric: Metric,
    objects: Sequence[str],
    methods: Sequence[str],
    cells: dict[tuple[str, str], Cell],
    means: dict[str, Mean],
) -> dict[tuple[str, str], str]:
    """Best and second best of each object and of the means, as shown: equal texts share a mark."""
    marks = {}
    for name in (*objects, ""):
        values = {m: means[m].value if name == "" else cells[name, m].value for m in methods}
        known = {m: float(metric.text(v)) for m, v in values.items() if v is not None}
        levels = sorted(set(known.values()), reverse=metric.more_is_better)[:2]
        if len(known) > 1:
            for m, value in known.items():
                if value in levels:
                    marks[name, m] = ("best", "second")[levels.index(value)]
    return marks


@dataclass(frozen=True)
class Correlation:
    """How an attribute of the objects goes with a method's figure, over ``n`` objects."""

    method: str
    attribute: str
    n: int
    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float


def correlations(table: Table, attributes: dict[str, dict[str, float]]) -> list[Correlation]:
    """Pearson's and Spearman's correlation of each attribute with each method; needs three objects that differ."""
    found = []
    for method in table.methods:
        for name in dict.fromkeys(name for values in attributes.values() for name in values):
            pairs = [
                (attributes[o][name], v)
                for o in table.objects
                if name in attributes.get(o, {}) and (v := table.cells[o, method].value) is not None
            ]
            if len(pairs) < 3 or any(len(set(column)) < 2 for column in zip(*pairs, strict=True)):
                continue
            x, y = np.array(pairs).T
            linear, monotone = stats.pearsonr(x, y), stats.spearmanr(x, y)
            found.append(
                Correlation(
                    method,
                    name,
                    len(pairs),
                    float(linear.statistic),
                    float(linear.pvalue),
                    float(monotone.statistic),
                    float(monotone.pvalue),
                )
            )
    return found


def splits_of(rows: Sequence[Row]) -> list[float]:
    """The splits in the rows: shares from all views down, then numbers of views from many to few."""
    return sorted({row["views"] for row in rows}, key=lambda v: (v > 1.0, -v))


def caption(table: Table) -> str:
    """One line that names the metric, its unit, the split and what the mean covers."""
    unit = f" ({table.metric.unit})" if table.metric.unit else ""
    better = "higher is better" if table.metric.more_is_better else "lower is better"
    n = f"{len(table.common)} of {len(table.objects)} objects"
    return f"{table.metric.title}{unit}, {split_name(table.views)} of the training views; {better}; mean over {n}"


def mean_text(table: Table, mean: Mean) -> str:
    """The mean with half its interval: "93.2 ± 0.4"."""
    text = table.metric.text(mean.value)
    if mean.interval is None:
        return text
    return f"{text} ± {table.metric.text(0.5 * (mean.interval[1] - mean.interval[0]))}"


def p_text(p_value: float) -> str:
    """Two digits are all that a p-value is good for."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.2g}"
