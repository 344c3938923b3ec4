"""The two attributes by which MAD describes its objects: how complex a shape is and how strong its colour contrast.

Definitions: "PAD: A Dataset and Benchmark for Pose-agnostic Anomaly Detection", arXiv 2310.07716. Run
``python -m paad.synth.attributes ROOT`` on a data set made of the toys for a table of ours beside MAD's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from paad.errors import DataError, UsageError
from paad.synth.model import BrickModel, Mesh
from paad.types import UInt8

MAD = {
    "Gorilla": (65.79, 73.45), "Unicorn": (57.9, 35.71), "Mallard": (24.53, 49.22), "Turtle": (100.0, 41.84),
    "Whale": (81.58, 35.69), "Bird": (11.25, 71.38), "Owl": (46.23, 74.59), "Sabertooth": (73.97, 35.41),
    "Swan": (55.97, 40.98), "Sheep": (23.92, 54.35), "Pig": (42.43, 52.34), "Zalika": (43.77, 86.32),
    "Phoenix": (29.49, 66.15), "Elephant": (28.18, 55.1), "Parrot": (56.1, 32.85), "Cat": (0.0, 61.28),
    "Scorpion": (49.76, 36.18), "Obesobeso": (15.53, 58.1), "Bear": (62.18, 37.75), "Puppy": (79.03, 35.98),
}  # fmt: skip
"""MAD's own objects: shape complexity and colour contrast, from the table in the repository of the paper."""


def shape_complexity(objects: Sequence[BrickModel | Mesh], library: Path | None = None) -> list[float]:
    """Triangles of each object, mapped so that the simplest of them is 0 and the most complex 100.

    Raises:
        UsageError: fewer than two objects, or all alike, so that there is nothing to map to.
    """
    from paad.synth.parts import part_mesh

    counts = np.array(
        [
            len(o.faces) if isinstance(o, Mesh) else sum(len(part_mesh(b.part, library).faces) for b in o.bricks)
            for o in objects
        ],
        dtype=float,
    )
    if len(counts) < 2 or np.ptp(counts) == 0:
        raise UsageError("shape complexity compares objects: give at least two that differ in their triangles")
    return [float(c) for c in 100 * (counts - counts.min()) / np.ptp(counts)]


def colour_contrast(images: Iterable[UInt8], lightness: bool = False) -> float:
    """Mean over images [H, W, 3] of √(std(a)² + std(b)²) in CIELAB, as the paper writes it.

    ``lightness=True``: √(std(L)² + std(a)² + std(b)²) in the 8-bit coding, L from 0 to 255. MAD's published numbers
    follow this one on MAD's own pictures: a black toy on white scores highest, and about 0 by the written formula.

    Raises:
        UsageError: no image.
    """
    import cv2

    values = []
    for image in images:
        pixels = np.ascontiguousarray(image[..., :3])
        if lightness:
            spread = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64).std(0)
        else:
            lab = cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
            spread = lab.reshape(-1, 3)[:, 1:].astype(np.float64).std(0)
        values.append(float(np.sqrt(np.sum(spread**2))))
    if not values:
        raise UsageError("colour contrast needs at least one image")
    return float(np.mean(values))


def table(root: Path) -> str:
    """Ours beside MAD's for every toy folder under ``root``, as Markdown; contrast over the training views.

    Raises:
        DataError: no folder of a toy with training views.
    """
    import cv2

    from paad.synth.toys import load_toy, toy_names

    folders = {name: sorted((root / name / "train" / "good").glob("*.png")) for name in toy_names()}
    found = [name for name, files in folders.items() if files]
    if not found:
        raise DataError(f"{root}: holds no folder of a toy with train/good/*.png; make one with paad synth")
    complexity = dict(zip(toy_names(), shape_complexity([load_toy(name) for name in toy_names()])))
    lines = [
        "| toy | complexity, ours | MAD | contrast (a, b), ours | contrast with L, ours | MAD |",
        "|---|---|---|---|---|---|",
    ]
    for name in found:
        pictures = [cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in folders[name]]
        ab, full = colour_contrast(pictures), colour_contrast(pictures, lightness=True)
        lines.append(
            f"| {name} | {complexity[name]:.1f} | {MAD[name][0]:.1f} | {ab:.1f} | {full:.1f} | {MAD[name][1]:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m paad.synth.attributes ROOT")
    print(table(Path(sys.argv[1])))
