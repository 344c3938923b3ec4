"""Detectors on generated textures in a fixed pose with planted defects, where each must do what its paper promises.

    python benchmarks/detector_sanity.py [--methods fastflow ...] [--kinds disc tiles weave grain] [--side 160]
        [--train 60] [--good 24] [--defect 24] [--seed 1] [--threads 1] [--options fastflow.epochs=12 ...]

One line a method and texture: image AUROC (and by defect), pixel AUROC, seconds of processor time of the fit and of a
prediction. Options are those of a method, the value as Python or a plain word. Methods that need poses are left out.
"""

from __future__ import annotations

import argparse
import ast
import sys
import time
from typing import Any, get_args

import numpy as np
import torch

import paad
from paad.detectors import methods
from paad.metrics.image import auroc
from paad.metrics.pixel import PixelEvaluator
from paad.synth.textures import TextureKind, TextureSet, texture_set


def judged(name: str, data: TextureSet, options: dict[str, Any]) -> str:
    """Fit one method on one texture, predict its test photos; the figures as a line."""
    begin = time.process_time()
    detector = paad.create(name, device="cpu", **options).fit(data.views())
    fitted = time.process_time()
    results = [detector.predict(image) for image in data.images]
    predicted = (time.process_time() - fitted) / len(results)
    labels = np.array(data.labels)
    scores = np.array([result.score for result in results])
    pixels = PixelEvaluator()
    for result, mask, label in zip(results, data.masks, data.labels, strict=True):
        pixels.update(result.map, mask, is_good=label == "good")
    parts = []
    for defect in sorted(set(data.labels) - {"good"}):
        chosen = (labels == "good") | (labels == defect)
        parts.append(f"{defect} {_percent(auroc(scores[chosen], labels[chosen] == defect))}")
    return (
        f"image {_percent(auroc(scores, labels != 'good'))} ({', '.join(parts)})  "
        f"pixel {_percent(pixels.compute().block()['auroc'])}  fit {fitted - begin:.1f} s  predict {predicted:.3f} s"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:.1f}"


def _options(name: str, given: list[str]) -> dict[str, Any]:
    """The options of one method from "method.key=value" items."""
    found = {}
    for item in given:
        key, _, text = item.partition("=")
        method, _, field = key.partition(".")
        if method == name:
            try:
                found[field] = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                found[field] = text
    return found


def main() -> int:
    """Parse, run, print."""
    plain = [name for name, method in methods().items() if not method.needs_poses]
    kinds = list(get_args(TextureKind))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=plain, metavar="NAME")
    parser.add_argument("--kinds", nargs="+", default=kinds, choices=kinds)
    for name, value in {"side": 160, "train": 60, "good": 24, "defect": 24, "seed": 1, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--options", nargs="+", default=[], metavar="METHOD.KEY=VALUE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f"side {args.side}, {args.train} training photos, {args.good} good, {args.defect} defective, seed {args.seed}"
    )
    for kind in args.kinds:
        data = texture_set(kind, args.side, args.train, args.good, args.defect, args.seed)
        for name in args.methods:
            print(f"{kind:6} {name:12} {judged(name, data, _options(name, args.options))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
