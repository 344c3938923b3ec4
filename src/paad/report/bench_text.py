"""Tables of a run as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from paad.bench.views import split_name
from paad.report.bench_figures import METRICS, Mean, Row, Table, caption

_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "°": r"$^\circ$", "–": "--", "±": r"$\pm$"}


def rows_csv(rows: Sequence[Row]) -> str:
    """One line a job, one column a metric (fractions as percent), with how the job ended."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ("object", "method", "seed", "views", "status", "n_views", "n_good", "n_defect")
    writer.writerow([*head, *(m.key for m in METRICS), "message", "settings_hash"])
    for row in rows:
        values = ["" if (v := m.of(row)) is None else f"{v:.6g}" for m in METRICS]
        known = [row.get(name, "") for name in head]
        writer.writerow([*known, *values, row["message"], row["settings_hash"]])
    return out.getvalue()


def tables_csv(tables: Sequence[Table]) -> str:
    """One line a cell: metric, split, object ("mean" for the mean over the common objects), method, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["metric", "views", "object", "method", "value", "n_seeds", "low_95", "high_95", "rank", "note"])
    for table in tables:
        for name in table.objects:
            for method in table.methods:
                cell = table.cells[name, method]
                value = "" if cell.value is None else f"{cell.value:.6g}"
                where = (table.metric.key, split_name(table.views), name, method)
                writer.writerow([*where, value, cell.n_seeds, "", "", "", cell.note])
        for method, mean in table.means.items():
            low, high = mean.interval or ("", "")
            value = "" if mean.value is None else f"{mean.value:.6g}"
            note = f"over {len(table.common)} common objects"
            where = (table.metric.key, split_name(table.views), "mean", method)
            writer.writerow([*where, value, "", low, high, "" if mean.rank is None else mean.rank, note])
    return out.getvalue()


def mean_text(table: Table, mean: Mean) -> str:
    """The mean with half its interval: "93.2 ± 0.4"."""
    text = table.metric.text(mean.value)
    if mean.interval is None:
        return text
    return f"{text} ± {table.metric.text(0.5 * (mean.interval[1] - mean.interval[0]))}"


def body(table: Table) -> list[tuple[str, list[tuple[str, str]]]]:
    """Lines of a table: name, and for each method its text and its mark ("best", "second" or "")."""
    lines = []
    for name in table.objects:
        cells = [(table.cells[name, m], table.marks.get((name, m), "")) for m in table.methods]
        lines.append((name, [(table.metric.text(c.value) if c.value is not None else c.note, k) for c, k in cells]))
    means = [(mean_text(table, table.means[m]), table.marks.get(("", m), "")) for m in table.methods]
    lines.append((f"Mean ({len(table.common)})", means))
    if any(table.means[m].rank is not None for m in table.methods):
        ranks = ["–" if (r := table.means[m].rank) is None else f"{r:.2f}" for m in table.methods]
        lines.append(("Mean rank", [(text, "") for text in ranks]))
    if any(table.means[m].p_value is not None for m in table.methods):
        p_values = ["–" if (p := table.means[m].p_value) is None else f"{p:.3g}" for m in table.methods]
        lines.append(("p against the best", [(text, "") for text in p_values]))
    return lines


def markdown(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """All tables; the best is bold, the second in italics."""
    marked = {"best": "**{}**", "second": "*{}*", "": "{}"}
    parts = ["# Benchmark\n", *(f"- {note}" for note in notes)]
    for table in tables:
        lines = [f"\n## {caption(table)}\n", "| object | " + " | ".join(table.methods) + " |"]
        lines.append("|---|" + "---:|" * len(table.methods))
        for name, cells in body(table):
            lines.append(f"| {name} | " + " | ".join(marked[mark].format(text) for text, mark in cells) + " |")
        parts.append("\n".join(lines))
    return "\n".join(parts) + "\n"


def latex(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """All tables for the package booktabs; the best is bold, the second underlined."""
    marked = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}", "": "{}"}
    parts = ["% needs \\usepackage{booktabs}", *(f"% {note}" for note in notes)]
    for table in tables:
        head = " & ".join(["object", *(_escaped(m) for m in table.methods)])
        lines = [
            r"\begin{table}",
            rf"\caption{{{_escaped(caption(table))}.}}",
            rf"\begin{{tabular}}{{l{'r' * len(table.methods)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
        ]
        for name, cells in body(table):
            if name.startswith("Mean ("):
                lines.append(r"\midrule")
            texts = [marked[mark].format(_escaped(text)) for text, mark in cells]
            lines.append(" & ".join([_escaped(name), *texts]) + r" \\")
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
