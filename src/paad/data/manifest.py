"""The optional ``manifest.json`` of an object folder: which specimen a photo shows, and attributes of the object.

``paad synth`` writes one; a data set of anyone's may have one with as little as::

    {"images": [{"file": "test/Burrs/000.png", "specimen": "serial 17"}], "attributes": {"parts": 54}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a manifest says; empty where there is none, or where another program's file has that name.

    Attributes:
        specimens: the specimen that a photo shows, by the photo's path inside the object folder.
        attributes: numbers that describe the object, such as its number of parts.
        generator: the program that made the pictures, such as "paad-synth"; empty if unknown.
        source: what that program made them of, such as the name of a toy.
    """

    specimens: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, float] = field(default_factory=dict)
    generator: str = ""
    source: str = ""


def read_manifest(root: Path) -> Manifest:
    """The manifest of the object folder ``root``; never raises, since it only adds to what the folder says."""
    try:
        content = json.loads((root / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Manifest()
    if not isinstance(content, dict):
        return Manifest()
    images, attributes = content.get("images"), content.get("attributes")
    entries = [entry for entry in images if isinstance(entry, dict)] if isinstance(images, list) else []
    return Manifest(
        specimens={_plain(e["file"]): str(e["specimen"]) for e in entries if _is_named(e)},
        attributes={k: float(v) for k, v in attributes.items() if isinstance(v, int | float)}
        if isinstance(attributes, dict)
        else {},
        generator=str(content.get("format") or ""),
        source=str(content.get("source") or ""),
    )


def _is_named(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("file"), str) and isinstance(entry.get("specimen"), str | int)


def _plain(file: str) -> str:
    """The path as a query's name is written: forward slashes, no leading "./"."""
    return file.replace("\\", "/").removeprefix("./")
