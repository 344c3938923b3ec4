"""Arguments that several commands share, and the types that check their values."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from paad.errors import UsageError


def add_device(parser: argparse.ArgumentParser) -> None:
    """Declare ``--device``."""
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (default: auto)"
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare ``--json FILE|-``."""
    parser.add_argument("--json", metavar="FILE|-", help=f"write {what} to a file, or to standard output with '-'")


def add_false_alarm_rate(parser: argparse.ArgumentParser) -> None:
    """Declare ``--false-alarm-rate``."""
    parser.add_argument(
        "--false-alarm-rate",
        type=rate,
        default=0.02,
        metavar="RATE",
        help="share of photos of good specimens that may be flagged by mistake (default: 0.02)",
    )


def rate(text: str) -> float:
    """A share strictly between 0 and 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1, such as 0.02")
    return value


def check_target(path: Path) -> None:
    """Refuse an output file that cannot be written, before hours of work go into it.

    Raises:
        UsageError: ``path`` is a folder, or lies in a place that cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"--out {path}: is a folder; give a file name such as {path / 'model.paad'}")
    parent = next(p for p in (path.absolute().parent, *path.absolute().parents) if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"--out {path}: {parent} cannot be written; choose another place")
