"""``paad bench run`` and ``paad bench report``: the benchmark's protocol over objects, methods, seeds and views."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paad.cli.arguments import add_device, add_false_alarm_rate
from paad.cli.console import say
from paad.errors import PaadError, UsageError

if TYPE_CHECKING:
    from paad.bench.executors import Executor, Limits
    from paad.bench.grid import Grid


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the subcommands of ``paad bench``."""
    commands = parser.add_subparsers(metavar="run|report", required=True)
    run_parser = commands.add_parser(
        "run", help="run what is not there yet of a grid; start it again after any end", allow_abbrev=False
    )
    _add_grid(run_parser)
    _add_execution(run_parser)
    run_parser.set_defaults(run=run)
    report_parser = commands.add_parser("report", help="write tables and pictures of a run", allow_abbrev=False)
    report_parser.add_argument("bench_run", metavar="RUN", type=Path, help="the folder of a run")
    report_parser.add_argument("--out", metavar="DIR", type=Path, help="where to (default: RUN/report)")
    report_parser.add_argument("--data", metavar="ROOT", type=Path, help="the data, if it was moved since the run")
    report_parser.add_argument(
        "--mad-sim", action="store_true", help="the data is MAD-Sim as downloaded, so published figures compare"
    )
    report_parser.set_defaults(run=report)


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="ROOT", type=Path, required=True, help="a folder of object folders, or one")
    parser.add_argument("--out", metavar="RUN", type=Path, required=True, help="the run's folder; a run resumes there")
    parser.add_argument("--methods", metavar="NAME", nargs="+", help="names of 'paad methods' (default: all)")
    parser.add_argument("--objects", metavar="NAME", nargs="+", default=(), help="folders in ROOT (default: all)")
    parser.add_argument("--seeds", metavar="N", nargs="+", type=int, default=(0,), help="one run for each (default: 0)")
    parser.add_argument(
        "--views",
        metavar="SHARE|N",
        nargs="+",
        type=float,
        default=(1.0,),
        help="shares of the training views up to 1.0, or numbers of views above 1 (default: 1.0)",
    )
    parser.add_argument(
        "--options",
        metavar="METHOD.KEY=VALUE",
        nargs="+",
        default=(),
        help="options of a method; VALUE as JSON, or a plain word",
    )
    parser.add_argument(
        "--keep-maps",
        choices=("all", "some", "none"),
        default="all",
        help="anomaly maps to keep: all (figures can be computed again), some (for the report) or none (default: all)",
    )
    add_false_alarm_rate(parser)
    add_device(parser)


def _add_execution(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--executor", choices=("local", "ray"), default="local", help="where jobs run (default: local)")
    parser.add_argument("--address", metavar="HOST:PORT", help="of the Ray cluster's head (default: start Ray here)")
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="jobs at a time (default: 1)")
    parser.add_argument(
        "--threads", metavar="N", type=int, help="threads of each job (default: the machine's cores / workers)"
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="stop a job that takes longer")
    parser.add_argument("--memory", metavar="GB", type=float, help="stop a job that takes more memory")
    parser.add_argument("--dry-run", action="store_true", help="only say how long the grid would take")
    parser.add_argument("--rerun-changed", action="store_true", help="run jobs again whose settings changed")
    parser.add_argument("--retry-failed", action="store_true", help="run jobs again that failed")
    parser.add_argument(
        "--score-again", action="store_true", help="run nothing: compute the figures again from the kept maps"
    )


def run(args: argparse.Namespace) -> int:
    """Run the grid; 1 if not a single job of it ended well."""
    from paad.bench.executors import Limits
    from paad.bench.runner import estimate_grid, run_grid, score_run_again

    for name in ("workers", "threads"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UsageError(f"--{name} {getattr(args, name)}: must be at least 1")
    if args.score_again:
        say(f"{score_run_again(args.out, args.data, say)} rows computed again")
        return 0
    grid = grid_of(args)
    if args.dry_run:
        print(estimate_grid(grid, args.out, args.workers))
        return 0
    memory = None if args.memory is None else int(args.memory * 1e9)
    executor, workers = _executor(args, Limits(args.timeout, memory, grid.threads))
    summary = run_grid(
        grid,
        args.out,
        executor,
        workers=workers,
        rerun_changed=args.rerun_changed,
        retry_failed=args.retry_failed,
        say=say,
    )
    ended = ", ".join(f"{n} {status}" for status, n in summary.by_status.items())
    say(f"{summary.n_jobs} jobs, {summary.n_run} run now: {ended}\nnext: paad bench report {args.out}")
    return 0 if set(summary.by_status) & {"ok", "skipped"} else 1


def report(args: argparse.Namespace) -> None:
    """Write the report of a run."""
    from paad.report.bench_report import write_bench_report

    for path in write_bench_report(
        args.bench_run, args.out or args.bench_run / "report", data=args.data, mad_sim=args.mad_sim
    ):
        say(str(path))


def grid_of(args: argparse.Namespace) -> Grid:
    """The grid that the arguments of ``paad bench run`` describe.

    Raises:
        UsageError: an option that is not METHOD.KEY=VALUE.
    """
    from paad.bench.grid import Grid
    from paad.detectors import methods

    return Grid(
        data=args.data,
        methods=tuple(args.methods or methods()),
        objects=tuple(args.objects),
        seeds=tuple(dict.fromkeys(args.seeds)),
        views=tuple(dict.fromkeys(args.views)),
        options=_options(args.options),
        keep_maps=args.keep_maps,
        false_alarm_rate=args.false_alarm_rate,
        device=args.device,
        threads=args.threads or max(1, (os.cpu_count() or 1) // args.workers),
    )


def _options(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``METHOD.KEY=VALUE`` by method and key; VALUE is JSON if it can be, else a word."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        method, dot, key = name.rpartition(".")
        if not (equals and dot and method and key):
            raise UsageError(f"--options {text}: must be METHOD.KEY=VALUE, such as paad.steps=500")
        options = found.setdefault(method, {})
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return found


def _executor(args: argparse.Namespace, limits: Limits) -> tuple[Executor, int]:
    """The executor and how many jobs it does at a time."""
    if args.executor == "local":
        if args.address is not None:
            raise UsageError(f"--address {args.address}: only goes with --executor ray")
        from paad.bench.executors import LocalExecutor

        return LocalExecutor(args.workers, limits), args.workers
    from paad.bench.executor_ray import RayExecutor

    try:
        executor = RayExecutor(args.address, limits)
    except OSError as error:
        raise PaadError(f"Ray could not be started here: {error}") from error
    return executor, executor.slots
