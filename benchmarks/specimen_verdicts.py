"""Verdicts on specimens: python benchmarks/specimen_verdicts.py OBJECT_DIR ... [--models DIR] [--photos 3].

Groups the test photos of each damaged specimen (manifest.json says which) and as many random groups of good photos, and
prints the AUROC (percent) of three specimen scores: the largest image score, the mean of the image scores' logarithms,
and the evidence on the surface (`judge_specimen`); its hits and false alarms at a promised 5 percent; and how far the
place that it names is from the damage, in pixels: the share of specimens whose place lies within 5 pixels of the mask
in each photo that shows it. Models are fitted where DIR has none.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import paad
from paad.data.manifest import read_manifest
from paad.metrics.image import auroc
from paad.types import Prediction

GOOD_GROUPS = 40
RATE = 0.05
NEAR_PX = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("objects", nargs="+", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--photos", type=int, default=3, help="good photos in a group, and most of a damaged specimen")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = args.models or Path(tempfile.mkdtemp())
    models.mkdir(parents=True, exist_ok=True)
    rows = [_object(path, models, args.photos, args.seed) for path in args.objects]
    if len(rows) > 1:
        print(f"mean: {_line(np.nanmean(np.array(rows), axis=0))}")


def _object(path: Path, models: Path, photos: int, seed: int) -> list[float]:
    thing = paad.open_object(path)
    file = models / f"{path.name}.paad"
    if not file.exists():
        paad.create("paad").fit(thing.train).save(file)
    detector = paad.load(file)
    specimens = read_manifest(path).specimens
    damaged, good, masks = defaultdict(list), [], {}
    for query in thing.test:
        image = query.load_image()
        prediction = detector.predict(image)
        if not query.is_defect:
            good.append(prediction)
            continue
        damaged[specimens[query.name]].append(prediction)
        masks[id(prediction)] = query.load_mask(image.shape[:2])
    rng = np.random.default_rng(seed)
    groups = [[good[i] for i in rng.permutation(len(good))[:photos]] for _ in range(GOOD_GROUPS)]
    groups += [members[:photos] for members in damaged.values()]
    labels = np.arange(len(groups)) >= GOOD_GROUPS
    verdicts = [detector.judge_specimen(group, RATE) for group in groups]
    alarm = np.array([v.status == "defect" for v in verdicts])
    largest = np.array([max(p.score for p in group) for group in groups])
    mean = np.array([np.mean([np.log(p.score) for p in group]) for group in groups])
    evidence = np.array([v.score for v in verdicts])
    near = [
        _near(detector, v.place, p, masks[id(p)])
        for v, group in zip(verdicts[GOOD_GROUPS:], groups[GOOD_GROUPS:], strict=True)
        if v.status == "defect"
        for p in group
    ]
    figures = [100.0 * auroc(s, labels) for s in (largest, mean, evidence)]
    figures += [100.0 * alarm[labels].mean(), 100.0 * alarm[~labels].mean(), 100.0 * float(np.mean(near or [np.nan]))]
    print(f"{path.name}: {len(damaged)} damaged specimens of up to {photos} photos: {_line(figures)}", flush=True)
    return figures


def _line(f: list[float] | np.ndarray) -> str:
    return (
        f"AUROC of largest score {f[0]:.1f}, mean logarithm {f[1]:.1f}, evidence {f[2]:.1f}; at 5 %: hits {f[3]:.0f}, "
        f"false alarms {f[4]:.0f} %; place within {NEAR_PX} px of the mask {f[5]:.0f} %"
    )


def _near(detector: Any, place: np.ndarray, prediction: Prediction, mask: np.ndarray) -> bool:
    height, width = mask.shape
    camera = detector.field.camera.resized(width, height)
    pixels, _ = camera.project(place[None], prediction.cam_from_world)
    x, y = np.clip(np.rint(pixels[0] - 0.5).astype(int), 0, [width - 1, height - 1])
    return bool(cv2.distanceTransform((mask < 0.5).astype(np.uint8), cv2.DIST_L2, 5)[y, x] <= NEAR_PX)


if __name__ == "__main__":
    main()
