"""Time whole data sets: python benchmarks/synth_full_run.py OUT [--toys all] [--profile tiny] [--looks sim real].

Runs ``paad synth OUT-LOOK`` for a few toys at a time and adds up wall and processor seconds, start and end of the
processes included; ``OUT.times.json`` remembers them, so that the same command goes on after a stop. On a machine that
others use, processor seconds over the number of workers say what the wall would have been. Also prints the largest
memory of all processes of a run together (proportional set sizes, asked twice a second).
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from paad.data.files import write_json
from paad.synth.toys import toy_names

FIRST = ("Gorilla", "Owl", "Phoenix", "Cat", "Bear")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--toys", nargs="+", default=["all"])
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--looks", nargs="+", default=["sim", "real"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--group", type=int, default=5, help="toys in one command (default: 5)")
    parser.add_argument("--groups", type=int, default=100, help="stop after so many commands (default: all)")
    parser.add_argument("--variant", default="auto")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    book = args.out.with_name(args.out.name + ".times.json")
    times: dict[str, Any] = json.loads(book.read_text()) if book.is_file() else {}
    names = sorted(toy_names(), key=lambda n: n not in FIRST) if args.toys == ["all"] else args.toys
    left = args.groups
    for look in args.looks:
        for first in range(0, len(names), args.group):
            toys = names[first : first + args.group]
            entry = times.setdefault(
                f"{args.profile} {look} {' '.join(toys)}", {"seconds": 0.0, "cpu_seconds": 0.0, "peak_mb": 0}
            )
            if entry.get("done") or not left:
                continue
            left -= 1
            try:
                run(args, look, toys, entry)
            finally:
                write_json(book, times)
            print(
                f"{look} {' '.join(toys)}: {entry['seconds']:.0f} s, {entry['cpu_seconds']:.0f} processor s, "
                f"{entry['peak_mb']} MB",
                flush=True,
            )
            if not entry.get("done"):
                sys.exit("paad synth failed")
    for look in args.looks:
        found = [e for key, e in times.items() if key.startswith(f"{args.profile} {look} ") and e.get("done")]
        if found:
            seconds, peak = sum(e["seconds"] for e in found), max(e["peak_mb"] for e in found)
            cpu = sum(e["cpu_seconds"] for e in found) / args.workers
            print(
                f"{args.profile} {look}: {len(found)} commands, {seconds / 60.0:.1f} min on the clock, "
                f"{cpu / 60.0:.1f} min of {args.workers} processors, at most {peak} MB together"
            )


def run(args: argparse.Namespace, look: str, toys: list[str], entry: dict[str, Any]) -> None:
    """One ``paad synth``; its seconds, memory and success go into ``entry``, also when it is stopped."""
    out = args.out.with_name(f"{args.out.name}-{look}")
    options = ["--profile", args.profile, "--look", look, "--workers", str(args.workers), "--variant", args.variant]
    start, used = time.perf_counter(), _children_seconds()
    process = subprocess.Popen([sys.executable, "-m", "paad", "synth", str(out), "--toys", *toys, *options])
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, over, entry))
    watcher.start()
    try:
        entry["done"] = process.wait() == 0
    finally:
        process.terminate()  # where this is interrupted
        process.wait()
        entry["seconds"] += time.perf_counter() - start
        entry["cpu_seconds"] += _children_seconds() - used
        over.set()
        watcher.join()


def _children_seconds() -> float:
    """Processor seconds of all children, and theirs, that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _watch(pid: int, over: threading.Event, entry: dict[str, Any]) -> None:
    while not over.wait(0.5):
        entry["peak_mb"] = max(entry["peak_mb"], _tree_mb(pid))


def _tree_mb(pid: int) -> int:
    """Memory of a process and all below it, megabytes; Linux only."""
    total, todo = 0, [pid]
    while todo:
        base = Path("/proc") / str(todo.pop())
        try:
            lines = (base / "smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            todo += [int(c) for task in (base / "task").iterdir() for c in (task / "children").read_text().split()]
        except (OSError, StopIteration):
            continue  # it has ended
    return total // 1024


if __name__ == "__main__":
    main()
