"""One Markdown table of the methods that find a pose: python benchmarks/framework_table.py RUN [--common].

RUN is the folder of a ``paad bench run``. Accuracy in percent, pose, and seconds by stage, each method's means over the
objects it ran on (their number stands beside it); ``--common``: only over the objects that all methods ran on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from paad.bench.store import read_rows

_COLUMNS: tuple[tuple[str, tuple[str, ...], float, int], ...] = (
    ("image AUROC", ("image", "auroc"), 100.0, 1),
    ("specimen AUROC", ("specimen_auroc",), 100.0, 1),
    ("pixel AUROC", ("pixel", "auroc"), 100.0, 1),
    ("pixel AP", ("pixel", "ap"), 100.0, 1),
    ("AUPRO@0.3", ("pixel", "aupro_30"), 100.0, 1),
    ("rotation, median, degrees", ("pose", "rot_deg_median"), 1.0, 2),
    ("under 1° and 1 %", ("pose", "success_1deg_1pct"), 100.0, 0),
    ("fit, s", ("seconds", "fit"), 1.0, 0),
    ("coarse", ("seconds", "stages", "coarse"), 1.0, 2),
    ("fine", ("seconds", "stages", "fine"), 1.0, 2),
    ("pose", ("seconds", "stages", "pose"), 1.0, 2),
    ("render", ("seconds", "stages", "render"), 1.0, 2),
    ("score", ("seconds", "stages", "score"), 1.0, 2),
    ("s a photo", ("seconds", "per_image"), 1.0, 2),
    ("MB", ("peak_rss_mb",), 1.0, 0),
)
"""Title, where it stands in a row, factor, decimals. ``pose`` is coarse and fine together."""


def value_of(row: dict[str, Any], keys: tuple[str, ...]) -> float:
    """The number under ``keys``, nan where there is none."""
    found: Any = row
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return float("nan") if found is None else float(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--common", action="store_true", help="only the objects that all methods ran on")
    args = parser.parse_args()
    rows = [row for row in read_rows(args.run) if row["status"] == "ok"]
    names = list(dict.fromkeys(row["method"] for row in rows))
    seen = {name: {row["object"] for row in rows if row["method"] == name} for name in names}
    if args.common:
        common = set.intersection(*seen.values())
        rows = [row for row in rows if row["object"] in common]
        print(f"Objects: {', '.join(sorted(common))}\n")
    print("| method | objects | " + " | ".join(title for title, *_ in _COLUMNS) + " |")
    print("|---|---:|" + "---:|" * len(_COLUMNS))
    for name in names:
        mine = [row for row in rows if row["method"] == name]
        cells = [f"{len({row['object'] for row in mine})}"]
        for _, keys, factor, decimals in _COLUMNS:
            mean = factor * float(np.mean([value_of(row, keys) for row in mine]))
            cells.append("–" if np.isnan(mean) else f"{mean:.{decimals}f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
