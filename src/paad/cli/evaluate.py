"""``paad evaluate``: measure a model on an object's labelled test photos."""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paad._version import __version__
from paad.cli.arguments import add_false_alarm_rate, add_json
from paad.cli.console import progress, say, table
from paad.cli.models import add_model, facts_of, folder_for_output, load_model, settings_of, summary_of
from paad.errors import DataError

if TYPE_CHECKING:
    from paad.report.items import Section


@dataclass(frozen=True)
class Evaluated:
    """What :func:`evaluate_object` made: the contract's record, one record a photo, and the report's section."""

    record: dict[str, Any]
    photos: list[dict[str, Any]]
    section: Section


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad evaluate``."""
    add_model(parser)
    parser.add_argument("object", metavar="OBJECT_DIR", type=Path, help="the object's folder, with test/ in it")
    add_json(parser, "the figures as one JSON object")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write report.html and the figures there")
    add_false_alarm_rate(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Evaluate, print the table, write what was asked for."""
    from paad.data import open_object
    from paad.data.files import write_json

    toy = open_object(args.object)
    detector = load_model(args)
    out = folder_for_output(args.out) if args.out else None
    result = evaluate_object(detector, toy, args.false_alarm_rate, debug=args.debug)
    if out is not None:
        say(f"report: {write_evaluation(result, out)}")
    if args.json == "-":
        print(json.dumps(result.record, indent=2, allow_nan=False), flush=True)
    elif args.json:
        write_json(args.json, result.record)
    print(figures_table(result.record), file=sys.stderr if args.json == "-" else sys.stdout)


def evaluate_object(
    detector: Any, toy: Any, false_alarm_rate: float = 0.02, out: Path | None = None, debug: bool = False
) -> Evaluated:
    """Predict every labelled test photo of the object ``toy`` once, and measure.

    A photo that could not be read or judged counts as wrong, never as left out.

    Args:
        out: an existing folder for the anomaly map and pictures of every photo.

    Raises:
        DataError: the object has no test photos, or none of them could be read.
    """
    from paad.cli.judging import Judge
    from paad.cli.photos import Photo
    from paad.metrics.summary import Evaluation
    from paad.report.items import Section, make_item

    queries = toy.test
    if not queries:
        raise DataError(f"{toy.root / 'test'}: no labelled photos; expected test/good/*.png and test/<defect>/*.png")
    evaluation = Evaluation(false_alarm_rate=false_alarm_rate)
    judge = Judge(detector, false_alarm_rate, out, debug)
    true_poses = toy.test_poses
    records, items, totals, failed = [], [], [], 0
    with progress(f"evaluate {toy.name}") as report:
        for i, query in enumerate(queries):
            judged = judge(Photo(query.path, f"{query.label}_{query.path.stem}"))
            mask = _true_mask(query, judged.image)
            prediction = judged.prediction
            evaluation.update(
                score=judged.record["score"],
                is_defect=query.is_defect,
                map=None if prediction is None else prediction.map,
                mask=mask,
                pose=None if prediction is None else prediction.cam_from_world,
                true_pose=true_poses.get(query.name),
                status="error" if prediction is None else prediction.status,
            )
            failed += judged.failed
            if prediction is not None:
                totals.append(judged.record["seconds"]["total"])
            records.append({**judged.record, "label": query.label})
            items.append(make_item(query.name, judged.record, judged.image, prediction, query.label, mask))
            report(i + 1, len(queries), query.name)
    if failed == len(queries):
        raise DataError(f"none of {failed} photos of {toy.root} could be judged; the first: {records[0]['message']}")
    record = _record(detector, toy, evaluation.compute(), totals, false_alarm_rate, failed)
    calibrated = any(r["threshold"] is not None for r in records)
    section = Section(
        name=toy.name,
        method=detector.name,
        items=items,
        false_alarm_rate=false_alarm_rate if calibrated else None,
        facts=facts_of(summary_of(detector)),
        settings=record["settings"],
        evaluation=record,
    )
    return Evaluated(record, records, section)


def write_evaluation(result: Evaluated, out: Path) -> Path:
    """Write evaluate.json, photos.jsonl and report.html into the folder ``out``; returns the report's path."""
    from paad.data.files import write_json, write_text
    from paad.report.inspect import write_report

    write_json(out / "evaluate.json", result.record)
    lines = (json.dumps(record, allow_nan=False) + "\n" for record in result.photos)
    write_text(out / "photos.jsonl", "".join(lines))
    return write_report(out / "report.html", [result.section], f"Evaluation of {result.section.name}")


def figures_table(record: dict[str, Any]) -> str:
    """The figures of an evaluation as a text table, shares in percent."""

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.2f} %"

    rows = [(f"{block} {key}", percent(value)) for block in ("image", "pixel") for key, value in record[block].items()]
    pose = record["pose"] or {}
    rows += [(f"pose {key}", "-" if value is None else f"{value:.4g}") for key, value in pose.items()]
    rows += [
        ("seconds a photo", f"{record['seconds']['per_image']:.3f}"),
        ("peak memory", f"{record['peak_rss_mb']} MB"),
    ]
    title = f"{record['object']}, {record['method']}: {record['n_good']} good and {record['n_defect']} defective photos"
    return f"{title}\n{table(('figure', 'value'), rows)}"


def _record(
    detector: Any, toy: Any, figures: dict[str, Any], totals: list[float], false_alarm_rate: float, failed: int
) -> dict[str, Any]:
    """The contract's record; figures beyond the contract stand in "settings" under "more"."""
    contract = {key: figures.get(key) for key in ("n_good", "n_defect", "image", "pixel", "pose")}
    more = {key: value for key, value in figures.items() if key not in contract}
    return {
        "object": toy.name,
        "method": detector.name,
        **contract,
        "seconds": {
            "fit": getattr(detector, "about", {}).get("fit_seconds"),
            "per_image": round(sum(totals) / len(totals), 4),
        },
        "peak_rss_mb": peak_rss_mb(),
        "settings": {
            "paad_version": __version__,
            "false_alarm_rate": false_alarm_rate,
            "n_failed": failed,
            **settings_of(detector),
            "data_fingerprint": toy.fingerprint("all"),
            "more": more,
        },
    }


def peak_rss_mb() -> int:
    """The most memory this process held so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)


def _true_mask(query: Any, image: Any) -> Any:
    """bool [H, W]; None where the photo could not be read or nobody outlined the defect."""
    if image is None or (query.is_defect and query.mask_path is None):
        return None
    try:
        return query.load_mask(image.shape)
    except DataError as error:
        say(f"{error}; left out of the pixel figures")
        return None
