"""What commands say to people: messages and progress go to standard error, tables are plain text."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paad.types import Progress

PLAIN_PROGRESS_SECONDS = 10.0


def say(message: str) -> None:
    """Print one message to standard error."""
    print(message, file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain text table: columns as wide as their widest cell, two spaces between."""
    lines = [tuple(header), tuple("-" * len(h) for h in header), *(tuple(r) for r in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines)


@contextlib.contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A callable ``progress(done, total, message)``: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _lines(title)


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Progress]:
    # rich takes 0.1 s to import, so only commands with long work on a terminal pay for it.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("[bold]{task.fields[title]}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, title=escape(title))

        def report(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(message))

        yield report


def _lines(title: str) -> Progress:
    said = time.monotonic()

    def report(done: int, total: int, message: str) -> None:
        nonlocal said
        if time.monotonic() - said >= PLAIN_PROGRESS_SECONDS:
            said = time.monotonic()
            say(f"{title}: {done}/{total} {message}".rstrip())

    return report
