"""``paad export``: write a model to a file of another program: its 3D field as splats, its network as ONNX."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paad.cli.arguments import check_target
from paad.cli.console import say
from paad.errors import UsageError


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad export``."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model file written by 'paad fit'")
    parser.add_argument(
        "--to",
        choices=("ply", "onnx"),
        required=True,
        help="ply: the standard Gaussian splat file, in the input's frame; onnx: the network, photo to map and score",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the field or the network of a model that has one."""
    from paad.detectors import load

    check_target(args.file)
    detector = load(args.model, device="cpu")
    if args.to == "ply":
        _ply(args, detector)
    else:
        _onnx(args, detector)
    say(f"{args.file}: {args.file.stat().st_size / 1e6:.1f} MB")


def _ply(args: argparse.Namespace, detector: Any) -> None:
    from paad.fields.ply import write_ply

    gaussians = getattr(getattr(detector, "field", None), "gaussians", None)
    if gaussians is None:
        raise UsageError(f"{args.model}: the method {detector.name!r} learns no 3D field to export")
    write_ply(gaussians, args.file)


def _onnx(args: argparse.Namespace, detector: Any) -> None:
    if not hasattr(detector, "onnx_module"):
        raise UsageError(f"{args.model}: the method {detector.name!r} is no network that can be exported to ONNX")
    from paad.backbones.onnx import export_onnx

    module, example, inputs, outputs = detector.onnx_module()
    worst = export_onnx(module, example, args.file, inputs, outputs)
    say(f"input {inputs[0]} {list(example.shape)}, outputs {', '.join(outputs)}; within {worst:.1e} of torch")
