"""``paad methods``: the detectors that are registered here."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence

from paad.cli.console import table


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad methods``."""
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print every registered detector."""
    from paad.detectors import methods

    found = sorted(methods().values(), key=lambda m: (m.year, m.name))
    if args.json:
        print(json.dumps([dataclasses.asdict(m) for m in found], indent=2))
        return
    rows = [
        (m.name, m.paradigm, "posed" if m.needs_poses else "any", str(m.year) if m.year else "", m.paper) for m in found
    ]
    print(table(("method", "paradigm", "views", "year", "paper"), rows))
