"""Whether false-alarm rates are kept, and how near the poses are: python benchmarks/promises.py RUN [--data DATA].

RUN is the folder of a ``paad bench run`` of methods that give p-values. A good photo is an alarm at a rate if its
p-value is at most that rate; each object's alarms stand beside the exact 95 % interval of their share, and then how
many defective photos are found at these rates, of all, those without a verdict counted as missed. With the DATA
that was inspected also the poses: median error and the share below half a degree, over all photos, those without a
pose counted as missed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import paad
from paad.bench.store import read_rows
from paad.geometry.se3 import rotation_error_deg
from paad.metrics.calibration import false_alarms

RATES = (0.01, 0.02, 0.05, 0.10)
NEAR_DEG = 0.5


def alarms_at(queries: list[dict[str, Any]], rate: float) -> tuple[int, int]:
    """Alarms among the good photos with a verdict, and how many those are."""
    p_values = [q["p_value"] for q in queries if q["label"] == "good" and q["p_value"] is not None]
    return sum(p <= rate for p in p_values), len(p_values)


def found_at(queries: list[dict[str, Any]]) -> np.ndarray:
    """Defective photos that are alarms at each rate, and how many there are."""
    p = [np.nan if q["p_value"] is None else q["p_value"] for q in queries if q["label"] != "good"]
    return np.array([*((np.array(p) <= rate).sum() for rate in RATES), len(p)])


def pose_errors(queries: list[dict[str, Any]], folder: Path) -> list[float]:
    """Degrees of each photo whose pose is known; 180 where none was found."""
    truth = paad.open_object(folder).test_poses
    return [
        180.0 if q["cam_from_world"] is None else rotation_error_deg(np.array(q["cam_from_world"]), truth[q["name"]])
        for q in queries
        if q["name"] in truth
    ]


def line(name: str, counts: list[tuple[int, int]], found: np.ndarray, errors: list[float]) -> str:
    """One row of the table: alarms / photos, and what the exact interval says of the promise."""
    cells = []
    for rate, (alarms, photos) in zip(RATES, counts, strict=True):
        told = false_alarms(alarms, photos, rate)
        if told is None:
            cells.append("-")
            continue
        low, high = (100.0 * v for v in told["interval_95"])  # type: ignore[union-attr]
        cells.append(f"{alarms}/{photos} ({low:.1f} to {high:.1f} %){'' if told['kept'] else ' broken'}")
    cells.append(f"{' '.join(map(str, found[:-1]))} of {found[-1]}")
    if errors:
        cells += [f"{np.median(errors):.3f}", f"{100.0 * np.mean(np.array(errors) < NEAR_DEG):.1f} % of {len(errors)}"]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="folders of the objects, for the poses")
    parser.add_argument("--method", default="paad")
    args = parser.parse_args()
    titles = [f"alarms at {100 * rate:.0f} %" for rate in RATES]
    titles.append("defects found at these")
    titles += ["rotation, median, degrees", f"under {NEAR_DEG} degrees"] if args.data else []
    print("| object | " + " | ".join(titles) + " |\n|---|" + "---:|" * len(titles))
    total, errors = np.zeros((len(RATES), 2), int), list[float]()
    all_found = np.zeros(len(RATES) + 1, int)
    for row in read_rows(args.run):
        if row["status"] != "ok" or row["method"] != args.method:
            continue
        lines = (args.run / "predictions" / row["predictions"] / "queries.jsonl").read_text().splitlines()
        queries = [json.loads(text) for text in lines]
        counts = [alarms_at(queries, rate) for rate in RATES]
        folders = [data / row["object"] for data in args.data if (data / row["object"]).is_dir()]
        own = pose_errors(queries, folders[0]) if folders else []
        found = found_at(queries)
        print(line(row["key"], counts, found, own))
        total, all_found, errors = total + np.array(counts), all_found + found, errors + own
    print(line("all", [(int(a), int(n)) for a, n in total], all_found, errors))


if __name__ == "__main__":
    main()
