"""One thread pool for the numba kernels, chosen before the first of them runs."""

from __future__ import annotations

import os
import threading

import numba

# OpenMP's waiting threads spin, and stall for whole scheduler ticks when anything else runs on the machine; numba's
# own pool sleeps. It refuses concurrent callers, hence the lock.
if "NUMBA_THREADING_LAYER" not in os.environ:
    numba.config.THREADING_LAYER = "workqueue"

ONE_CALLER = threading.Lock()
"""Held by whoever runs parallel kernels."""
