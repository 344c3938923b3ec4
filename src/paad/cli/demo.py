"""``paad demo``: from nothing to a report: render two brick toys, learn each, judge photos of good and broken ones."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paad.cli.arguments import add_false_alarm_rate
from paad.cli.console import progress, say
from paad.cli.models import folder_for_output
from paad.errors import PaadError

if TYPE_CHECKING:
    from paad.cli.evaluate import Evaluated

TOYS = ("Mallard", "Puppy")


@dataclass(frozen=True)
class DemoProfile:
    """How much the demo makes of each toy: photos of ``size`` pixels, light paths a pixel, the options of the fit."""

    size: int
    samples: int
    train: int
    good: int
    defect: int
    options: dict[str, Any] = field(default_factory=dict)


PROFILES = {
    "quick": DemoProfile(
        size=160,
        samples=16,
        train=48,
        good=4,
        defect=6,
        options={
            "steps": 450,
            "initial_gaussians": 8000,
            "max_gaussians": 10000,
            "sh_degree": 2,
            "template_spacing_deg": 10.0,
            "hold_out": 0.25,
        },
    ),
    "full": DemoProfile(
        size=240,
        samples=24,
        train=100,
        good=8,
        defect=12,
        options={"steps": 1800, "initial_gaussians": 15000, "max_gaussians": 24000, "hold_out": 0.2},
    ),
}


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad demo``."""
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("demo-out"), help="where everything goes (default: demo-out)"
    )
    parser.add_argument(
        "--profile", choices=tuple(PROFILES), default="full", help="quick: fewer and smaller photos (default: full)"
    )
    add_false_alarm_rate(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Make the demo and say where its report is."""
    start = time.perf_counter()
    report = make_demo(args.out, args.profile, args.false_alarm_rate, debug=args.debug)
    example = report.parent / TOYS[0]
    say(f"done in {time.perf_counter() - start:.0f} s. Open {report} in a browser. Then try:")
    say(f"  paad inspect {example}.paad {report.parent / 'data' / args.profile / TOYS[0] / 'test'} --out my-photos")


def make_demo(
    out: Path, profile: str = "full", false_alarm_rate: float = 0.02, method: str = "paad", debug: bool = False
) -> Path:
    """Data, models, judged photos and ``report.html`` below ``out``; returns the report's path.

    Goes on where an interrupted run stopped: finished photos are not rendered again, and a model that was fitted
    on these very photos is kept.

    Raises:
        PaadError: a stage failed; the message says which and why.
    """
    from paad.cli.evaluate import figures_table
    from paad.report.inspect import write_report

    folder_for_output(out)
    data = _render(out / "data" / profile, PROFILES[profile])
    results: list[Evaluated] = []
    for name in TOYS:
        results.append(_toy(data / name, out, PROFILES[profile], method, false_alarm_rate, debug))
        print(figures_table(results[-1].record), flush=True)
    return write_report(out / "report.html", [r.section for r in results], "Demo: two brick toys")


def _render(data: Path, profile: DemoProfile) -> Path:
    """The photos of both toys: good ones with poses to learn from, good and broken ones to judge."""
    from paad.synth.dataset import generate
    from paad.synth.dataset_profile import Counts, Profile

    counts = Counts(profile.train, profile.good, profile.defect, specimens=profile.defect // 3)
    sizes = Profile("demo", profile.size, counts, samples=profile.samples)
    workers = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)
    say(f"{data}: rendering photos of {' and '.join(TOYS)} in {workers} processes")
    with progress("render") as report:
        return generate(data, TOYS, sizes, look="sim", seed=0, workers=workers, progress=report)


def _toy(folder: Path, out: Path, profile: DemoProfile, method: str, false_alarm_rate: float, debug: bool) -> Evaluated:
    """Learn one toy, unless its model is there, and judge its test photos."""
    from paad.cli.evaluate import evaluate_object, write_evaluation
    from paad.cli.fit import fit_object
    from paad.data import open_object

    toy = open_object(folder)
    model = out / f"{toy.name}.paad"
    detector = _kept(model, toy.fingerprint("train"))
    if detector is None:
        detector = fit_object(toy, method, model, options=profile.options)
    else:
        say(f"{model}: learned from these photos before; kept")
    result = evaluate_object(detector, toy, false_alarm_rate, out=folder_for_output(out / toy.name), debug=debug)
    write_evaluation(result, out / toy.name)
    return result


def _kept(model: Path, fingerprint: str) -> Any | None:
    """The detector of an earlier run, if its file is whole and was fitted on the same photos."""
    from paad.detectors import load

    if not model.is_file():
        return None
    try:
        detector = load(model)
    except PaadError as error:
        say(f"{error}; learning again")
        return None
    return detector if detector.about.get("data_fingerprint") == fingerprint else None
