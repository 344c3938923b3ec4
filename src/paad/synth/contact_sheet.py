"""Contact sheets for the documentation: python -m paad.synth.contact_sheet DIR [--size PX]."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paad.data.files import write_bytes
from paad.synth import rig
from paad.synth.dataset_plan import Job, Piece
from paad.synth.dataset_profile import Counts, Profile
from paad.synth.dataset_render import View, damaged_views, good_scene, loaded_object, specimen_scene, take_picture
from paad.synth.defects import KINDS
from paad.synth.toys import toy_names
from paad.types import UInt8

SAMPLES = 64
COLUMNS = 5
DEFECT_TOYS = ("Gorilla", "Unicorn", "Mallard", "Pig", "Phoenix", "Turtle")
REAL_TOYS = ("Parrot", "Whale", "Elephant", "Swan", "Bear", "Scorpion")


def toys_sheet(out: Path, size: int = 220, toys: Sequence[str] | None = None) -> Path:
    """Every toy from one side, with its name, as a JPEG; returns the file."""
    names = list(toys or toy_names())
    job = Job(Path("unused"), Profile("sheet", size, Counts(1, 0, 0, 1), samples=SAMPLES), "sim", 0)
    cells = []
    for name in names:
        view = View(0, rig.orbit(22.0, 310.0, 0.92 * rig.radius_of(name)))
        cells.append(_labelled(take_picture(job, good_scene(job, name, None), view, 1), name))
    return _write(out, _grid(cells, COLUMNS))


def defects_sheet(out: Path, size: int = 220, seed: int = 2) -> Path:
    """Damaged specimens, each plain and, below, with its mask's outline; then photos of the ``real`` look."""
    rows = []
    for kind in KINDS:
        job = Job(
            Path("unused"), Profile("sheet", size, Counts(1, 0, 3, 1), samples=SAMPLES, min_share=0.002), "sim", seed
        )
        rows += list(zip(*[_damaged(job, name, kind) for name in DEFECT_TOYS]))
    job = Job(Path("unused"), Profile("sheet", size, Counts(1, 0, 3, 1), samples=4 * SAMPLES), "real", seed)
    rows.append(tuple(_labelled(_photo(job, name, number), f"{name}, real") for number, name in enumerate(REAL_TOYS)))
    return _write(out, np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0))


def _damaged(job: Job, name: str, kind: str) -> tuple[UInt8, UInt8]:
    """A picture of a damaged toy, and the same with the outline of its mask."""
    thing = loaded_object(name, None)
    damage, views = damaged_views(job, Piece(name, name, kind, 0, 0, 1), thing)
    picture = take_picture(job, specimen_scene(job, thing, damage.surface, None), views[0], 1)
    return _labelled(picture, f"{name}, {kind}"), _outlined(picture, views[0])


def _photo(job: Job, name: str, number: int) -> UInt8:
    camera_rng = np.random.default_rng(number)
    view = View(number, rig.orbit(28.0, 290.0 + 12.0 * number, 0.92 * rig.radius_of(name)))
    return take_picture(job, good_scene(job, name, number % 3), view, int(camera_rng.integers(1000)))


def _outlined(picture: UInt8, view: View) -> UInt8:
    import cv2

    mask = np.asarray(view.mask, np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    shown = picture.copy()
    cv2.drawContours(shown, outlines, -1, (230, 0, 60), 1, cv2.LINE_AA)
    return shown


def _labelled(picture: UInt8, text: str) -> UInt8:
    import cv2

    shown = picture.copy()
    ink = (30, 30, 30) if shown[-24:].mean() > 110.0 else (250, 250, 250)
    cv2.putText(shown, text, (6, shown.shape[0] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.42, ink, 1, cv2.LINE_AA)
    return shown


def _grid(cells: list[UInt8], columns: int) -> UInt8:
    cells = cells + [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows, axis=0)


def _write(out: Path, picture: UInt8) -> Path:
    import cv2

    _, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return write_bytes(out, code.tobytes())


def main(argv: Sequence[str] | None = None) -> None:
    """Write both sheets into a folder."""
    parser = argparse.ArgumentParser(description="Render the contact sheets of the toys and of the defects.")
    parser.add_argument("out", type=Path, metavar="DIR")
    parser.add_argument("--size", type=int, default=220, help="pixels of a cell (default: 220)")
    args = parser.parse_args(argv)
    print(toys_sheet(args.out / "synth_toys.jpg", args.size))
    print(defects_sheet(args.out / "synth_defects.jpg", args.size))


if __name__ == "__main__":
    main()
