"""From options to a configuration: presets are instances of a frozen dataclass; unknown options are refused."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from paad.errors import UsageError

Config = TypeVar("Config")


def configured(name: str, presets: Mapping[str, Config], options: Mapping[str, Any]) -> Config:
    """The preset that ``options["preset"]`` names (the first one without it), with the other ``options`` put over it.

    Args:
        name: the detector's name, for messages.
        presets: configurations by name; every one is a frozen dataclass whose field ``preset`` holds its name.
        options: field values, as a user gave them.

    Raises:
        UsageError: no such preset or option.
    """
    chosen = options.get("preset", next(iter(presets)))
    if chosen not in presets:
        raise UsageError(f"preset {chosen!r} is not one of {name}'s; allowed are: {', '.join(presets)}")
    base: Any = presets[chosen]
    known = {f.name for f in fields(base)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise UsageError(f"option {unknown[0]!r} is not one of {name}'s; allowed are: {', '.join(sorted(known))}")
    made: Config = replace(base, **options)
    return made


def torch_device(asked: str) -> str:
    """ "cpu" or "cuda", from "auto", "cpu" or "cuda".

    Raises:
        UsageError: another word, or CUDA where there is none.
    """
    if asked == "auto":
        return "cuda" if _cuda_works() else "cpu"
    if asked not in ("cpu", "cuda"):
        raise UsageError(f"device {asked!r} is not known; choose auto, cpu or cuda")
    if asked == "cuda" and not _cuda_works():
        raise UsageError("device 'cuda' is asked for, but torch finds no CUDA device here; use --device cpu")
    return asked


def _cuda_works() -> bool:
    """Whether torch finds a CUDA device; torch, which takes seconds to import, is only asked where one can be."""
    if sys.platform == "linux" and not any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg")):
        return False
    import torch

    return bool(torch.cuda.is_available())
