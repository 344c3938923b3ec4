"""Opening models for a command: load, and say what the file tells of itself."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paad.cli.arguments import add_device
from paad.errors import UsageError


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare the positional MODEL and ``--device``."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model file written by 'paad fit'")
    add_device(parser)


def load_model(args: argparse.Namespace) -> Any:
    """The fitted detector of ``args.model`` on ``args.device``.

    Raises:
        ModelFileError: the file is missing, cut, from a newer version or not one of ours.
    """
    from paad.detectors import load

    return load(args.model, device=args.device)


def summary_of(detector: Any) -> dict[str, Any]:
    """What the detector says it learned: its ``summary()``, or nothing for detectors without one."""
    tell = getattr(detector, "summary", None)
    if tell is None:
        return {}
    told = tell()
    return dict(told) if isinstance(told, Mapping) else {"summary": str(told)}


_LABELS = {
    "unseen_views.psnr": ("PSNR of unseen good views", "dB"),
    "unseen_views.psnr_object": ("on the object's pixels", "dB"),
    "unseen_views.ssim": ("SSIM of unseen good views", ""),
    "fit_seconds": ("time to learn", "s"),
    "gaussians": ("Gaussians", ""),
}
"""How known values of a summary are called, and their unit."""


def facts_of(summary: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """The plain values of a summary as (label, text), for people; a dictionary in it is opened."""
    facts: list[tuple[str, str]] = []
    for name, value in summary.items():
        key = prefix + name
        if isinstance(value, Mapping):
            facts += facts_of(value, f"{key}.")
        elif isinstance(value, bool):
            facts.append((name.replace("_", " "), "yes" if value else "no"))
        elif isinstance(value, str | int | float):
            label, unit = _LABELS.get(key, (key.replace("_", " ").replace(".", ": "), ""))
            facts.append(
                (label, f"{value:.4g} {unit}".rstrip() if isinstance(value, float) else f"{value} {unit}".rstrip())
            )
    return facts


def settings_of(detector: Any) -> dict[str, Any]:
    """The model's raw record for engineers: method, configuration, where it comes from, what it learned."""
    import dataclasses

    config = getattr(detector, "config", None)
    return {
        "method": detector.name,
        "config": dataclasses.asdict(config)
        if dataclasses.is_dataclass(config) and not isinstance(config, type)
        else {},
        "about": dict(getattr(detector, "about", {})),
        "summary": summary_of(detector),
    }


def folder_for_output(path: Path) -> Path:
    """Make ``path`` a folder.

    Raises:
        UsageError: a file of that name is in the way, or the folder cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be made a folder ({error.strerror}); choose another") from error
    return path
