"""Fit the weights that tell kinds of defects apart: python benchmarks/train_kinds.py DATA... --out kinds.safetensors.

DATA are files of ``comparator_data.py``. Regions are found with the comparator that ships, at the threshold that the
held-out good views set for one alarm in twenty; the largest peak of each defective photo counts if it lies on the
defect. Prints the share that is right when each file's object is left out in turn, of each file too, and what is taken
for what.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from train_comparator import load

from paad.compare.comparator import comparator_channels, trained_comparator
from paad.compare.kinds import KINDS, Scene, measures, plain_kind, standings
from paad.compare.regions import regions_of
from paad.data.files import whole_file

FOLDERS = {"Burrs": "burr", "Missing": "missing", "Stains": "stain"}
BACKGROUND = 1.0
LIKE_BACKGROUND = 0.06


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strength", type=float, default=10.0, help="inverse strength of the penalty (default: 10)")
    args = parser.parse_args()
    rows = [(number, *row) for number, file in enumerate(args.data) for row in detected(file)]
    group, kind = np.array([r[0] for r in rows]), np.array([KINDS.index(r[1]) for r in rows])
    values = np.stack([r[2] for r in rows])
    guess = np.zeros(len(rows), int)
    for left_out in np.unique(group):
        trained = fitted(values[group != left_out], kind[group != left_out], args.strength)
        far = standings(values[group == left_out], trained["mean"], trained["scale"])
        guess[group == left_out] = (far @ trained["weight"].T + trained["bias"]).argmax(axis=1)
    for i, row in enumerate(values):
        plain = plain_kind(row)
        guess[i] = guess[i] if plain is None else KINDS.index(plain)
    share = 100.0 * (guess == kind).mean()
    print(f"{len(rows)} detected defects, {share:.1f} % of kinds right, each object left out in turn")
    for number, file in enumerate(args.data):
        print(f"  {file.stem}: {int((guess == kind)[group == number].sum())} of {int((group == number).sum())}")
    for true in range(len(KINDS)):
        found = ", ".join(f"{KINDS[g]} {int(((kind == true) & (guess == g)).sum())}" for g in range(len(KINDS)))
        print(f"  {KINDS[true]}: {found}")
    with whole_file(args.out) as temporary:
        save_file(fitted(values, kind, args.strength), str(temporary))


def detected(file: Path) -> list[tuple[str, np.ndarray]]:
    """Kind and measures of the most anomalous region of each defective photo where a defect was found."""
    pairs = load(file)
    maps = [
        trained_comparator().logits(comparator_channels(p.query, p.reference, p.alpha, p.expected, p.residuals, p.unit))
        for p in pairs
    ]
    peaks = np.array([m.max() for m, p in zip(maps, pairs, strict=True) if p.label == 0])
    threshold = float(np.exp((np.quantile(peaks, 0.95) - np.median(peaks)) / 2.0))
    out = []
    for logits, pair in zip(maps, pairs, strict=True):
        anomaly = np.exp((logits - np.median(peaks)) / 2.0).astype(np.float32)
        regions = regions_of(anomaly, threshold)
        if pair.label == 2 and regions and (regions[0] & pair.mask).any():
            ground = np.abs(pair.query - BACKGROUND).max(axis=2) < LIKE_BACKGROUND
            scene = Scene(pair.query, pair.reference, pair.alpha, ground, anomaly)
            out.append((FOLDERS[pair.kind], measures(scene, regions[0])))
    return out


def fitted(values: np.ndarray, kind: np.ndarray, strength: float) -> dict[str, np.ndarray]:
    """Weights [3, F] and biases [3] for standings, and what those are measured by."""
    mean, scale = values.mean(axis=0), values.std(axis=0).clip(1e-6)
    model = LogisticRegression(C=strength, max_iter=5000).fit(standings(values, mean, scale), kind)
    return {"weight": np.ascontiguousarray(model.coef_), "bias": model.intercept_, "mean": mean, "scale": scale}


if __name__ == "__main__":
    main()
