"""``paad fit``: learn one object from posed photos of good specimens, and write the model file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paad.cli.arguments import add_device, check_target
from paad.cli.console import progress, say
from paad.cli.models import facts_of, summary_of
from paad.cli.options import add_options, given_options, method_options

DEFAULT_METHOD = "paad"


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad fit``: its own, and the options of the method that ``argv`` names."""
    parser.add_argument("object", metavar="OBJECT_DIR", type=Path, help="the object's folder (see 'paad data check')")
    parser.add_argument("--out", metavar="MODEL", type=Path, required=True, help="the model file to write, *.paad")
    parser.add_argument(
        "--method", metavar="NAME", default=DEFAULT_METHOD, help=f"see 'paad methods' (default: {DEFAULT_METHOD})"
    )
    add_device(parser)
    method = _named_method(argv)
    add_options(parser, f"options of the method {method!r}", method_options(method))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Fit and save; an interruption or a full disk leaves no file behind."""
    from paad.data import open_object

    check_target(args.out)
    toy = open_object(args.object)
    for problem in toy.problems:
        say(str(problem))
    detector = fit_object(toy, args.method, args.out, args.device, given_options(args))
    for label, value in facts_of(summary_of(detector)):
        say(f"  {label}: {value}")
    say(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB. Next: paad inspect {args.out} PHOTO ...")


def fit_object(toy: Any, method: str, out: Path, device: str = "auto", options: dict[str, Any] | None = None) -> Any:
    """Fit ``method`` on the object ``toy`` and write the model to ``out``, whole or not at all; returns the detector.

    Raises:
        DataError: the views cannot be learned from.
        UsageError: no such method, option or device.
    """
    from paad.detectors import create, methods

    detector = create(method, device=device, **(options or {}))
    views = toy.train if methods()[method].needs_poses else toy.train_images
    say(f"{toy.root}: learning {len(views)} photos with the method {method!r}")
    start = time.perf_counter()
    with progress(f"fit {toy.name}") as report:
        detector.fit(views, progress=report)
    seconds = time.perf_counter() - start
    detector.about = {
        "object": toy.name,
        "n_views": len(views),
        "data_fingerprint": toy.fingerprint("train"),
        "fit_seconds": round(seconds, 2),
    }
    detector.save(out)
    say(f"learned in {seconds:.1f} s")
    return detector


def _named_method(argv: Sequence[str]) -> str:
    """The method that ``argv`` asks for, found before parsing because it decides which options there are."""
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    scout.add_argument("--method", default=DEFAULT_METHOD, nargs="?", const=DEFAULT_METHOD)
    return str(scout.parse_known_args(list(argv))[0].method)
