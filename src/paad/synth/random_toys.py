"""Brick assemblies that nobody designed: objects to develop and to train on, so that no named toy is ever used for it.

    python -m paad.synth.random_toys OUT --count 12 [--seed 0]

writes ``random_<seed>.ldr`` files, which ``paad synth DATA --toys OUT/random_0.ldr ...`` photographs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from paad.synth.assembly import connected_components, overlaps
from paad.synth.ldraw import write_ldr
from paad.synth.model import Brick, BrickModel
from paad.synth.parts import part_shape
from paad.synth.toys.build import STUD, Builder

BODIES = ("3001", "3002", "3003", "3010", "3020", "3021", "3022", "3031", "3795", "2456", "3941", "2357", "11212")
DETAILS = (
    "3004", "3005", "3023", "3024", "3040b", "3039", "3665", "3660", "3037", "4286", "3298", "3062b", "6141", "4589",
    "3942b", "30367", "4740", "3659", "54200", "85984", "11477", "15068", "50950", "61678", "87087", "3069b", "3068b",
    "2431", "4032", "98138", "60481", "41769", "41770", "6564", "6565", "3747", "2420", "2412b",
)  # fmt: skip
COLORS = (0, 1, 2, 4, 5, 14, 15, 19, 25, 27, 28, 70, 71, 72, 320, 272, 288)
_TRIES = 40


def random_toy(seed: int, bricks: int | None = None) -> BrickModel:
    """A rigid assembly of ``bricks`` (by default 18 to 45) parts in one to five colours, the same for the same seed.

    It grows from a body: each part goes onto a random stud of one that is there, where it neither shares space with
    another nor only touches.
    """
    rng = np.random.default_rng(seed)
    wanted = int(rng.integers(18, 46)) if bricks is None else bricks
    palette = rng.choice(COLORS, size=int(rng.integers(1, 6)), replace=False)
    if rng.random() < 0.4:  # nearly all black or white, as some toys are
        palette = np.concatenate([np.repeat(rng.choice([0, 15]), 6), palette[:2]])
    builder = Builder(f"random_{seed}")
    builder.put(str(rng.choice(BODIES)), int(rng.choice(palette)), 0, 0, 0)
    for _ in range(wanted * _TRIES):
        if len(builder.bricks) == wanted:
            break
        _try_to_add(builder, rng, int(rng.choice(palette)))
    return builder.model()


def _try_to_add(builder: Builder, rng: np.random.Generator, color: int) -> Brick | None:
    part = str(rng.choice(BODIES if rng.random() < 0.45 else DETAILS))
    anchor = builder.bricks[int(rng.integers(len(builder.bricks)))]
    studs = part_shape(anchor.part).studs
    if not len(studs):
        return None
    points = np.concatenate(list(part_shape(part).solids))
    low, high = points.min(axis=0) / STUD, points.max(axis=0) / STUD
    seat = [low[a] + 0.5 + rng.integers(0, max(1, round(high[a] - low[a]))) for a in (0, 2)]
    spin = int(rng.integers(4))
    added = builder.onto(anchor, int(rng.integers(len(studs))), part, color, spin, float(seat[0]), float(seat[1]))
    last = len(builder.bricks) - 1
    near = BrickModel("pair", (anchor, added))
    joined = len(connected_components(near, touching=False)) == 1
    if not joined or any(last in pair[:2] for pair in overlaps(builder.model())):
        builder.bricks.pop()
        return None
    return added


def write_some(description: str, name: str, write: Callable[[Path, int], object]) -> None:
    """Write files of as many seeds as the command line asks for; ``name`` holds ``{}`` for the seed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow (default: 0)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seed, options.seed + options.count):
        write(options.out / name.format(seed), seed)


def main() -> None:
    """Write some assemblies into a folder."""
    write_some(main.__doc__ or "", "random_{}.ldr", lambda path, seed: write_ldr(path, random_toy(seed)))


if __name__ == "__main__":
    main()
