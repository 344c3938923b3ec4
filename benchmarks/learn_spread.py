"""How widely scores of good views spread, object by object: python benchmarks/learn_spread.py OUT OBJECT_DIR ...
[--spread USUAL STRAY]

Each object is fitted and its test photos are inspected; OUT keeps one JSON file an object (scores of the views that
calibrated, of good photos, of defective ones), and what lies there already is not made again. Printed are each object's
deviation of log scores, and what the law of ``paad.compare.calibration`` makes of them: alarms among the good photos
and defects found at promised rates; for all objects together also what the law makes of them that knows only the
sample's own deviation. ``--spread`` tries other numbers. The law's two (usual deviation, and how far objects stray from
it) are printed last, of objects with at least six such views; random assemblies only were used for them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import optimize, special, stats

import paad
from paad.compare.calibration import OF_PHOTOS, Calibration, Spread

RATES = (0.01, 0.02, 0.05, 0.10)
KINDS = ("calibrating", "good", "defective")
ENOUGH = 6


def scores_of(folder: Path) -> dict[str, list[float]]:
    """Scores of views kept aside and of test photos, those without a verdict left out."""
    data = paad.open_object(folder)
    detector = paad.create("paad").fit(data.train)
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    found["calibrating"] = list(detector.learned.calibration.scores)
    for photo in data.test:
        answer = detector.predict(photo.load_image())
        if answer.status != "unknown":
            found["good" if photo.label == "good" else "defective"].append(answer.score)
    return found


def kept(out: Path, folder: Path) -> dict[str, list[float]]:
    """:func:`scores_of` a folder, made now or before."""
    file = out / f"{folder.parent.parent.name}_{folder.name}.json"
    if not file.exists():
        text = json.dumps(scores_of(folder))
        partial = file.with_suffix(".part")
        partial.write_text(text)
        partial.replace(file)
    found: dict[str, list[float]] = json.loads(file.read_text())
    return found


def population(deviations: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Usual deviation of log scores and the spread of its logarithm between objects, by likelihood, where each
    object's sample deviation strays as that of a Gumbel law does."""
    rng = np.random.default_rng(0)
    noise = {}
    for n in np.unique(counts):
        draws = np.log(rng.gumbel(size=(20000, n)).std(axis=1, ddof=1) / (np.pi / np.sqrt(6.0)))
        noise[int(n)] = draws

    def unlikely(x: np.ndarray) -> float:
        total = 0.0
        for s, n in zip(deviations, counts, strict=True):
            total -= float(special.logsumexp(stats.norm.logpdf(np.log(s), x[0] + noise[int(n)], np.exp(x[1]))))
        return total

    best = optimize.minimize(unlikely, [np.log(np.median(deviations)), np.log(0.3)], method="Nelder-Mead").x
    return float(np.exp(best[0])), float(np.exp(best[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("objects", type=Path, nargs="+")
    parser.add_argument("--spread", type=float, nargs=2, help="(default: that of paad.compare.calibration)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    laws = {"this law": Spread(*args.spread) if args.spread else OF_PHOTOS, "the sample's own": None}
    print("| object | views | deviation | good | alarms at 1, 2, 5, 10 % | defective | found |")
    print("|---|---:|---:|---:|---|---:|---|")
    deviations = []
    totals = {(law, kind): np.zeros(len(RATES) + 1, int) for law in laws for kind in KINDS[1:]}
    for folder in args.objects:
        found = kept(args.out, folder)
        logs = np.log(np.maximum(found["calibrating"], 1e-12))
        deviation = float(logs.std(ddof=1)) if len(logs) > 1 else np.nan
        if len(logs) >= ENOUGH:
            deviations.append((deviation, len(logs)))
        for (law, kind), total in totals.items():
            total += counted(Calibration(tuple(found["calibrating"]), laws[law]), found[kind])
        own = [counted(Calibration(tuple(found["calibrating"]), laws["this law"]), found[kind]) for kind in KINDS[1:]]
        cells = [f"{counts[-1]} | {' '.join(map(str, counts[:-1]))}" for counts in own]
        print(f"| {folder.name} | {len(logs)} | {deviation:.2f} | {' | '.join(cells)} |", flush=True)
    for (law, kind), total in totals.items():
        shares = ", ".join(f"{100 * v:.1f} %" for v in total[:-1] / max(1, total[-1]))
        print(f"{law}: {kind}: {shares} of {total[-1]} at 1, 2, 5, 10 %")
    if len(deviations) > 2:
        usual, stray = population(*(np.array(v) for v in zip(*deviations, strict=True)))
        print(f"usual deviation {usual:.3f}, logarithms of deviations stray by {stray:.2f}")


def counted(calibration: Calibration, scores: list[float]) -> np.ndarray:
    """How many scores have a p-value of at most each rate, and how many there are."""
    p = np.array([calibration.p_value(score) for score in scores])
    return np.array([*((p <= rate).sum() for rate in RATES), len(p)])


if __name__ == "__main__":
    main()
