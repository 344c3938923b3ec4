"""Defects painted into photos of a good object, to see what is found: python benchmarks/plant_defects.py OBJECT OUT.

For an object folder of good photos only. Every ``--each``-th photo becomes a test photo of OUT (MAD's layout, masks and
true poses beside it): once as it is, and once each with a stain, a scratch, a bite out of its outline and a burr on it;
the others are what is learned from. Places and colours follow ``--seed``; sizes are those of photos 800 pixels long.
Masks that the photos bring the planted ones bring, too; without any the object is found as ``paad fit`` does. Distorted
photos are refused: ``paad data convert`` straightens them. Then ``paad bench run --data OUT/..`` says what is found.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paad.data.objects import open_object
from paad.errors import DataError
from paad.fields.find_object import masks_agree, with_object_masks
from paad.types import Bool, Float32, PosedView, UInt8

_FIRST = 2
_SEEN_BY = 8
"""Grey values by which a pixel must change to count as of the defect."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("out", type=Path, help="a folder that is not there yet")
    parser.add_argument("--each", type=int, default=5, help="(default: 5)")
    parser.add_argument("--seed", type=int, default=5, help="(default: 5)")
    args = parser.parse_args()
    views = list(data := open_object(args.object).train)
    given = data.mask_source in ("alpha", "mask_path")
    listed = args.object / "transforms.json"
    frames = json.loads(listed.read_text()) if listed.exists() else {}
    if not frames or any(frames.get(k) for k in ("k1", "k2", "k3", "p1", "p2")):
        raise DataError(f"{listed}: missing, or of distorted photos; run 'paad data convert --to mad' first")
    of = {Path(f["file_path"]).stem: f for f in frames["frames"]}
    # as a fit does: masks guessed from a background that only seems plain hold pieces of it
    masked = views if given or masks_agree(views) else with_object_masks(views)
    if masked is None:
        raise DataError(f"{args.object}: no object stands out; give masks")
    rng = np.random.default_rng(args.seed)
    train: list[dict[str, Any]] = []
    test: list[dict[str, Any]] = []
    for number, (view, found) in enumerate(zip(views, masked, strict=True)):
        frame = of[Path(view.name).stem]
        if number % args.each != _FIRST % args.each or found.mask is None or found.mask.max() < 0.6:
            good = _cut_out(view.image, view.mask) if given and view.mask is not None else view.image
            train.append({**frame, "file_path": _saved(args.out, f"train/good/{number}.png", good)})
            continue
        good = _cut_out(view.image, found.mask) if given else view.image
        test.append({**frame, "file_path": _saved(args.out, f"test/good/{number}.png", good)})
        for kind, image, mask, cover in planted(view, found.mask, rng):
            image = _cut_out(image, cover) if given else image
            test.append({**frame, "file_path": _saved(args.out, f"test/{kind}/{number}.png", image)})
            _saved(args.out, f"ground_truth/{kind}/{number}_mask.png", mask.astype(np.uint8) * 255)
    (args.out / "transforms.json").write_text(json.dumps({**frames, "frames": train}))
    (args.out / "test_transforms.json").write_text(json.dumps({**frames, "frames": test}))
    print(f"{args.out}: {len(train)} photos to learn from, {len(test)} to inspect")


def planted(view: PosedView, mask: Float32, rng: np.random.Generator) -> Iterator[tuple[str, UInt8, Bool, Float32]]:
    """Kind, photo [H, W, 3], mask [H, W] and what the object covers then [H, W], of four defects on the object that a
    photo shows within ``mask`` [H, W]."""
    whole = mask
    photo = view.image.astype(np.float32)
    height, width = mask.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    unit = max(height, width) / 800.0
    # guessed masks hold crumbs of the table beside the object
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    own = pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    mask = mask * cv2.dilate(own.astype(np.uint8), np.ones((5, 5)))
    core = cv2.erode(own.astype(np.uint8), np.ones((15, 15))) > 0
    rim = own & ~(cv2.erode(own.astype(np.uint8), np.ones((3, 3))) > 0)
    rim[[*range(8), *range(-8, 0)]] = False
    rim[:, [*range(8), *range(-8, 0)]] = False

    def somewhere(of: Bool) -> tuple[int, int]:
        at = np.argwhere(of if of.any() else own)
        row, column = at[rng.integers(len(at))]
        return int(row), int(column)

    def disc(at: tuple[int, int], radius: float, soft: float) -> Float32:
        away = np.hypot((y - at[0]), x - at[1])
        out: Float32 = 1.0 / (1.0 + np.exp(np.clip((away - radius) / soft, -50.0, 50.0)))
        return out

    def over(cover: Float32, paint: Any) -> tuple[UInt8, Bool]:
        out = photo + cover[..., None] * (paint - photo)
        return out.clip(0, 255).astype(np.uint8), np.asarray(np.abs(out - photo).max(axis=2) > _SEEN_BY)

    at = somewhere(core)
    ink = rng.uniform(20, 235, 3)
    while np.abs(ink - photo[at]).max() < 60:
        ink = rng.uniform(20, 235, 3)
    yield ("Stains", *over(0.7 * disc(at, rng.uniform(10, 18) * unit, 1.5), ink), whole)

    at = somewhere(core)
    turn, length = rng.uniform(0, np.pi), rng.uniform(40, 70) * unit
    along = np.cos(turn) * (x - at[1]) + np.sin(turn) * (y - at[0])
    across = np.cos(turn) * (y - at[0]) - np.sin(turn) * (x - at[1])
    line = np.clip(2.0 - np.abs(across), 0.0, 1.0) * (np.abs(along) < length / 2) * own
    ink = np.full(3, 230.0 if photo[at].mean() < 130 else 40.0)
    yield ("Scratch", over(0.8 * line, ink)[0], line > 0.2, whole)

    at, radius = somewhere(rim), rng.uniform(12, 20) * unit
    away = np.hypot(y - at[0], x - at[1])
    unknown = ((mask > 0.02) & (away < radius + 12)).astype(np.uint8)
    behind = cv2.inpaint(np.ascontiguousarray(view.image), unknown, 5, cv2.INPAINT_TELEA)
    gone = cv2.GaussianBlur(((away < radius) & (mask > 0.02)).astype(np.float32), (0, 0), 1.0)
    yield ("Missing", *over(gone, behind.astype(np.float32)), whole * (1.0 - gone))

    at, radius = somewhere(rim), rng.uniform(8, 13) * unit
    shade = 1.0 + 0.25 * np.clip((at[0] - y) / radius, -1.0, 1.0)
    burr = disc(at, radius, 0.8)
    yield ("Burrs", *over(burr, photo[somewhere(core)] * shade[..., None]), np.maximum(whole, burr))


def _cut_out(photo: UInt8, cover: Float32) -> UInt8:
    """``photo`` [H, W, 3] with what the object covers [H, W] as alpha: uint8 [H, W, 4]."""
    return np.dstack([photo, (cover * 255.0 + 0.5).clip(0, 255).astype(np.uint8)])


def _saved(out: Path, name: str, picture: UInt8) -> str:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if picture.ndim == 3:
        picture = picture[..., [2, 1, 0, 3][: picture.shape[2]]]
    cv2.imwrite(str(path), picture)
    return name


if __name__ == "__main__":
    main()
