"""``paad export``: write a model's 3D field to a file of another program, in the input's frame."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from paad.cli.arguments import check_target
from paad.cli.console import say
from paad.errors import UsageError


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad export``."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model file written by 'paad fit'")
    parser.add_argument("--to", choices=("ply",), required=True, help="ply: the standard Gaussian splat file")
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the field of a model that has one."""
    from paad.detectors import load
    from paad.fields.ply import write_ply

    check_target(args.file)
    detector = load(args.model, device="cpu")
    gaussians = getattr(getattr(detector, "field", None), "gaussians", None)
    if gaussians is None:
        raise UsageError(f"{args.model}: the method {detector.name!r} learns no 3D field to export")
    write_ply(gaussians, args.file)
    say(f"{args.file}: {args.file.stat().st_size / 1e6:.1f} MB")
