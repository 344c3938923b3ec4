"""Kernels over ranges, shared among a few threads of our own.

numba's pools do not suit kernels of a millisecond with other work between them: of OpenMP the waiting threads spin, and
stall for whole scheduler ticks when anything else runs on the machine; of its own pool they nap for about as long as
they have waited, and the second core then comes too late. Kernels that let go of the interpreter's lock
(``nogil=True``) can be called by plain threads, which wake in a tenth of a millisecond.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba

_RANGES_A_THREAD = 4
"""Ranges are not equally dear: who is done takes the next."""

_working = threading.local()
"""Has ``here`` set in a thread that does its share of a kernel."""
_wanted: int | None = None
_pool: ThreadPoolExecutor | None = None


def threads() -> int:
    """How many threads share a kernel: those set, else as many as there are processors, or NUMBA_NUM_THREADS."""
    return int(numba.config.NUMBA_NUM_THREADS) if _wanted is None else _wanted  # type: ignore[attr-defined]


def set_threads(count: int) -> None:
    """Share kernels among ``count`` threads, the caller being one of them; at least 1."""
    global _wanted
    _wanted = max(1, count)
    _forget()


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # a child has none of its parent's threads


def _helpers() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(threads() - 1, thread_name_prefix="paad-kernel")
    return _pool


def spread(kernel: Callable[..., None], count: int, least: int, *args: Any) -> None:
    """Call ``kernel(start, stop, *args)`` for ranges that together are 0 to ``count``, in any order, some at once.

    ``kernel`` must let go of the interpreter's lock, and what it writes for one item must not depend on another's. It
    may be a function that spreads kernels of its own; those are then shared no further.
    ``least``: so many items are worth waking a thread for; fewer are left to the caller.
    """
    sharing = min(threads(), count // least)
    if sharing <= 1 or getattr(_working, "here", False):
        kernel(0, count, *args)
        return
    size = -(-count // (_RANGES_A_THREAD * sharing))
    starts = iter(range(0, count, size))

    def work() -> None:
        _working.here = True
        try:
            for start in starts:
                kernel(start, min(start + size, count), *args)
        finally:
            _working.here = False

    helping = [_helpers().submit(work) for _ in range(sharing - 1)]
    work()
    for helper in helping:
        if not helper.cancel():  # one that has not begun would find nothing left
            helper.result()
