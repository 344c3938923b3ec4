"""``paad weights list|fetch|verify``: the weights of feature networks on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paad.cli.console import progress, say, table
from paad.errors import MissingDependencyError, PaadError, WeightsError

if TYPE_CHECKING:
    from paad.weights import WeightsEntry


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare ``list``, ``fetch`` and ``verify``."""
    actions = parser.add_subparsers(metavar="list|fetch|verify", required=True)
    listing = actions.add_parser("list", help="what is known, and what is here", allow_abbrev=False)
    listing.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    listing.set_defaults(run=_list)
    fetch = actions.add_parser("fetch", help="download weights into the cache and check them", allow_abbrev=False)
    fetch.add_argument("names", metavar="NAME", nargs="+", help="network, as 'paad weights list' names it")
    fetch.add_argument("--to", metavar="DIR", type=Path, help="another folder than the cache")
    fetch.add_argument("--url", help="a mirror's address of the file, for one NAME")
    fetch.set_defaults(run=_fetch)
    verify = actions.add_parser("verify", help="check files against the known checksums", allow_abbrev=False)
    verify.add_argument("names", metavar="NAME", nargs="*", help="network (default: all that are here)")
    verify.add_argument("--weights", metavar="FILE|DIR", type=Path, help="where to look, instead of the usual places")
    verify.set_defaults(run=_verify)


def _list(args: argparse.Namespace) -> None:
    from paad.weights import REGISTRY

    rows = [_row(entry) for entry in REGISTRY.values()]
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    cells = [(r["name"], f"{r['size_mb']:.1f}", r["sha256"][:16], r["path"] or "not here", r["licence"]) for r in rows]
    print(table(("weights", "MB", "sha256 begins", "where", "licence"), cells))
    say("bricknet ships with paad and needs no file")


def _row(entry: WeightsEntry) -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(entry), "path": _place(entry.name)}


def _place(name: str) -> str | None:
    """Where the weights lie; a wrong file is somewhere too, and ``verify`` tells."""
    from paad.weights import find_weights

    try:
        return str(find_weights(name, check=False))
    except (MissingDependencyError, WeightsError):
        return None


def _fetch(args: argparse.Namespace) -> None:
    from paad.errors import UsageError
    from paad.weights import entry_of, fetch_weights

    entries = [entry_of(name) for name in args.names]
    if args.url and len(entries) != 1:
        raise UsageError(f"--url is the address of one file, and {len(entries)} names are given; name one")
    for entry in entries:
        with progress(f"fetch {entry.name}") as report:
            file = fetch_weights(entry, args.to, args.url, report)
        say(f"{file}: fetched, {_strength(entry)}")


def _verify(args: argparse.Namespace) -> int:
    from paad.weights import REGISTRY, check_file, entry_of, find_weights

    entries = [entry_of(name) for name in args.names] or [e for e in REGISTRY.values() if _place(e.name)]
    if not entries:
        say("no weights are here; 'paad weights fetch NAME' brings some")
    failed = 0
    for entry in entries:
        try:
            file = find_weights(entry.name, args.weights, check=False)
            print(f"{entry.name}: {file}: {check_file(file, entry)} {_strength(entry)}")
        except PaadError as error:
            say(f"{entry.name}: {error}")
            failed = max(failed, error.exit_code)
    return failed


def _strength(entry: WeightsEntry) -> str:
    return "checksum right" if entry.checksum_is_whole else f"the checksum's known {len(entry.sha256)} digits are right"
