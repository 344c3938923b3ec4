"""The two attributes by which MAD describes its objects: how complex a shape is and how strong its colour contrast.

Definitions: "PAD: A Dataset and Benchmark for Pose-agnostic Anomaly Detection", arXiv 2310.07716. Run
``python -m paad.synth.attributes ROOT [--mad DIR]`` on a data set made of the toys for a table of ours beside MAD's;
``DIR`` holds folders of MAD's own pictures (``01Gorilla`` to ``20Puppy``), on which both formulas are then tried too.
"""

from __future__ import annotations

import argparse
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


def table(root: Path, mad: Path | None = None) -> str:
    """Ours beside MAD's for every toy folder under ``root``, as Markdown; contrast over the training views.

    ``mad``: folders of MAD's own pictures, in MAD's order; then how both formulas follow its numbers is said as well.

    Raises:
        DataError: no folder of a toy with training views, or ``mad`` does not hold twenty folders of pictures.
    """
    from paad.synth.toys import load_toy, toy_names

    folders = {name: sorted((root / name / "train" / "good").glob("*.png")) for name in toy_names()}
    found = [name for name, files in folders.items() if files]
    if not found:
        raise DataError(f"{root}: holds no folder of a toy with train/good/*.png; make one with paad synth")
    complexity = dict(zip(toy_names(), shape_complexity([load_toy(name) for name in toy_names()])))
    theirs = None if mad is None else dict(zip(MAD, _contrasts_of_mad(mad)))
    header = ["toy", "complexity, ours", "MAD", "contrast (a, b), ours", "contrast with L, ours", "MAD"]
    header += [] if theirs is None else ["MAD's pictures, (a, b)", "MAD's pictures, with L"]
    rows = [header, ["---"] * len(header)]
    for name in found:
        pictures = [_rgb(file) for file in folders[name]]
        ours = (complexity[name], MAD[name][0], colour_contrast(pictures), colour_contrast(pictures, lightness=True))
        rows.append([name, *(f"{v:.1f}" for v in (*ours, MAD[name][1], *([] if theirs is None else theirs[name])))])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if theirs is not None:
        published = [contrast for _, contrast in MAD.values()]
        by_formula = [np.corrcoef(values, published)[0, 1] for values in zip(*theirs.values())]
        lines += ["", f"Correlation with MAD's numbers: (a, b) {by_formula[0]:.3f}, with L {by_formula[1]:.3f}"]
    return "\n".join(lines)


def _contrasts_of_mad(mad: Path) -> list[tuple[float, float]]:
    """Contrast of MAD's own pictures by both formulas, in the order of its folders."""
    folders = sorted(p for p in mad.iterdir() if p.is_dir()) if mad.is_dir() else []
    pictures = [[_rgb(f) for f in sorted(d.rglob("*.png")) if "mask" not in f.name] for d in folders]
    if len(pictures) != len(MAD) or not all(pictures):
        raise DataError(f"{mad}: {len(folders)} folders; MAD's {len(MAD)} objects with .png pictures are needed")
    return [(colour_contrast(p), colour_contrast(p, lightness=True)) for p in pictures]


def _rgb(file: Path) -> UInt8:
    import cv2

    picture = cv2.imread(str(file))
    if picture is None:
        raise DataError(f"{file}: cannot be read as a picture")
    return np.ascontiguousarray(picture[..., ::-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Attributes of generated toys beside MAD's, as Markdown.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--mad", type=Path, default=None, help="folders of MAD's own pictures")
    arguments = parser.parse_args()
    print(table(arguments.root, arguments.mad))
