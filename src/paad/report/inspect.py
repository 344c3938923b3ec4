"""The inspection report: one self-contained page; a summary for managers, the raw numbers for engineers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paad._version import __version__
from paad.data.files import write_text
from paad.report import pictures, summary
from paad.report.items import CLOSE_UPS, Item, Section

MAX_PICTURED = 150
"""Photos shown with pictures, the most suspicious first; all others stand in the table of numbers."""


def write_report(path: str | Path, sections: Sequence[Section], title: str = "Inspection report") -> Path:
    """Write the page, whole or not at all; returns its path.

    The page holds its pictures and styles, loads nothing and needs no script.

    Raises:
        PaadError: the file cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("paad.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(**summary.FILTERS)
    budget = MAX_PICTURED
    views = []
    for section in sections:
        view = _section_view(section, budget)
        budget -= len(view["cards"])
        views.append(view)
    page = environment.get_template("inspect.html.j2").render(
        title=title,
        sections=views,
        total=summary.counts([item for section in sections for item in section.items]),
        metric_rows=summary.METRIC_ROWS,
        close_ups=CLOSE_UPS,
        made=dt.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
    )
    # File names may hold bytes that are no text at all.
    return write_text(path, page.encode("utf-8", "backslashreplace").decode())


def _section_view(section: Section, budget: int) -> dict[str, Any]:
    """What the template shows of one section; at most ``budget`` photos get pictures."""
    ranked = sorted(section.items, key=summary.suspicion)
    scale = _shared_scale(ranked)
    return {
        "section": section,
        "counts": summary.counts(section.items),
        "cards": [(item, _heat(item, scale)) for item in ranked[:budget]],
        "ranked": ranked,
        "plot": summary.score_plot(ranked),
        "answers": summary.answers(section.items),
    }


def _shared_scale(items: Sequence[Item]) -> float:
    """The map value drawn as anomalous where a detector names none: one for all photos, so that they compare."""
    peaks = [float(item.map.max()) for item in items if item.map is not None]
    return 0.5 * max(peaks, default=1.0) or 1.0


def _heat(item: Item, scale: float) -> str:
    if item.map is None:
        return ""
    photo = pictures.from_data_uri(item.photo)
    return pictures.data_uri(pictures.heat_overlay(photo, item.map, item.map_scale or scale))
