"""Outputs are written whole or not at all: write to a temporary name beside the target, then rename."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paad.errors import PaadError


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that becomes ``path`` when the block ends well, and is removed when not.

    Raises:
        PaadError: the folder cannot be written or the disk is full; ``path`` is then as it was before.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix or ".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise PaadError(f"{target}: cannot write here ({error.strerror}); choose another --out") from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except OSError as error:
        raise PaadError(
            f"{target}: not written ({error.strerror or error}); free some space or choose another place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> Path:
    """Write ``text`` as UTF-8, whole or not at all; returns the path."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write ``content``, whole or not at all; returns the path."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def write_json(path: str | Path, value: Any) -> Path:
    """Write ``value`` as indented JSON, whole or not at all; returns the path."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
