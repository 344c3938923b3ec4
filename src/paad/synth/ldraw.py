"""LDraw models: read ``.ldr`` and ``.mpd`` files with their submodels, write flat ``.ldr`` files.

Formats: https://www.ldraw.org/article/218.html (files) and 47.html (multi-part documents). `paad.synth.ldraw_library`
reads the real geometry of parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paad.data.files import write_text
from paad.errors import DataError
from paad.synth.colors import DIRECT, ldraw_color
from paad.synth.ldraw_library import find_library, in_library, library_file, library_part_mesh, reference_line
from paad.synth.model import Brick, BrickModel
from paad.types import Float64

__all__ = ["find_library", "in_library", "library_part_mesh", "read_ldr", "write_ldr"]

MODEL_SUFFIXES = (".ldr", ".mpd", ".l3b")
PARENT_COLOR = 16


def read_ldr(path: str | Path, library: Path | None = None) -> BrickModel:
    """Read a ``.ldr`` or ``.mpd`` model; submodels, also those in files beside it, are flattened.

    Raises:
        DataError: the file cannot be read, names an unknown part, colour or submodel, holds itself, or has no parts.
    """
    path = Path(path)
    reader = _Reader(path, library, _sections(path))
    reader.flatten(next(iter(reader.sections)), np.eye(4), None, ())
    if reader.unknown:
        raise DataError(_unknown_parts(path, reader.unknown))
    if not reader.bricks:
        raise DataError(f"{path}: holds no part; a model has lines such as '1 4 0 0 0 1 0 0 0 1 0 0 0 1 3001.dat'")
    return BrickModel(path.stem, tuple(reader.bricks))


def _unknown_parts(path: Path, unknown: set[str]) -> str:
    from paad.synth.parts import near_parts

    near = {part: ", ".join(near_parts(part)) for part in sorted(unknown)[:8]}
    listed = "; ".join(f"{part} (near: {others})" if others else part for part, others in near.items())
    more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
    return f"{path}: unknown parts {listed}{more}; give an LDraw library that holds them (--ldraw DIR or LDRAWDIR)"


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


@dataclass
class _Reader:
    """State of one reading.

    Attributes:
        path: the model's file.
        library: where parts unknown to the catalogue may be.
        sections: lower-case name of each file inside the document to its lines; the first is the main model.
        bricks: what was found so far.
        unknown: parts that neither the catalogue nor the library has.
    """

    path: Path
    library: Path | None
    sections: dict[str, list[str]]
    bricks: list[Brick] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def flatten(self, name: str, placed: Float64, color: int | None, above: tuple[str, ...]) -> None:
        """Append the bricks of section ``name`` under ``placed``; ``color`` replaces colour 16."""
        if name in above:
            raise DataError(f"{self.path}: the model holds itself: {' > '.join((*above, name))}; break the circle")
        for number, line in enumerate(self.sections[name], 1):
            where = f"{self.path}: {name} line {number}"
            words = line.split(maxsplit=14)
            if words and words[0] in ("3", "4"):
                raise DataError(f"{where}: loose triangles in a model are not read; make them a part of the library")
            if not words or words[0] != "1":
                continue
            own, local, target = reference_line(words, where)
            shade = color if own == PARENT_COLOR else own
            if self.open_submodel(target.lower()):
                self.flatten(target.lower(), placed @ local, shade, (*above, name))
            else:
                self.append(target, shade, placed @ local, where)

    def open_submodel(self, key: str) -> bool:
        """Whether ``key`` is a submodel; one in a file of its own, or a shortcut of the library, is loaded now."""
        if key in self.sections:
            return True
        file: Path | None = None
        if key.endswith(MODEL_SUFFIXES):
            file = next((f for f in self.path.parent.iterdir() if f.name.lower() == Path(key).name), None)
            if file is None:
                raise DataError(f"{self.path}: names the submodel {key}, which is neither in it nor beside it")
        elif self.library is not None:
            part = library_file(key, self.library)
            file = part if part is not None and _is_shortcut(part) else None
        if file is None:
            return False
        (_, lines), *others = _sections(file).items()
        self.sections[key] = lines
        for name, more in others:
            self.sections.setdefault(name, more)
        return True

    def append(self, target: str, color: int | None, transform: Float64, where: str) -> None:
        """Add one part, by the catalogue's number unless the library has its own; an unknown part is only noted."""
        from paad.synth.parts import canonical

        part = Path(target).name.lower().removesuffix(".dat")
        number = part if self.library is not None and in_library(part, self.library) else canonical(part)
        if number is None:
            self.unknown.add(part)
            return
        if color is None:
            raise DataError(f"{where}: colour 16 has no parent to inherit from; write a colour code such as 4 (red)")
        try:
            ldraw_color(color)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        self.bricks.append(Brick(number, color, transform))


def _is_shortcut(file: Path) -> bool:
    """Whether a library file only puts other parts together ("Shortcut"), so that each keeps its own colour."""
    with file.open(encoding="utf-8", errors="replace") as lines:
        return any(line.startswith("0 !LDRAW_ORG") and "Shortcut" in line for line, _ in zip(lines, range(12)))


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
