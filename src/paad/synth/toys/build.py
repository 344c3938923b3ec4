"""Build the twenty toys on the stud grid and write them as LDraw files beside this one.

Coordinates of a design: x to the right and z backwards in studs, up in plates from the table; faces look toward -z.
Run ``python -m paad.synth.toys.build`` after a change; a test compares the files with the designs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from paad.synth.ldraw import write_ldr
from paad.synth.model import Brick, BrickModel
from paad.synth.parts import part_shape
from paad.synth.parts.shape import moved_by, turned
from paad.types import Float64

STUD, PLATE = 20.0, 8.0


class Builder:
    """Collects bricks; each call places one and returns it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bricks: list[Brick] = []

    def put(self, part: str, color: int, x: float, z: float, up: float, turn: int = 0, tip: int = 0) -> Brick:
        """Place a part so that the box around its body has its low corner at (x, z) studs and ``up`` plates.

        ``turn`` counts quarter turns about the vertical (1 sends the part's -z to its -x); before that, ``tip`` counts
        quarter turns about x (1 sends the part's top to -z).
        """
        pose = turned("y", 90.0 * turn) @ turned("x", 90.0 * tip)
        corners = np.concatenate([points @ pose[:3, :3].T for points in part_shape(part).solids])
        low, high = corners.min(0), corners.max(0)
        shift = (x * STUD - low[0], -up * PLATE - high[1], z * STUD - low[2])
        return self.add(part, color, moved_by(*shift) @ pose)

    def pair(
        self, part: str, color: int, x: float, z: float, up: float, turn: int = 0, about: float = 2.0, other: str = ""
    ) -> tuple[Brick, Brick]:
        """`put` a part and its mirror image about the plane x = ``about``; ``other`` is the part of the other hand."""
        left = self.put(part, color, x, z, up, turn)
        points = np.concatenate([p @ left.transform[:3, :3].T for p in part_shape(part).solids])
        width = float(np.ptp(points[:, 0])) / STUD
        return left, self.put(other or part, color, 2 * about - x - width, z, up, -turn)

    def at(self, part: str, color: int, x: float, z: float, up: float, turn: float = 0) -> Brick:
        """Place a part by its origin, in studs and plates; ``turn`` in quarter turns about the vertical."""
        return self.add(part, color, turned("y", 90.0 * turn, (x * STUD, -up * PLATE, z * STUD)))

    def onto(
        self, anchor: Brick, stud: int, part: str, color: int, spin: float = 0, dx: float = 0, dz: float = 0
    ) -> Brick:
        """Place a part on a stud of ``anchor`` (by its number in the part's list; negative counts from the end).

        ``spin`` quarter turns about the stud; the part's underside meets it at its own (dx, dz) studs off the origin.
        """
        base, direction = part_shape(anchor.part).studs[stud]
        points = np.concatenate(list(part_shape(part).solids))
        seat = turned("y", 90.0 * spin) @ moved_by(-dx * STUD, -float(points[:, 1].max()), -dz * STUD)
        return self.add(part, color, anchor.transform @ _upright_to(base, direction) @ seat)

    def add(self, part: str, color: int, transform: Float64) -> Brick:
        """Place a part by its LDraw transform."""
        brick = Brick(part, color, np.round(transform, 4) + 0.0)
        self.bricks.append(brick)
        return brick

    def model(self) -> BrickModel:
        """The finished toy."""
        return BrickModel(self.name, tuple(self.bricks))


def _upright_to(base: Float64, direction: Float64) -> Float64:
    """The rigid transform that puts an upright stud's base and direction where a part's stud has them."""
    up = -np.asarray(direction)
    if abs(up[1]) > 0.999:
        return moved_by(*base) @ (np.eye(4) if up[1] > 0 else turned("x", 180))
    side = np.cross([0.0, 1.0, 0.0], up)
    out = np.eye(4)
    out[:3, :3] = np.column_stack([side, up, np.cross(side, up)])
    out[:3, 3] = base
    return out


def designs() -> dict[str, Callable[[Builder], None]]:
    """Name to design of every toy."""
    from paad.synth.toys import designs_birds, designs_pets, designs_wild

    return {**designs_birds.DESIGNS, **designs_pets.DESIGNS, **designs_wild.DESIGNS}


def build(name: str) -> BrickModel:
    """The toy as its design makes it."""
    builder = Builder(name)
    designs()[name](builder)
    return builder.model()


def main() -> None:
    """Write every toy's file into a folder, by default the package's own."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    out = parser.parse_args().out
    for name in designs():
        write_ldr(out / f"{name}.ldr", build(name))


if __name__ == "__main__":
    main()
