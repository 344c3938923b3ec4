"""Plots of a run as SVG text: ROC and PRO curves, accuracy against time, sparse views, attributes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paad.report.bench_figures import METRICS, Row, Table, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#666666", "#A5AA3A", "#11A579",
    "#80360B", "#3969AC",
)  # fmt: skip
_MARKERS = "os^DvP*Xhp<"  # one fewer than the colours: no two of 132 methods have both in common
_BY_KEY = {metric.key: metric for metric in METRICS}


class Style:
    """A colour and a marker for each method, the same in every plot of a report."""

    def __init__(self, methods: Sequence[str]) -> None:
        self._place = {method: i for i, method in enumerate(methods)}

    def __call__(self, method: str) -> dict[str, Any]:
        """Keyword arguments for matplotlib."""
        i = self._place[method]
        return {"color": _COLOURS[i % len(_COLOURS)], "marker": _MARKERS[i % len(_MARKERS)], "label": method}

    def line(self, method: str) -> dict[str, Any]:
        """The same without a marker; a second round of colours is dashed."""
        dashes = "--" if self._place[method] >= len(_COLOURS) else "-"
        return {"color": self(method)["color"], "label": method, "linestyle": dashes}


def _svg(width: float, height: float, n: int, draw: Any) -> str:
    """SVG text of ``n`` plots side by side; ``draw`` gets the list of axes."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "paad", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, n, squeeze=False)[0]
        for one in axes:
            one.ticklabel_format(useOffset=False)
            one.grid(alpha=0.25)
            one.spines[["top", "right"]].set_visible(False)
        draw(axes)
        handles, labels = _legend_entries(axes)
        if handles:
            figure.legend(handles, labels, loc="outside right upper", fontsize=8, frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def _mean_curve(rows: Sequence[Row], x: str, y: str, grid: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The mean over rows of the curve (x, y), each interpolated at ``grid``; None without any."""
    curves = [row["curves"] for row in rows if row["status"] == "ok" and row["curves"].get(y)]
    if not curves:
        return None
    values = []
    for curve in curves:
        rate = np.asarray(curve[x])
        last = np.append(rate[1:] > rate[:-1], True)  # the upper end of each vertical step
        values.append(np.interp(grid, rate[last], np.asarray(curve[y])[last]))
    mean: NDArray[np.float64] = np.mean(values, axis=0)
    return mean


def curves(rows: Sequence[Row], methods: Sequence[str], style: Style) -> str:
    """Image ROC, pixel ROC (logarithmic) and PRO up to 0.3: means over the objects and seeds of each method."""
    panels = (
        ("image_fpr", "image_tpr", np.linspace(0.0, 1.0, 201), "Image ROC", "true positive rate"),
        ("fpr", "tpr", np.geomspace(1e-5, 1.0, 201), "Pixel ROC", "true positive rate"),
        ("fpr", "pro", np.linspace(0.0, 0.3, 201), "PRO", "per-region overlap"),
    )

    def draw(axes: Sequence[Axes]) -> None:
        for one, (x, y, grid, title, label) in zip(axes, panels, strict=True):
            for method in methods:
                mean = _mean_curve([row for row in rows if row["method"] == method], x, y, grid)
                if mean is not None:
                    one.plot(grid, mean, **style.line(method))
            one.set(title=title, xlabel="false positive rate", ylabel=label, ylim=(0.0, 1.02))
            if title == "Pixel ROC":
                one.set_xscale("log")

    return _svg(11.0, 3.4, 3, draw)


def accuracy_against_time(rows: Sequence[Row], views: float, methods: Sequence[str], style: Style) -> str:
    """Image and pixel AUROC over the seconds an image takes, one mark a method (means over its own objects)."""
    seconds = table_of(rows, _BY_KEY["seconds"], views)

    def draw(axes: Sequence[Axes]) -> None:
        for one, key in zip(axes, ("image_auroc", "pixel_auroc"), strict=True):
            table = table_of(rows, _BY_KEY[key], views)
            for method in methods:
                x, y = (t.means[method].own if method in t.means else None for t in (seconds, table))
                if x is not None and y is not None:
                    one.scatter([x], [y], s=50, **style(method))
            one.set(xlabel="seconds an image (decoded photo to map)", ylabel=f"{table.metric.title} (%)", xscale="log")
            _widen(one)

    return _svg(11.0, 3.4, 2, draw)


def _widen(axes: Axes) -> None:
    """At least two decades in x and two percent in y, so that axes have plain labels and noise does not fill them."""
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, high / 30.0) / 1.5, max(high, low * 30.0) * 1.5)
    low, high = axes.get_ylim()
    room = max(0.0, 2.0 - (high - low)) / 2.0 + 0.1 * (high - low)
    axes.set_ylim(low - room, high + room)


def sparse_views(rows: Sequence[Row], splits: Sequence[float], methods: Sequence[str], style: Style) -> str:
    """Image and pixel AUROC over the number of training views (means over each method's own objects)."""

    def draw(axes: Sequence[Axes]) -> None:
        for one, key in zip(axes, ("image_auroc", "pixel_auroc"), strict=True):
            tables = {views: table_of(rows, _BY_KEY[key], views) for views in splits}
            for method in methods:
                points = sorted(
                    (_mean_views(rows, views, method), mean.own)
                    for views, table in tables.items()
                    if (mean := table.means.get(method)) is not None and mean.own is not None
                )
                if points:
                    one.plot(*zip(*points, strict=True), **style(method))
            one.set(xlabel="training views", ylabel=f"{_BY_KEY[key].title} (%)", xscale="log")
            counts = sorted({int(x) for line in one.get_lines() for x in np.asarray(line.get_xdata())})
            one.set_xticks(counts, [str(n) for n in counts])
            one.minorticks_off()

    return _svg(11.0, 3.4, 2, draw)


def _mean_views(rows: Sequence[Row], views: float, method: str) -> float:
    counts = [r["n_views"] for r in rows if r["status"] == "ok" and r["views"] == views and r["method"] == method]
    return float(np.mean(counts))


def attributes(table: Table, values: dict[str, dict[str, float]], style: Style) -> str:
    """The table's metric over each attribute of the objects, with a fitted line for each method."""
    names = list(dict.fromkeys(name for known in values.values() for name in known))

    def draw(axes: Sequence[Axes]) -> None:
        for one, name in zip(axes, names, strict=True):
            for method in table.methods:
                points = sorted(
                    (values[o][name], v)
                    for o in table.objects
                    if o in values and (v := table.cells[o, method].value) is not None
                )
                if len(points) >= 3:
                    x, y = np.array(points).T
                    one.scatter(x, y, s=14, alpha=0.45, color=style(method)["color"], marker=style(method)["marker"])
                    if np.ptp(x) > 0:
                        one.plot(x, np.polyval(np.polyfit(x, y, 1), x), **style.line(method))
            one.set(xlabel=name.replace("_", " "), ylabel=f"{table.metric.title} (%)")

    return _svg(11.0, 3.4, len(names), draw)


def _legend_entries(axes: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """One entry a method, from whichever of the plots shows it."""
    entries: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return list(entries.values()), list(entries)
