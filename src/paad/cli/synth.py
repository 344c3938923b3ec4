"""``paad synth``: generate brick toys with defects: posed photos, masks, true poses."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from paad.cli.console import progress, say


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad synth``."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder for the object folders; new, empty or unfinished")
    parser.add_argument(
        "--toys",
        metavar="NAME",
        nargs="+",
        default=["all"],
        help="'all', names of toys, or files: LDraw models (.ldr, .mpd), meshes (.obj, .ply, .stl, .glb); default: all",
    )
    parser.add_argument("--profile", choices=("tiny", "small", "full"), default="tiny", help="160, 400 or 800 pixels")
    parser.add_argument("--look", choices=("sim", "real"), default="sim", help="on white, or photos on tables")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="same seed, same bytes (default: 0)")
    parser.add_argument("--workers", metavar="N", type=int, default=None, help="processes (default: one a core)")
    parser.add_argument("--ldraw", metavar="DIR", type=Path, default=None, help="an LDraw library (or LDRAWDIR)")
    parser.add_argument("--buffers", action="store_true", help="also write depth, normals, albedo and part numbers")
    parser.add_argument(
        "--variant",
        choices=("auto", "scalar_rgb", "llvm_ad_rgb"),
        default="auto",
        help="of Mitsuba; the LLVM one is several times as fast (default: auto: LLVM if it works here)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Generate, and say where."""
    synth(args.out, args.toys, args.profile, args.look, args.seed, args.workers, args.ldraw, args.buffers, args.variant)


def synth(
    out: Path,
    toys: Sequence[str] = ("all",),
    profile: str = "tiny",
    look: str = "sim",
    seed: int = 0,
    workers: int | None = None,
    ldraw: Path | None = None,
    buffers: bool = False,
    variant: str = "auto",
) -> Path:
    """Generate object folders into ``out`` with a progress bar; see :func:`paad.synth.dataset.generate`.

    Raises:
        MissingDependencyError: Mitsuba's ``variant`` does not run here.
        UsageError: an unknown toy, profile or look; ``out`` holds something else.
        DataError: a model cannot be used.
        PaadError: a file cannot be written, or a worker died.
    """
    from paad.synth.dataset import generate
    from paad.synth.toys import toy_names

    chosen = toy_names() if list(toys) == ["all"] else list(toys)
    count = cores() if workers is None else workers
    with progress("synth") as report:
        generate(out, chosen, profile, look, seed, count, report, ldraw, buffers, variant)
    say(f"{out}: {len(chosen)} object{'s' if len(chosen) != 1 else ''}. Next: paad data check {out}/NAME")
    return out


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
