"""Where a network's weights lie on this machine, and whether a file is the published one; never connects."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from paad.errors import MissingDependencyError, WeightsError
from paad.weights.registry import REGISTRY, WeightsEntry

VARIABLE = "PAAD_WEIGHTS"
"""Environment variable: a file of weights, or a folder of such files."""
_ENDINGS = (".safetensors", ".pth", ".pt")


def cache_folder() -> Path:
    """Where ``paad weights fetch`` puts files: $XDG_CACHE_HOME/paad/weights, by default under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "paad" / "weights"


def find_weights(name: str, given: str | Path | None = None, check: bool = True) -> Path:
    """The file with the weights of network ``name``: ``given``, else PAAD_WEIGHTS, else the cache.

    A folder is searched for the published file name and for ``<name>.safetensors``, ``.pth`` and ``.pt``. A file under
    its published name is checked against the known checksum.

    Args:
        name: of the network.
        given: a file or a folder; nothing else is then looked at.
        check: whether a file under its published name must have the known checksum.

    Raises:
        MissingDependencyError: nothing was found; the message names the ways out.
        WeightsError: ``given`` or PAAD_WEIGHTS leads nowhere, or the checksum is wrong.
    """
    file = _found(name, given)
    entry = REGISTRY.get(name)
    if check and entry is not None and file.name == entry.file_name:
        check_file(file, entry)
    return file


def _found(name: str, given: str | Path | None) -> Path:
    if given is not None:
        return _at(name, Path(given), "weights", needed=True) or Path(given)
    told = os.environ.get(VARIABLE)
    if told:
        file = _at(name, Path(told), VARIABLE, needed=False)
        if file is not None:
            return file
    file = _inside(name, cache_folder())
    if file is not None:
        return file
    ways = f"give a file or folder with --weights or in {VARIABLE}, or use the backbone 'bricknet' (ships with paad)"
    fetch = f"fetch them once with 'paad weights fetch {name}', " if name in REGISTRY else ""
    raise MissingDependencyError(f"the weights of {name!r} are not on this machine: {fetch}{ways}")


def _at(name: str, place: Path, what: str, needed: bool) -> Path | None:
    """The file at ``place``; of a folder that holds none, None, or an error if it is ``needed``."""
    if place.is_file():
        return place
    if not place.is_dir():
        raise WeightsError(f"{what} {str(place)!r} is neither a file nor a folder; correct the path")
    file = _inside(name, place)
    if file is None and needed:
        raise WeightsError(f"{what} {str(place)!r} holds none of {', '.join(names_of(name))}; correct the path")
    return file


def names_of(name: str) -> list[str]:
    """File names under which the weights of ``name`` are looked for."""
    published = [REGISTRY[name].file_name] if name in REGISTRY else []
    return published + [name + ending for ending in _ENDINGS]


def _inside(name: str, folder: Path) -> Path | None:
    return next((folder / n for n in names_of(name) if (folder / n).is_file()), None)


def check_file(file: Path, entry: WeightsEntry) -> str:
    """The SHA-256 of ``file``, 64 digits, once it agrees with what is known of the published one.

    Raises:
        WeightsError: it does not, or the file cannot be read.
    """
    digest = sha256_of(file)
    if not digest.startswith(entry.sha256):
        raise WeightsError(
            f"{file}: SHA-256 {digest[:16]}... is not that of {entry.name} ({entry.sha256[:16]}...); the file is cut "
            f"or altered. Delete it and run 'paad weights fetch {entry.name}'"
        )
    return digest


def sha256_of(file: Path) -> str:
    """Digest of a file's bytes, 64 hexadecimal digits.

    Raises:
        WeightsError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with file.open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
