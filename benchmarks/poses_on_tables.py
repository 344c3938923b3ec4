"""Poses on tables, and what tells right ones: python benchmarks/poses_on_tables.py MODEL OBJECT [--strangers OTHER].

The test photos of an object folder with true poses (every ``--each``-th) are searched for with a fitted model, whatever
the verdict would be: how many are within 1 and 5 degrees, how much of the object is explained, how well colours and
edges agree (the least and the largest among right and wrong poses), and seconds a photo. With ``--strangers`` the same
of other objects' photos, of which none should agree. The constants in ``paad.pose.estimate`` and
``paad.detectors.paad_find`` lie between such figures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import paad
from paad.detectors.base import float_image
from paad.detectors.paad import Paad
from paad.errors import PoseError
from paad.geometry.se3 import rotation_error_deg

_RIGHT_DEG = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("object", type=Path)
    parser.add_argument("--strangers", type=Path, nargs="*", default=[], help="folders of other objects")
    parser.add_argument("--each", type=int, default=1, help="take every so-manieth photo (default: 1)")
    args = parser.parse_args()
    detector = paad.load(args.model)
    assert isinstance(detector, Paad)
    print(json.dumps({"object": args.object.name, **own(detector, args.object, args.each)}), flush=True)
    for folder in args.strangers:
        found = [shown(detector, query.load_image()) for query in paad.open_object(folder).test[:: args.each]]
        print(json.dumps({"stranger": folder.name, **spread(found)}), flush=True)


def own(detector: Paad, folder: Path, each: int) -> dict[str, Any]:
    """Figures of the object's own photos."""
    data = paad.open_object(folder)
    right, wrong, errors = [], [], []
    for query in data.test[::each]:
        found = shown(detector, query.load_image())
        error = 180.0 if found is None else rotation_error_deg(found["pose"], data.test_poses[query.name])
        errors.append(error)
        (right if error < _RIGHT_DEG else wrong).append(found)
    return {
        "photos": len(errors),
        "under 1 degree": sum(e < 1.0 for e in errors),
        "under 5 degrees": len(right),
        "median degrees": round(float(np.median(errors)), 3),
        "right": spread(right),
        "wrong": spread(wrong),
    }


def shown(detector: Paad, image: np.ndarray) -> dict[str, Any] | None:
    """What a search finds in a photo; None where it finds nothing."""
    began = time.perf_counter()
    try:
        found = detector.find(*float_image(image))
    except PoseError:
        return None
    return {
        "pose": found.compared.cam_from_world,
        "explained": found.explained,
        "agreement": found.agreement,
        "seconds": time.perf_counter() - began,
    }


def spread(found: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    """Least, middle and largest of each figure, over those that were found."""
    there = [f for f in found if f is not None]
    out: dict[str, Any] = {"found": f"{len(there)} of {len(found)}"}
    for name in ("explained", "agreement", "seconds") if there else ():
        values = [f[name] for f in there]
        out[name] = np.round(np.quantile(values, [0.0, 0.5, 1.0]), 2).tolist()
    return out


if __name__ == "__main__":
    main()
