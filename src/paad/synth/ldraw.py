"""LDraw files: read and write models, and read real part geometry from an LDraw parts library.

Formats: https://www.ldraw.org/article/218.html (files), 47.html (multi-part documents), 415.html (winding, "BFC").
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paad.data.files import write_text
from paad.errors import DataError, UsageError
from paad.synth.colors import DIRECT, ldraw_color
from paad.synth.model import Brick, BrickModel, Mesh
from paad.synth.smoothing import smooth
from paad.types import Float64

MODEL_SUFFIXES = (".ldr", ".mpd", ".l3b")
PARENT_COLOR = 16


@dataclass
class _Document:
    """The files inside one .ldr or .mpd: lower-case name to lines, the first being the main model."""

    path: Path
    sections: dict[str, list[str]] = field(default_factory=dict)


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


def read_ldr(path: str | Path, library: Path | None = None) -> BrickModel:
    """Read a ``.ldr`` or ``.mpd`` model; submodels, also those in files beside it, are flattened.

    Raises:
        DataError: the file cannot be read, names an unknown part, colour or submodel, holds itself, or has no parts.
    """
    path = Path(path)
    document = _Document(path, _sections(path))
    bricks: list[Brick] = []
    unknown: dict[str, str] = {}
    main = next(iter(document.sections))
    _flatten(document, main, np.eye(4), None, (), library, bricks, unknown)
    if unknown:
        listed = "; ".join(f"{part} ({near})" if near else part for part, near in sorted(unknown.items())[:8])
        more = "" if len(unknown) <= 8 else f" and {len(unknown) - 8} more"
        raise DataError(
            f"{path}: unknown parts {listed}{more}; give an LDraw library that holds them (--ldraw DIR or LDRAWDIR)"
        )
    if not bricks:
        raise DataError(f"{path}: holds no part; a model has lines such as '1 4 0 0 0 1 0 0 0 1 0 0 0 1 3001.dat'")
    return BrickModel(path.stem, tuple(bricks))


def _sections(path: Path) -> dict[str, list[str]]:
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    sections: dict[str, list[str]] = {}
    current = path.name.lower()
    sections[current] = []
    for line in text.splitlines():
        words = line.split(maxsplit=2)
        if words[:2] == ["0", "FILE"] and len(words) == 3:
            if not sections[current]:
                del sections[current]
            current = words[2].strip().lower()
            sections[current] = []
        elif words[:2] == ["0", "NOFILE"]:
            current = ""
            sections.setdefault(current, [])
        else:
            sections[current].append(line)
    if len(sections) > 1:
        sections.pop("", None)
    return sections


def _flatten(
    document: _Document,
    name: str,
    placed: Float64,
    color: int | None,
    above: tuple[str, ...],
    library: Path | None,
    bricks: list[Brick],
    unknown: dict[str, str],
) -> None:
    """Append the bricks of section ``name`` under ``placed``; ``color`` replaces colour 16."""
    if name in above:
        raise DataError(f"{document.path}: the model holds itself: {' > '.join((*above, name))}; break the circle")
    for number, line in enumerate(document.sections[name], 1):
        where = f"{document.path}: {name} line {number}"
        words = line.split(maxsplit=14)
        if words and words[0] in ("3", "4"):
            raise DataError(
                f"{where}: loose triangles in a model are not read; make them a part of the library (--ldraw)"
            )
        if not words or words[0] != "1":
            continue
        own, local, target = _reference(words, where)
        shade = color if own == PARENT_COLOR else own
        key = target.lower()
        if not _open_submodel(document, key, library):
            _append_brick(target, shade, placed @ local, library, where, bricks, unknown)
        else:
            _flatten(document, key, placed @ local, shade, (*above, name), library, bricks, unknown)


def _reference(words: list[str], where: str) -> tuple[int, Float64, str]:
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
    if not np.isfinite(transform).all() or abs(np.linalg.det(transform[:3, :3])) < 1e-9:
        raise DataError(f"{where}: the transform flattens the part (its determinant is 0)")
    return color, transform, target


def _open_submodel(document: _Document, key: str, library: Path | None) -> bool:
    """Whether ``key`` is a submodel; one in a file beside the model, or a shortcut of the library, is loaded now."""
    if key in document.sections:
        return True
    file: Path | None = None
    if key.endswith(MODEL_SUFFIXES):
        file = next((f for f in document.path.parent.iterdir() if f.name.lower() == Path(key).name), None)
        if file is None:
            raise DataError(f"{document.path}: names the submodel {key}, which is neither in it nor beside it")
    elif library is not None:
        part = _library_file(key, library)
        file = part if part is not None and _is_shortcut(part) else None
    if file is None:
        return False
    loaded = list(_sections(file).items())
    document.sections[key] = loaded[0][1]
    for name, lines in loaded[1:]:
        document.sections.setdefault(name, lines)
    return True


def _is_shortcut(file: Path) -> bool:
    """Whether a library file only puts other parts together ("Shortcut"), so that each keeps its own colour."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        return any(line.startswith("0 !LDRAW_ORG") and "Shortcut" in line for line, _ in zip(lines, range(12)))


def _append_brick(
    target: str,
    color: int | None,
    transform: Float64,
    library: Path | None,
    where: str,
    bricks: list[Brick],
    unknown: dict[str, str],
) -> None:
    from paad.synth.parts import canonical, near_parts

    part = Path(target).name.lower().removesuffix(".dat")
    real = library is not None and in_library(part, library)
    known = canonical(part)
    if not real and known is None:
        unknown[part] = f"near: {', '.join(near_parts(part))}" if near_parts(part) else ""
        return
    if color is None:
        raise DataError(f"{where}: colour 16 has no parent to inherit from; write a colour code such as 4 (red)")
    try:
        ldraw_color(color)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    bricks.append(Brick(part if real or known is None else known, color, transform))


def write_ldr(path: str | Path, model: BrickModel) -> Path:
    """Write a flat ``.ldr`` file, whole or not at all; numbers are rounded to 1e-4 LDU."""
    lines = [f"0 {model.name}", f"0 Name: {Path(path).name}", "0 !LDRAW_ORG Unofficial_Model", ""]
    for brick in model.bricks:
        numbers = [*brick.transform[:3, 3], *brick.transform[:3, :3].reshape(-1)]
        color = f"0x{brick.color:X}" if brick.color >= DIRECT else str(brick.color)
        lines.append(f"1 {color} {' '.join(_number(value) for value in numbers)} {brick.part}.dat")
    return write_text(path, "\n".join(lines) + "\n")


def _number(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _library_file(name: str, library: Path) -> Path | None:
    """The file of a part, subpart or primitive in the library, in lower case as the library ships it."""
    name = name.replace("\\", "/").lower()
    for room in ("parts", "p", "UnOff/parts", "UnOff/p"):
        file = library / room / name
        if file.is_file():
            return file
    return None


def in_library(part: str, library: Path) -> bool:
    """Whether the library has a file for this part number."""
    return _library_file(f"{part}.dat", library) is not None


def library_part_mesh(part: str, library: Path) -> Mesh:
    """The real geometry of a part: subparts and primitives resolved, winding made counter-clockwise from outside.

    LDraw parts are made of loose patches and are often open at joints; `paad.synth.mesh_io.mesh_problems` says how.

    Raises:
        UsageError: the library has no such part.
        DataError: a file it needs is missing or damaged, or nothing but degenerate triangles is left.
    """
    file = _library_file(f"{part}.dat", library)
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
            _, local, target = _reference(line.split(maxsplit=14), str(file))
            child = _library_file(target, library)
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
