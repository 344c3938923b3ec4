"""The twenty toys, one for each object of MAD, as LDraw files. Made by ``python -m paad.synth.toys.build``."""

from __future__ import annotations

import difflib
import functools
from importlib.resources import as_file, files

from paad.errors import UsageError
from paad.synth.model import BrickModel

TOYS = (
    "Gorilla", "Unicorn", "Mallard", "Turtle", "Whale", "Bird", "Owl", "Sabertooth", "Swan", "Sheep",
    "Pig", "Zalika", "Phoenix", "Elephant", "Parrot", "Cat", "Scorpion", "Obesobeso", "Bear", "Puppy",
)  # fmt: skip


def toy_names() -> list[str]:
    """Names of the twenty toys, in the order of MAD's objects."""
    return list(TOYS)


@functools.cache
def load_toy(name: str) -> BrickModel:
    """The bricks of a toy; letter case does not matter.

    Raises:
        UsageError: no toy has that name; the message lists the nearest, or all.
    """
    from paad.synth.ldraw import read_ldr

    exact = {toy.lower(): toy for toy in TOYS}.get(name.lower())
    if exact is None:
        near = difflib.get_close_matches(name.capitalize(), TOYS, n=3)
        raise UsageError(
            f"there is no toy {name!r}; {'did you mean' if near else 'choose of'} {', '.join(near or TOYS)}"
        )
    with as_file(files("paad.synth.toys").joinpath(f"{exact}.ldr")) as path:
        return read_ldr(path)
