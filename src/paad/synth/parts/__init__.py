"""Parts as meshes: the real LDraw geometry where a library is at hand, else parametric shapes of the same numbers."""

from __future__ import annotations

import difflib
import functools
from pathlib import Path

import numpy as np

from paad.errors import UsageError
from paad.synth.model import Mesh
from paad.synth.parts.shape import Shape


def known_parts() -> dict[str, str]:
    """LDraw number to description of every part that needs no library."""
    from paad.synth.parts.catalog import CATALOG

    return {number: entry[0] for number, entry in CATALOG.items()}


def canonical(part: str) -> str | None:
    """The catalogue's number of a part ("3040" is "3040b"), or None where it has no such part."""
    from paad.synth.parts.catalog import ALIASES, CATALOG

    number = ALIASES.get(part, part)
    return number if number in CATALOG else None


def near_parts(part: str) -> list[str]:
    """Up to three known numbers that look like ``part``."""
    return difflib.get_close_matches(part, list(known_parts()), n=3, cutoff=0.6)


@functools.cache
def part_shape(part: str) -> Shape:
    """The parametric shape of a known part: surface, solids and joints, LDU.

    Raises:
        UsageError: no such part; the message lists near numbers.
    """
    from paad.synth.parts.catalog import CATALOG

    number = canonical(part)
    if number is None:
        near = near_parts(part)
        hint = f"near numbers are {', '.join(near)}" if near else f"{len(CATALOG)} parts are known"
        raise UsageError(
            f"part {part} is unknown; {hint}; any other part needs an LDraw library (--ldraw DIR, LDRAWDIR)"
        )
    return CATALOG[number][1]()


@functools.cache
def part_mesh(part: str, library: Path | None = None) -> Mesh:
    """The mesh of a part: the library's geometry when it has the part, else the parametric one; cached, do not write.

    Raises:
        UsageError: neither knows the part; the message lists near numbers.
        DataError: the library's file is damaged.
    """
    from paad.synth.ldraw_library import in_library, library_part_mesh
    from paad.synth.smoothing import smooth

    if library is not None and in_library(part, library):
        return library_part_mesh(part, library)
    shape = part_shape(part)
    return smooth(Mesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32)))
