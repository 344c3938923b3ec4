"""PatchCore's nearest-neighbour search against faiss-cpu's exact one, on the same arrays in one run.

    pip install faiss-cpu
    python benchmarks/knn_speed.py [--threads 2] [--repeat 15]

One row a shape: queries x bank, dimensions; the median milliseconds of both, taken in turn, and their ratio. The shapes
are those of the presets: a photo of 160 pixels against the bank of 105 photos (cpu), a photo of 224 against the banks
of 210 photos at 1 and at 10 percent (paper), and a batch. Both also return which neighbour it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

SHAPES = [(400, 4200, 256), (400, 420, 256), (1600, 16800, 256), (784, 1646, 1024), (784, 16464, 1024)]


def main() -> None:
    """Print the table; exit with 1 where the neighbours differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="of both searches (default: 2)")
    parser.add_argument("--repeat", type=int, default=15, help="runs of each (default: 15)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)  # read when the libraries load, below
    compare(args.threads, args.repeat, args.seed)


def compare(threads: int, repeat: int, seed: int) -> None:
    """Measure every shape and print its row."""
    import faiss
    import numpy as np

    from paad.detectors.neighbours import Bank

    faiss.omp_set_num_threads(threads)
    print(f"faiss-cpu {faiss.__version__}, numpy {np.__version__}, {threads} thread(s), median of {repeat}")
    print(f"{'queries':>8} {'bank':>6} {'dim':>5} {'paad ms':>9} {'faiss ms':>9} {'ratio':>6}")
    for queries, points, length in SHAPES:
        rng = np.random.default_rng(seed)
        bank, asked = (rng.normal(size=(n, length)).astype(np.float32) for n in (points, queries))
        own, theirs = Bank.of(bank), faiss.IndexFlatL2(length)
        theirs.add(bank)
        squares, index = own.nearest(asked)
        expected, where = theirs.search(asked, 1)
        if not np.allclose(squares, expected[:, 0], rtol=1e-3) or (index != where[:, 0]).mean() > 1e-3:
            sys.exit("the two searches find different neighbours")
        mine, other = timed([partial(own.nearest, asked), partial(theirs.search, asked, 1)], repeat)
        print(f"{queries:8} {points:6} {length:5} {1e3 * mine:9.2f} {1e3 * other:9.2f} {mine / other:6.2f}")


def timed(calls: list[Callable[[], object]], repeat: int) -> list[float]:
    """Median seconds of each call; they run in turn, so that a busy moment hits all."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(repeat):
        for call, seconds in zip(calls, taken, strict=True):
            begin = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begin)
    return [median(seconds) for seconds in taken]


if __name__ == "__main__":
    main()
