"""Imported once by the server that jobs are forked from: loads and warms what every job needs."""

from __future__ import annotations

import numpy as np

import paad.bench.job  # noqa: F401
from paad.metrics.pixel import PixelEvaluator


def _load_kernels() -> None:
    """Have numba load its compiled kernels here, so that no job pays for it."""
    mask = np.zeros((2, 2), bool)
    mask[0, 0] = True
    evaluator = PixelEvaluator()
    evaluator.update(np.zeros((2, 2), np.float32), None)
    evaluator.update(np.zeros((2, 2), np.float32), mask)
    evaluator.compute()


_load_kernels()
