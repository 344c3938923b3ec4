"""Find image files: natural order, and names with or without suffix, ``./`` and leading zeros."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from paad.data.images import SUFFIXES

_DIGITS = re.compile(r"(\d+)")

NaturalKey = tuple[tuple[int, int, str], ...]


def natural_key(text: str) -> NaturalKey:
    """Sort key that puts "2" before "10", ignores case, and is the same for "007" and "7"."""
    parts = _DIGITS.split(text.lower())
    return tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts if p)


def list_images(folder: Path) -> list[Path]:
    """The image files directly inside ``folder`` in natural order; none where there is no such folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if _is_image(e.name) and e.is_file()]
    return [folder / name for name in sorted(names, key=lambda n: (natural_key(n), n))]


def list_folders(folder: Path) -> list[Path]:
    """The visible folders directly inside ``folder`` in natural order."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    return [folder / name for name in sorted(names, key=lambda n: (natural_key(n), n))]


def relative_name(path: Path, root: Path) -> str:
    """``path`` relative to ``root`` with forward slashes, or the whole path where it lies outside."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


class ImageFinder:
    """Resolves the names that pose files and mask folders use; lists each folder once.

    Args:
        root: the object folder.
        folders: where to look for a bare name whose own folder does not exist, in this order.
    """

    def __init__(self, root: Path, folders: tuple[str, ...] = ()) -> None:
        self.root = root
        self.folders = folders
        self._known: dict[Path, dict[str | NaturalKey, Path]] = {}

    def find(self, file_path: str) -> Path | None:
        """The file that ``file_path`` means, or None."""
        name = PurePosixPath(file_path.replace("\\", "/"))
        own = self.root / name.parent
        if own.is_dir():
            found = self.in_folder(own, name.name)
            if found or str(name.parent) != ".":
                return found
        for folder in self.folders:
            found = self.in_folder(self.root / folder / name.parent, name.name)
            found = found or self.in_folder(self.root / folder, name.name)
            if found:
                return found
        return None

    def in_folder(self, folder: Path, name: str) -> Path | None:
        """The image in ``folder`` with this name, else with this stem, else with this stem and other zeros."""
        if folder not in self._known:
            index: dict[str | NaturalKey, Path] = {}
            for path in list_images(folder):
                index[path.name] = path
                index.setdefault(path.stem.lower() + "\0stem", path)
                index.setdefault(natural_key(path.stem), path)
            self._known[folder] = index
        stem = name[: name.rindex(".")] if _is_image(name) else name
        known = self._known[folder]
        return known.get(name) or known.get(stem.lower() + "\0stem") or known.get(natural_key(stem))


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
