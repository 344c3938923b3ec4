"""How well objects are found in photos without masks: python benchmarks/found_masks.py OBJECT ... [--by HOW]
[--bare OUT].

Prints, of each object folder with masks, how much the outlines that ``paad`` finds without them overlap the given ones
(intersection over union), how many views were left out, and the seconds; with ``--by`` of colour or of depth alone.
With ``--bare`` it also writes each folder again as OUT/NAME, without masks (MAD's layout, pictures are links), so that
``paad bench run --data OUT`` says what that costs.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from paad.data.files import write_bytes
from paad.data.objects import open_object
from paad.fields.find_object import by_colour, by_depth, with_object_masks
from paad.types import PosedView

_FINDERS = {"either": with_object_masks, "colour": by_colour, "depth": by_depth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("objects", type=Path, nargs="+")
    parser.add_argument("--by", choices=tuple(_FINDERS), default="either", help="(default: either)")
    parser.add_argument("--bare", type=Path, help="write the folders again, without masks, into this one")
    args = parser.parse_args()
    print("object: overlap with the given masks: least, 10 %, median; views left out; seconds")
    for folder in args.objects:
        print(f"{folder.name}: {told(folder, _FINDERS[args.by])}", flush=True)
        if args.bare is not None:
            bare(folder, args.bare / folder.name)


def told(folder: Path, finder: Callable[[Sequence[PosedView]], list[PosedView] | None]) -> str:
    """What is found in the photos of one object folder."""
    views = list(open_object(folder).train)
    begin = time.perf_counter()
    found = finder([replace(v, mask=None) for v in views])
    seconds = time.perf_counter() - begin
    if found is None:
        return f"no object stands out; {seconds:.1f} s"
    masks = [(f.mask, v.mask) for f, v in zip(found, views, strict=True)]
    pairs = [(a > 0.5, b > 0.5) for a, b in masks if a is not None and b is not None]
    left_out = sum(f.mask is None for f in found)
    if not pairs:
        return f"found, nothing to compare with; {left_out} views; {seconds:.1f} s"
    overlaps = [(a & b).sum() / (a | b).sum() for a, b in pairs]
    least, low, middle = np.percentile(overlaps, [0, 10, 50])
    return f"{least:.3f}, {low:.3f}, {middle:.3f}; {left_out} of {len(views)} views; {seconds:.1f} s"


def bare(folder: Path, out: Path) -> None:
    """The object folder again as ``out``, its training views without masks."""
    (out / "train").mkdir(parents=True, exist_ok=True)
    for name in ("train/good", "test", "ground_truth", "test_transforms.json", "manifest.json"):
        if (folder / name).exists() and not (out / name).exists():
            os.symlink((folder / name).resolve(), out / name)
    transforms = json.loads((folder / "transforms.json").read_text())
    for frame in transforms["frames"]:
        frame.pop("mask_path", None)
    write_bytes(out / "transforms.json", json.dumps(transforms).encode())


if __name__ == "__main__":
    main()
