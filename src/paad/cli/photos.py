"""Which photos the user meant: files, folders and patterns, in order, each with a name for its output files."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paad.data.images import SUFFIXES
from paad.data.listing import NaturalKey, natural_key


@dataclass(frozen=True)
class Photo:
    """A photo to judge. ``stem`` begins the names of its output files and is unique in the run."""

    path: Path
    stem: str


def find_photos(arguments: Sequence[str]) -> list[Photo]:
    """The photos named by files, folders (searched with their subfolders) and patterns such as ``shots/*.jpg``.

    An argument that names nothing stays in the list as it is, so that it becomes an error line of its own.
    Files named twice come once.
    """
    paths = list(dict.fromkeys(path for argument in arguments for path in _expand(argument)))
    return [Photo(path, stem) for path, stem in zip(paths, _unique_stems(paths))]


def _expand(argument: str) -> Iterator[Path]:
    path = Path(argument)
    if path.is_dir():
        found = [
            file
            for file in sorted(path.rglob("*"), key=_natural)
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
        ]
        yield from found or [path]
    elif not path.exists() and glob.has_magic(argument):
        yield from sorted(map(Path, glob.glob(argument, recursive=True)), key=_natural) or [path]
    else:
        yield path


def _natural(path: Path) -> tuple[NaturalKey, str]:
    return natural_key(path.as_posix()), str(path)


def _unique_stems(paths: Sequence[Path]) -> list[str]:
    """File stems; where several photos share one, their folder's name goes before it, then a number."""
    stems = [path.stem or "photo" for path in paths]
    shared = Counter(stems)
    stems = [f"{path.resolve().parent.name}_{s}" if shared[s] > 1 else s for path, s in zip(paths, stems)]
    taken: set[str] = set()
    for i, stem in enumerate(stems):
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name)
        stems[i] = name
    return stems
