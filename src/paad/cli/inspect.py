"""``paad inspect``: judge photos, one JSON line or table row each, as they come."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from paad.cli.arguments import add_false_alarm_rate, add_json
from paad.cli.console import progress, say
from paad.cli.models import add_model, facts_of, folder_for_output, load_model, settings_of, summary_of
from paad.errors import DataError, PaadError, UsageError

if TYPE_CHECKING:
    from paad.cli.photos import Photo
    from paad.report.items import Item
    from paad.types import Prediction

_EPILOG = """\
exit codes: 0 photos were judged, whether or not there are defects; 3 the model cannot be used or no photo
could be read; 1 something could not be written. A photo that cannot be read is a line with status "error".
"""


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad inspect``."""
    add_model(parser)
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", help="photos, folders of photos (with their subfolders), or patterns"
    )
    parser.add_argument(
        "--specimen",
        action="store_true",
        help="all photos show one specimen: add one verdict on it, from the evidence that they share on its surface",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="write anomaly maps, pictures, report.html and specimen.ply there"
    )
    add_json(parser, "one JSON object a photo and line; with --specimen a last one of the specimen")
    add_false_alarm_rate(parser)
    parser.epilog = _EPILOG
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Judge every photo; raises only after the last one."""
    import numpy as np

    from paad.cli.judging import Judge
    from paad.cli.photos import find_photos

    photos = find_photos(args.images)
    out = folder_for_output(args.out) if args.out else None
    detector = load_model(args)
    if args.specimen and not hasattr(detector, "judge_specimen"):
        raise UsageError(f"--specimen: the method {detector.name!r} judges single photos only; use a model of 'paad'")
    judge = Judge(detector, args.false_alarm_rate, out, args.debug)
    items: list[Item] = []
    predictions: list[Prediction] = []
    facts: list[tuple[str, str]] = []
    found: Counter[str] = Counter()
    read = 0
    with _writer(args.json, len(photos)) as write:
        for photo in photos:
            judged = judge(photo)
            found[judged.record["status"]] += 1
            read += judged.image is not None
            write(judged.record)
            if out is not None:
                items.append(_item(photo, judged))
            if args.specimen and judged.prediction is not None:
                predictions.append(replace(judged.prediction, map=np.zeros((0, 0), np.float32), reference=None))
        if predictions:
            record = _specimen(detector, predictions, args.false_alarm_rate, out)
            facts = _specimen_facts(record)
            write(record)
    if out is not None:
        report = _report(out / "report.html", args, detector, items, facts)
        say(f"report: {report}")
    say(
        f"{len(photos)} photo{'s' if len(photos) != 1 else ''}: "
        + ", ".join(f"{n} {status}" for status, n in sorted(found.items()))
    )
    if read == 0:
        raise DataError(f"no photo could be read, of {len(photos)}; the lines above say why")
    if judge.unsaved:
        raise PaadError(f"{judge.unsaved} photos were judged, but their map or pictures could not be written to {out}")


def _item(photo: Photo, judged: Any) -> Item:
    from paad.report.items import make_item

    clash = photo.stem != photo.path.stem
    name = f"{photo.path.parent.name}/{photo.path.name}" if clash else photo.path.name
    return make_item(name, judged.record, judged.image, judged.prediction)


def _specimen(detector: Any, predictions: Sequence[Prediction], rate: float, out: Path | None) -> dict[str, Any]:
    """The specimen's record; its coloured points go into ``out``."""
    from paad.cli.records import specimen_record
    from paad.data.points_ply import write_points_ply

    try:
        verdict = detector.judge_specimen(predictions, rate)
    except PaadError as error:  # the photos' own verdicts stand
        return specimen_record(None, None, str(error))
    ply = None
    if out is not None:
        ply = str(write_points_ply(out / "specimen.ply", verdict.points, verdict.colours, evidence=verdict.evidence))
    return specimen_record(verdict, ply)


def _specimen_facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The specimen's verdict, for the report."""
    verdict = str(record["specimen"])
    if verdict == "error":
        return [("specimen", f"no verdict: {record['message']}")]
    if record["kind"]:
        verdict += f" ({record['kind']})"
    facts = [("specimen", f"{verdict}, from {record['photos']} photos")]
    if record["score"] is not None:
        facts.append(("specimen's evidence", f"{record['score']:.3g}, threshold {record['threshold']:.3g}"))
        place = ", ".join(f"{v:.3f}" for v in record["place"])
        facts.append(("most suspicious place", f"({place}), radius {record['extent']:.3f}, scene units"))
    return facts


def _report(
    path: Path,
    args: argparse.Namespace,
    detector: Any,
    items: Sequence[Item],
    specimen: Sequence[tuple[str, str]],
) -> Path:
    from paad.report.inspect import write_report
    from paad.report.items import Section

    calibrated = any(item.record["threshold"] is not None for item in items)
    section = Section(
        name=str(getattr(detector, "about", {}).get("object", args.model.stem)),
        method=detector.name,
        items=items,
        false_alarm_rate=args.false_alarm_rate if calibrated else None,
        facts=[*specimen, *facts_of(summary_of(detector))],
        settings=settings_of(detector),
    )
    return write_report(path, [section])


@contextlib.contextmanager
def _writer(target: str | None, total: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Where records go: JSON lines to standard output or to a file (whole or not at all), else a table's rows."""
    if target is None:
        print(_row("verdict", "score", "p-value", "pose", "regions", "photo"), flush=True)
        yield lambda record: print(_table_row(record), flush=True)
    elif target == "-":
        yield lambda record: _line(record, sys.stdout)
    else:
        from paad.data.files import whole_file

        with (
            whole_file(target) as temporary,
            temporary.open("w", encoding="utf-8") as handle,
            progress("inspect") as bar,
        ):
            done = 0

            def write(record: dict[str, Any]) -> None:
                nonlocal done
                done += 1
                _line(record, handle)
                bar(min(done, total), total, record.get("image", "specimen"))

            yield write


def _line(record: dict[str, Any], handle: TextIO) -> None:
    # ASCII, because file names may hold bytes that are no text and terminals differ.
    handle.write(json.dumps(record, allow_nan=False) + "\n")
    handle.flush()


def _row(verdict: str, score: str, p_value: str, pose: str, regions: str, photo: str) -> str:
    return f"{verdict:<8} {score:>9} {p_value:>8} {pose:>6}  {regions:<28} {photo}".rstrip()


def _table_row(record: dict[str, Any]) -> str:
    if "specimen" in record:
        return "; ".join(f"{name}: {value}" for name, value in _specimen_facts(record))

    def number(key: str, digits: int) -> str:
        return "-" if record[key] is None else f"{record[key]:.{digits}g}"

    kinds = Counter(region["kind"] or "region" for region in record["regions"])
    regions = ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "-"
    row = _row(
        record["status"], number("score", 4), number("p_value", 3), number("pose_quality", 2), regions, record["image"]
    )
    message = str(record["message"]).removeprefix(f"{record['image']}: ")
    return f"{row}: {message}" if message else row
