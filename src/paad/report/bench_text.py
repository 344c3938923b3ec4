"""Tables of a run as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from paad.bench.views import split_name
from paad.report.bench_figures import METRICS, Row, Table, caption, mean_text, p_text
from paad.report.bench_overview import Overview

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "°": r"$^\circ$",
    "–": "--",
    "±": r"$\pm$",
}


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
        p_values = ["–" if (p := table.means[m].p_value) is None else p_text(p) for m in table.methods]
        lines.append(("p against the best", [(text, "") for text in p_values]))
    return lines


def overview_caption(summary: Overview) -> str:
    """What the overview's means cover."""
    return f"Means over the {summary.n_common} of {summary.n_objects} objects that every method has figures of"


def markdown(tables: Sequence[Table], notes: Sequence[str], summary: Overview | None = None) -> str:
    """The overview and all tables; the best is bold, the second in italics."""
    marked = {"best": "**{}**", "second": "*{}*", "": "{}"}
    parts = ["# Benchmark\n", *(f"- {note}" for note in notes)]
    if summary is not None:
        titles = [f"{m.title} ({m.unit})" if m.unit else m.title for m in summary.metrics]
        lines = [f"\n## {overview_caption(summary)}\n", "| method | " + " | ".join(titles) + " |"]
        lines.append("|---|" + "---:|" * len(titles))
        for name, _, means in summary.lines:
            lines.append(f"| {name} | " + " | ".join(marked[mark].format(text) for text, mark in means) + " |")
        parts.append("\n".join(lines))
    for table in tables:
        lines = [f"\n## {caption(table)}\n", "| object | " + " | ".join(table.methods) + " |"]
        lines.append("|---|" + "---:|" * len(table.methods))
        for name, cells in body(table):
            lines.append(f"| {name} | " + " | ".join(marked[mark].format(text) for text, mark in cells) + " |")
        parts.append("\n".join(lines))
    return "\n".join(parts) + "\n"


def latex(tables: Sequence[Table], notes: Sequence[str], summary: Overview | None = None) -> str:
    """The overview and all tables for booktabs and graphicx; the best is bold, the second underlined."""
    parts = [r"% needs \usepackage{booktabs} and \usepackage{graphicx}", *(f"% {note}" for note in notes)]
    if summary is not None:
        titles = [f"{m.title} ({m.unit})" if m.unit else m.title for m in summary.metrics]
        overview = [(name, list(cells)) for name, _, cells in summary.lines]
        parts.append(_latex_table(overview_caption(summary), ["method", *titles], overview))
    parts += [_latex_table(caption(t), ["object", *t.methods], body(t)) for t in tables]
    return "\n\n".join(parts) + "\n"


def _latex_table(title: str, head: Sequence[str], lines: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """One table, shrunk to the line where it is wider."""
    marked = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}", "": "{}"}
    text = [
        r"\begin{table}",
        rf"\caption{{{_escaped(title)}.}}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(_escaped(word) for word in head) + r" \\",
        r"\midrule",
    ]
    for name, cells in lines:
        if name.startswith("Mean ("):
            text.append(r"\midrule")
        texts = [marked[mark].format(_escaped(words)) for words, mark in cells]
        text.append(" & ".join([_escaped(name), *texts]) + r" \\")
    return "\n".join([*text, r"\bottomrule", r"\end{tabular}}", r"\end{table}"])


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
