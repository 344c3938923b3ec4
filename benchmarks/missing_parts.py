"""Whether photos of an object without a large part are found: python benchmarks/missing_parts.py OBJECT_DIR [MODEL].

Training views that the model was not fitted to get a hole: an ellipse of a random place, size and turn that takes a
share of the object's pixels is painted over with the background. Prints how many of them are found within half a degree
and within 5 degrees, how many have a verdict and which, and the seconds of a photo. Without MODEL the object is fitted
first; MODEL must have been fitted to the same folder with ``--no-use-all-views``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np

import paad
from paad.detectors.paad import Paad
from paad.fields.build import split_views
from paad.geometry.se3 import rotation_error_deg
from paad.types import PosedView


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--share", type=float, nargs=2, default=[0.12, 0.3], help="of the object that is missing")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    views = list(paad.open_object(args.object).train)
    detector = (
        paad.create("paad", device="cpu", use_all_views=False).fit(views)
        if args.model is None
        else paad.load(args.model, device="cpu")
    )
    assert isinstance(detector, Paad)
    aside = [views[i] for i in split_views(len(views), detector.config.hold_out).held_out]
    rng = np.random.default_rng(args.seed)
    errors, seconds, said = list[float](), list[float](), Counter[str]()
    for k in range(args.photos):
        view = aside[k % len(aside)]
        photo = with_hole(view, rng, args.share)
        began = time.perf_counter()
        result = detector.predict(photo)
        seconds.append(time.perf_counter() - began)
        said[result.status or "none"] += 1
        if result.cam_from_world is not None:
            errors.append(rotation_error_deg(result.cam_from_world, view.cam_from_world))
    found = np.array(errors)
    print(
        json.dumps(
            {
                "object": args.object.name,
                "photos": args.photos,
                "missing": args.share,
                "verdicts": dict(said),
                "under 0.5 degrees": int((found < 0.5).sum()),
                "under 5 degrees": int((found < 5.0).sum()),
                "seconds, median": round(float(np.median(seconds)), 2),
            }
        )
    )


def with_hole(view: PosedView, rng: np.random.Generator, share: list[float]) -> np.ndarray:
    """The view's picture, RGB uint8 [H, W, 3], without about so much of the object.

    Raises:
        ValueError: the view has no mask.
    """
    if view.mask is None:
        raise ValueError("the training views need masks, or a plain background that tells them")
    picture, solid = view.image.copy(), view.mask > 0.5
    rows, columns = np.nonzero(solid)
    size = max(int(np.ptp(rows)), int(np.ptp(columns)))
    y, x = np.mgrid[: solid.shape[0], : solid.shape[1]]
    for _ in range(100):
        at = int(rng.integers(len(rows)))
        radius, aspect, turn = size * rng.uniform(0.1, 0.4), rng.uniform(0.5, 1.0), rng.uniform(0.0, np.pi)
        along = np.cos(turn) * (x - columns[at]) + np.sin(turn) * (y - rows[at])
        across = np.cos(turn) * (y - rows[at]) - np.sin(turn) * (x - columns[at])
        hole = (along / radius) ** 2 + (across / (radius * aspect)) ** 2 < 1.0
        if share[0] < (hole & solid).sum() / solid.sum() < share[1]:
            break
    picture[hole] = np.median(picture[view.mask < 0.02], axis=0).astype(np.uint8)
    return picture


if __name__ == "__main__":
    main()
