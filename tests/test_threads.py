"""Kernels shared among threads: every item once, the same bits by any number of them, and in a forked child."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numba import njit

from paad.geometry.camera import Camera
from paad.geometry.se3 import look_at
from paad.render import rasterize
from paad.render import threads as pool


@pytest.fixture(autouse=True)
def _threads_as_they_were() -> Iterator[None]:
    before = pool._wanted
    yield
    pool._wanted = before
    pool._forget()


@njit(nogil=True)
def _counted(start: int, stop: int, hits: np.ndarray) -> None:
    for i in range(start, stop):
        hits[i] += 1


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 64, 1001])
def test_every_item_is_met_once(threads: int, count: int) -> None:
    pool.set_threads(threads)
    hits = np.zeros(count, np.int64)
    pool.spread(_counted, count, 1, hits)
    assert (hits == 1).all()


def test_few_items_are_left_to_the_caller() -> None:
    pool.set_threads(4)
    ranges: list[tuple[int, int]] = []
    pool.spread(lambda start, stop: ranges.append((start, stop)), 9, 10)
    assert ranges == [(0, 9)]
    pool.spread(lambda start, stop: ranges.append((start, stop)), 40, 10)
    assert len(ranges) > 4


def test_what_a_shared_function_spreads_is_shared_no_further() -> None:
    pool.set_threads(3)
    calls: list[int] = []

    def outer(start: int, stop: int) -> None:
        for _ in range(start, stop):
            pool.spread(lambda a, b: calls.append(b - a), 50, 1)

    pool.spread(outer, 4, 1)
    assert calls == [50] * 4
    pool.spread(lambda a, b: calls.append(b - a), 50, 1)
    assert len(calls) > 6  # and afterwards as before


def test_what_a_kernel_raises_reaches_the_caller() -> None:
    pool.set_threads(3)

    def fails(start: int, stop: int) -> None:
        raise ValueError(f"at {start}")

    with pytest.raises(ValueError, match="at "):
        pool.spread(fails, 100, 1)


def test_pictures_and_gradients_have_the_same_bits_with_one_thread_and_with_three() -> None:
    n = 9000  # enough that every kernel is shared
    camera = Camera(width=300, height=200, fx=220.0, fy=220.0, cx=150.0, cy=100.0)
    pose = torch.tensor(look_at(np.array([0.0, -4.0, 1.0]), np.zeros(3)), dtype=torch.float32)
    drawn = []
    for threads in (1, 3):
        pool.set_threads(threads)
        rng = np.random.default_rng(0)
        bodies = [
            torch.tensor(a.astype(np.float32), requires_grad=True)
            for a in (
                rng.normal(0, 0.5, (n, 3)),
                rng.normal(0, 1, (n, 4)),
                rng.uniform(0.005, 0.03, (n, 3)),
                rng.uniform(0.2, 0.9, n),
                rng.normal(0, 0.3, (n, 4, 3)),
            )
        ]
        out = rasterize(*bodies, pose, camera, torch.ones(3))
        (out.colour.square().sum() + out.alpha.sum()).backward()
        drawn.append([out.colour.detach(), out.alpha.detach(), out.depth.detach(), *(b.grad for b in bodies)])
    for one, three in zip(*drawn, strict=True):
        assert torch.equal(one, three)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_starts_threads_of_its_own() -> None:
    code = (
        "import os, numpy as np\n"
        "from numba import njit\n"
        "from paad.render.threads import set_threads, spread\n"
        "@njit(nogil=True)\n"
        "def add(start, stop, hits):\n"
        "    for i in range(start, stop):\n"
        "        hits[i] += 1\n"
        "set_threads(2)\n"
        "hits = np.zeros(100)\n"
        "spread(add, 100, 1, hits)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    spread(add, 100, 1, hits)\n"
        "    os._exit(0 if (hits == 2).all() else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)
