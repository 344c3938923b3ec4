"""The figures of a report: counts, verdicts against known answers, the plot of scores, and how numbers are printed."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from paad.report.items import Item

ORDER = {"defect": 0, "unknown": 1, "error": 2, "ok": 3}
"""The order in which a page shows the verdicts."""

METRIC_ROWS = (
    ("image", "auroc", "image AUROC", "chance that a defective photo scores above a good one"),
    ("image", "ap", "image AP", "average precision over photos"),
    ("image", "f1_max", "image F1, best", "best balance of found and falsely flagged photos over all thresholds"),
    (
        "image",
        "tpr_at_fpr_2",
        "found at 2 % false alarms",
        "share of defective photos found while 2 % of good ones are flagged",
    ),
    ("pixel", "auroc", "pixel AUROC", "chance that a defective pixel scores above a good one"),
    ("pixel", "ap", "pixel AP", "average precision over pixels"),
    ("pixel", "f1_max", "pixel F1, best", "best overlap of marked and defective pixels over all thresholds"),
    ("pixel", "aupro_30", "AUPRO at 0.3", "how well each defect region is covered, up to 30 % false pixels"),
    ("pixel", "aupro_5", "AUPRO at 0.05", "the same, up to 5 % false pixels"),
    ("pixel", "aupimo", "AUPIMO", "recall of each photo's defect at nearly no false pixels on good photos"),
)
"""Block and key in the record of ``paad evaluate --json``, the name and the explanation shown on the page."""


def suspicion(item: Item) -> tuple[int, float, str]:
    """Sort key: defects first, then what was not judged, then good photos, each by falling score."""
    score = item.record.get("score")
    return (ORDER[item.status], -score if isinstance(score, float) and math.isfinite(score) else math.inf, item.name)


def counts(items: Sequence[Item]) -> dict[str, int]:
    """How many photos there are, and how many of each status."""
    found = Counter(item.status for item in items)
    return {"photos": len(items), **{status: found.get(status, 0) for status in ORDER}}


def answers(items: Sequence[Item]) -> dict[str, int] | None:
    """How the verdicts stand against the known answers; None where no answer is known."""
    known = [i for i in items if i.label is not None]
    if not known:
        return None
    good = [i for i in known if i.label == "good"]
    bad = [i for i in known if i.label != "good"]
    return {
        "good": len(good),
        "false_alarms": sum(i.status == "defect" for i in good),
        "good_unjudged": sum(i.status in ("unknown", "error") for i in good),
        "bad": len(bad),
        "found": sum(i.status == "defect" for i in bad),
        "bad_unjudged": sum(i.status in ("unknown", "error") for i in bad),
    }


def score_plot(items: Sequence[Item]) -> dict[str, Any] | None:
    """Dots of the scores on one axis (100 to 980), the threshold, and the row each dot stands in."""
    dots = [(float(i.record["score"]), i) for i in items if _finite(i.record.get("score"))]
    if len(dots) < 2:
        return None
    limits = [float(i.record["threshold"]) for i in items if _finite(i.record.get("threshold"))]
    values = [score for score, _ in dots] + limits[:1]
    low, high = min(values), max(values)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 + 880 * (value - low) / span, 1)

    rows = ["good", "defective"] if any(i.label is not None for _, i in dots) else ["all photos"]
    return {
        "rows": rows,
        "dots": [
            (place(score), 0 if len(rows) == 1 or i.label in ("good", None) else 1, i.status, i.name, score)
            for score, i in dots
        ],
        "threshold": place(limits[0]) if limits else None,
        "low": low,
        "high": high,
    }


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _number(value: Any, digits: int = 4) -> str:
    """A number to ``digits`` significant digits; a dash for None and nan."""
    return f"{value:.{digits}g}" if _finite(value) else "–"


def _percent(value: Any) -> str:
    """A share in [0, 1] as percent; a dash for None and nan."""
    return f"{100 * value:.{2 if value < 1 else 0}f} %" if _finite(value) else "–"


def _seconds(value: Any) -> str:
    return f"{value:.2f} s" if _finite(value) else "–"


def _pretty(value: Any) -> str:
    """Indented JSON in which short lists stay on one line."""
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        return "[" + ",\n ".join(json.dumps(row) for row in value) + "]"
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


FILTERS = {"number": _number, "percent": _percent, "seconds": _seconds, "pretty": _pretty}
"""How templates print values."""
