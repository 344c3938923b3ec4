"""Real part geometry from an LDraw parts library, as distributed by ldraw.org.

Formats: https://www.ldraw.org/article/218.html (files) and 415.html (winding, "BFC").
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from paad.errors import DataError, UsageError
from paad.synth.model import Mesh
from paad.synth.smoothing import smooth
from paad.types import Float64


def find_library(option: Path | None) -> Path | None:
    """The LDraw library to use: ``option`` (``--ldraw DIR``), else the environment's ``LDRAWDIR``, else None.

    Raises:
        UsageError: a folder was named but has no ``parts`` and ``p`` folders.
    """
    named = option if option is not None else os.environ.get("LDRAWDIR")
    if not named:
        return None
    folder = Path(named)
    if not (folder / "parts").is_dir() or not (folder / "p").is_dir():
        raise UsageError(f"{folder} is not an LDraw library: it needs the folders parts and p; see ldraw.org")
    return folder


def reference_line(words: list[str], where: str) -> tuple[int, Float64, str]:
    """Colour, transform and target of a type 1 line."""
    try:
        color = int(words[1], 0)
        numbers = [float(word) for word in words[2:14]]
        target = words[14].strip().replace("\\", "/")
    except (ValueError, IndexError) as error:
        raise DataError(f"{where}: not '1 colour x y z a b c d e f g h i file': {' '.join(words)}") from error
    transform = np.eye(4)
    transform[:3, 3] = numbers[:3]
    transform[:3, :3] = np.reshape(numbers[3:], (3, 3))
    if not np.isfinite(transform).all():
        raise DataError(f"{where}: holds a number that is not finite: {' '.join(words[2:14])}")
    if abs(np.linalg.det(transform[:3, :3])) < 1e-9:
        raise DataError(f"{where}: the transform flattens the part (its determinant is 0)")
    return color, transform, target


def library_file(name: str, library: Path) -> Path | None:
    """The file of a part, subpart or primitive in the library, in lower case as the library ships it."""
    name = name.replace("\\", "/").lower()
    for room in ("parts", "p", "UnOff/parts", "UnOff/p"):
        file = library / room / name
        if file.is_file():
            return file
    return None


def in_library(part: str, library: Path) -> bool:
    """Whether the library has a file for this part number."""
    return library_file(f"{part}.dat", library) is not None


def library_part_mesh(part: str, library: Path) -> Mesh:
    """The real geometry of a part: subparts and primitives resolved, winding made counter-clockwise from outside.

    LDraw parts are made of loose patches and are often open at joints; `paad.synth.mesh_io.mesh_problems` says how.

    Raises:
        UsageError: the library has no such part.
        DataError: a file it needs is missing or damaged, or nothing but degenerate triangles is left.
    """
    file = library_file(f"{part}.dat", library)
    if file is None:
        raise UsageError(
            f"part {part} is not in the LDraw library {library}; install the complete library of ldraw.org"
        )
    triangles: list[Float64] = []
    _collect(file, library, np.eye(4), False, (), triangles.append)
    corners = np.concatenate(triangles) if triangles else np.zeros((0, 3, 3))
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    corners = corners[area > 1e-6]
    if not len(corners):
        raise DataError(f"{file}: holds no triangle with an area; reinstall the LDraw library")
    faces = np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)
    return smooth(Mesh(corners.reshape(-1, 3).astype(np.float32), faces).welded(0.01))


def _corners(words: list[str], file: Path) -> Float64:
    """Corners [3 or 4, 3] of a type 3 or 4 line."""
    count = int(words[0])
    try:
        return np.array([float(word) for word in words[2 : 2 + 3 * count]]).reshape(count, 3)
    except ValueError as error:
        raise DataError(
            f"{file}: not a line of {count} corners: {' '.join(words)}; reinstall the LDraw library"
        ) from error


def _collect(
    file: Path, library: Path, placed: Float64, flip: bool, above: tuple[Path, ...], add: Callable[[Float64], None]
) -> None:
    """Add the triangles [N, 3, 3] of one library file under ``placed``; ``flip`` turns its winding around."""
    if file in above:
        raise DataError(f"{file}: the part holds itself; reinstall the LDraw library")
    clockwise = invert_next = False
    rows: list[Float64] = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if words[:2] == ["0", "BFC"]:
            clockwise = "CW" in words or (clockwise and "CCW" not in words)
            invert_next = "INVERTNEXT" in words
        elif words and words[0] == "1":
            _, local, target = reference_line(line.split(maxsplit=14), str(file))
            child = library_file(target, library)
            if child is None:
                raise DataError(f"{file}: needs {target}, which the LDraw library {library} lacks; reinstall it")
            _collect(child, library, placed @ local, flip != invert_next, (*above, file), add)
            invert_next = False
        elif words and words[0] in ("3", "4"):
            points = _corners(words, file)
            order = points[::-1] if clockwise else points
            rows.extend(order[[0, i, i + 1]] for i in range(1, len(order) - 1))
    if rows:
        corners = np.stack(rows) @ placed[:3, :3].T + placed[:3, 3]
        turned = flip != (np.linalg.det(placed[:3, :3]) < 0)
        add(corners[:, ::-1] if turned else corners)
