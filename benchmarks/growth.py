"""How time grows: the fit with views, pixels and Gaussians, an inspection with pixels and the number of models.

    python benchmarks/growth.py OBJECT_DIR [--out growth.svg] [--views 30 60 120] [--pixels 100 200 400]
        [--gaussians 7000 14000 28000] [--models 1 2 4]

One quantity changes at a time, the others stay as the object and the defaults have them. Prints seconds and the slope
of their logarithm over the quantity's (1: linear), and draws them. Inspections are medians over the test photos; with
several models each photo is judged by every model.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np

import paad
from paad.types import PosedView

PHOTOS = 8


def resized(view: PosedView, side: int) -> PosedView:
    """The view with a longer side of ``side`` pixels."""
    factor = side / max(view.camera.width, view.camera.height)
    camera = view.camera.scaled(factor)
    size = (camera.width, camera.height)
    mask = None if view.mask is None else cv2.resize(view.mask, size, interpolation=cv2.INTER_AREA)
    return replace(view, image=cv2.resize(view.image, size, interpolation=cv2.INTER_AREA), mask=mask, camera=camera)


def fitted(views: Sequence[PosedView], **options: Any) -> tuple[Any, float]:
    """A detector and the seconds that its fit took."""
    began = time.perf_counter()
    detector = paad.create("paad", device="cpu", **options).fit(views)
    return detector, time.perf_counter() - began


def inspected(detectors: Sequence[Any], photos: Sequence[np.ndarray]) -> float:
    """Median seconds of a photo, judged by every detector."""
    for detector in detectors:
        detector.predict(photos[0])
    seconds = []
    for photo in photos:
        began = time.perf_counter()
        for detector in detectors:
            detector.predict(photo)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def slope(numbers: Sequence[float], seconds: Sequence[float]) -> float:
    """Least-squares slope of log seconds over log numbers."""
    return float(np.polyfit(np.log(numbers), np.log(seconds), 1)[0])


def spread(views: Sequence[PosedView], count: int) -> list[PosedView]:
    """``count`` of the views, evenly along their order."""
    return [views[i] for i in np.linspace(0, len(views) - 1, count).round().astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("--out", type=Path, default=Path("growth.svg"))
    parser.add_argument("--views", type=int, nargs="*", default=[30, 60, 120])
    parser.add_argument("--pixels", type=int, nargs="*", default=[100, 200, 400])
    parser.add_argument("--gaussians", type=int, nargs="*", default=[7000, 14000, 28000])
    parser.add_argument("--models", type=int, nargs="*", default=[1, 2, 4])
    args = parser.parse_args()
    folder = paad.open_object(args.object)
    views = list(folder.train)
    photos = [q.load_image() for q in folder.test][:: max(1, len(folder.test) // PHOTOS)][:PHOTOS]
    usual, _ = fitted(views, steps=20)  # kernels are compiled on first use
    usual.predict(photos[0])

    by_pixels: dict[int, Any] = {}

    def fit_pixels(side: int) -> float:
        by_pixels[side], seconds = fitted([resized(v, side) for v in views])
        return seconds

    def fit_gaussians(count: int) -> float:
        return fitted(views, initial_gaussians=round(count * 5 / 7), max_gaussians=count)[1]

    def inspect_pixels(side: int) -> float:
        h, w = photos[0].shape[:2]
        size = (round(w * side / max(h, w)), round(h * side / max(h, w)))
        return inspected([by_pixels[side]], [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in photos])

    largest = max(args.pixels, default=0)
    runs: list[tuple[str, list[int], Callable[[int], float]]] = [
        ("fit, s, over pixels of the longer side", args.pixels, fit_pixels),
        ("inspection, s, over pixels of the longer side", args.pixels, inspect_pixels),
        ("fit, s, over views", args.views, lambda n: fitted(spread(views, n))[1]),
        ("fit, s, over Gaussians", args.gaussians, fit_gaussians),
        ("inspection, s, over models", args.models, lambda n: inspected([by_pixels[largest]] * n, photos)),
    ]
    rows = []
    for name, numbers, measure in runs:
        if len(numbers) < 2 or ("models" in name and not largest):
            continue
        seconds = [round(measure(n), 3) for n in numbers]
        row = {"what": name, "at": numbers, "seconds": seconds, "slope": round(slope(numbers, seconds), 2)}
        print(json.dumps(row), flush=True)
        rows.append(row)
    draw(rows, args.out)


def draw(rows: list[dict[str, Any]], out: Path) -> None:
    """One double-logarithmic panel a row, with a line of slope 1 through the first point."""
    mpl.use("Agg")
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "growth"
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(rows), figsize=(3.2 * len(rows), 3), squeeze=False)
    for panel, row in zip(panels[0], rows, strict=True):
        at, seconds = np.array(row["at"]), np.array(row["seconds"])
        panel.loglog(at, seconds, "o-", label=f"slope {row['slope']}")
        panel.loglog(at, seconds[0] * at / at[0], ":", color="grey", label="linear")
        for axis, values in ((panel.xaxis, at), (panel.yaxis, seconds)):
            axis.set_ticks(values, [f"{v:.3g}" if v < 1000 else f"{v:,.0f}" for v in values], fontsize=7)
            axis.set_ticks([], minor=True)
        panel.set_title(row["what"], fontsize=8)
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
