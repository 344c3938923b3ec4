"""Kinds of the defects that are found: python benchmarks/kinds_found.py OBJECT_DIR ... [--models DIR].

Every defective test photo is inspected at ``paad``'s own rate. Where it is called a defect, the loudest region that
touches the mask is asked for its kind. Prints, for each object and for all of them: how many of the photos are called
defects, in how many of these a region touches the mask, of how many of those the kind is right, and what is taken for
what. Models are fitted where DIR has none.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import torch
from inspect_objects import fitted

import paad
from paad.compare.kinds import KINDS
from paad.types import Bool, Kind, Prediction

TRUE: dict[str, Kind] = {"Burrs": "burr", "Missing": "missing", "Stains": "stain"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("objects", nargs="+", type=Path)
    parser.add_argument("--models", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = args.models or Path(tempfile.mkdtemp())
    models.mkdir(parents=True, exist_ok=True)
    photos, called, pairs = 0, 0, Counter[tuple[Kind, Kind | None]]()
    for path in args.objects:
        folder = paad.open_object(path)
        detector, _ = fitted(folder, models, {})
        defective = [q for q in folder.test if q.label in TRUE]
        found = Counter[tuple[Kind, Kind | None]]()
        defects = 0
        for query in defective:
            image = query.load_image()
            prediction = detector.predict(image)
            if prediction.status == "defect":
                defects += 1
                found[TRUE[query.label], told(prediction, query.load_mask(image.shape[:2]))] += 1
        print(f"{path.name}: {line(len(defective), defects, found)}", flush=True)
        photos, called, pairs = photos + len(defective), called + defects, pairs + found
    print(f"all: {line(photos, called, pairs)}")
    for true in KINDS:
        print(f"  {true}: " + ", ".join(f"{kind} {pairs[true, kind]}" for kind in KINDS))


def told(prediction: Prediction, mask: Bool) -> Kind | None:
    """The kind of the loudest region whose box holds a part of the mask where the map reaches the threshold; None
    where none does."""
    assert prediction.threshold is not None
    marked = mask & (prediction.map >= prediction.threshold)
    for region in sorted(prediction.regions, key=lambda r: -r.peak):
        x0, y0, x1, y1 = region.bbox
        if marked[y0:y1, x0:x1].any():
            return region.kind
    return None


def line(photos: int, called: int, pairs: Counter[tuple[Kind, Kind | None]]) -> str:
    """One row of figures."""
    on_it = sum(n for (_, kind), n in pairs.items() if kind is not None)
    right = sum(n for (true, kind), n in pairs.items() if true == kind)
    share = 100.0 * right / on_it if on_it else float("nan")
    return f"{photos} photos, {called} called defects, {on_it} on the defect, {right} kinds right ({share:.1f} %)"


if __name__ == "__main__":
    main()
