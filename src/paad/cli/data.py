"""``paad data``: check an object folder, or convert it to another layout."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paad.cli.console import say
from paad.errors import DataError

if TYPE_CHECKING:
    from paad.data.check import CheckReport

LAYOUTS = ("mad", "nerfstudio", "colmap")


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare ``paad data check`` and ``paad data convert``."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, title="actions")
    text = "say what was understood and list every problem"
    check = actions.add_parser(
        "check",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog="exit codes: 0 usable, 3 not usable",
        allow_abbrev=False,
    )
    check.add_argument("path", metavar="PATH", type=Path, help="the folder of one object")
    check.add_argument("--json", action="store_true", help="print a JSON object to standard output")
    check.set_defaults(run=run_check)
    text = "write a copy in another layout; coordinates stay as they are"
    convert = actions.add_parser("convert", help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    convert.add_argument("src", metavar="SRC", type=Path, help="the folder of one object, in any layout")
    convert.add_argument("dst", metavar="DST", type=Path, help="the folder to make")
    convert.add_argument("--to", choices=LAYOUTS, required=True, help="the layout to write")
    convert.set_defaults(run=run_convert)


def run_check(args: argparse.Namespace) -> int:
    """Print the report; 3 when the folder cannot be used."""
    from paad.data.check import check_object

    report = check_object(args.path)
    if args.json:
        print(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        print("\n".join(_text(report)))
    return 0 if report.usable else DataError.exit_code


def run_convert(args: argparse.Namespace) -> None:
    """Convert, and say what was written."""
    from paad.data.convert import convert_object

    say(f"{convert_object(args.src, args.dst, args.to)}: written in the layout of {args.to}")


def _text(report: CheckReport) -> Iterator[str]:
    yield report.path
    if report.train_images or report.posed_views:
        sizes = ", ".join(f"{count} of {size}" for size, count in report.image_sizes.items())
        posed = f"{report.posed_views} with a pose from {report.format}" if report.posed_views else "none with a pose"
        yield f"  training photos   {report.train_images} ({sizes}), {posed}"
    if report.camera:
        camera = report.camera
        yield (
            f"  camera            {camera['width']:.0f}x{camera['height']:.0f} px, focal length "
            f"{camera['fx']:.1f} x {camera['fy']:.1f} px, centre {camera['cx']:.1f}, {camera['cy']:.1f}"
        )
    if report.centre and report.radius is not None:
        centre = ", ".join(f"{value:.3g}" for value in report.centre)
        yield f"  common volume     centre {centre}, radius {report.radius:.3g}, in the units of the poses"
    if report.train_images:
        sure = "" if report.mask_source == "none" else f" (confidence {report.mask_confidence:.2f})"
        yield f"  masks             {_MASKS[report.mask_source]}{sure}"
    if report.points:
        yield f"  points            {report.points} of COLMAP"
    labels = ", ".join(f"{count} {label}" for label, count in report.test_images.items()) or "none"
    yield f"  test photos       {labels}; {report.test_masks} with a mask, {report.test_poses} with a true pose"
    found = Counter(problem.severity for problem in report.problems)
    for problem in report.problems:
        yield f"  {problem}"
    counts = ", ".join(f"{n} {severity}{'s' if n != 1 else ''}" for severity, n in found.items()) or "no problems"
    if report.usable:
        yield f"usable: {counts}"
    elif report.usable_without_poses:
        yield f"NOT usable as it is: {counts}. Methods that need no poses could learn from its photos"
    else:
        yield f"NOT usable: {counts}"


_MASKS = {
    "alpha": "from the alpha channel",
    "mask_path": "from mask files",
    "background": "estimated from a plain background",
    "none": "none; paad looks for the object that all photos turn around, other methods use photos whole",
}
