"""What the runner adds to the detectors' own time, and what two Ray workers bring against one.

    python benchmarks/bench_overhead.py overhead [--data ROOT] [--method paad] [--options METHOD.KEY=VALUE ...]
    python benchmarks/bench_overhead.py ray [--jobs 8] [--seconds 10] [--idle]
    python benchmarks/bench_overhead.py overhead --data ROOT --method spin --options spin.seconds=10 --seeds 0 1 2 3 4

overhead: runs a grid (by default two seeds of each object) with one worker and compares the wall time of the whole
run (planning, starting processes and loading torch in them, decoding photos, scoring, storing) with what the
detector's fit and predict took. The method "spin" computes for a given time: small jobs of a known size.
ray: runs jobs of one thread each that compute for some seconds, on a local Ray cluster of one node and of two. It
needs two free cores; --idle makes the jobs sleep instead, which measures the executor on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid
from paad.bench.runner import run_grid
from paad.bench.store import read_rows

SPIN = '''
"""Computes for a given processor time: a stand-in for a detector of one thread."""
import time
import numpy as np
from paad.detectors.base import Detector, float_image
from paad.types import Prediction

class Spin(Detector):
    name = "spin"
    def __init__(self, device="auto", seconds=1.0, idle=False):
        self.seconds, self.idle = seconds, idle
    def fit(self, views, progress=None):
        time.sleep(self.seconds if self.idle else 0.0)
        end = time.process_time() + (0.0 if self.idle else self.seconds)
        while time.process_time() < end:
            pass
        return self
    def predict(self, image):
        rgb, _ = float_image(image)
        return Prediction(score=float(rgb.mean()), map=rgb.mean(axis=2))
    def state(self):
        return {}, {}
    @classmethod
    def from_state(cls, tensors, manifest, device="auto"):
        return cls(device)
'''


def install_spin(site: Path) -> None:
    """The stand-in as an installed package, for this process and its children."""
    info = site / "paad_spin-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "paad_spin.py").write_text(SPIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paad-spin\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[paad.detectors]\nspin = paad_spin:Spin\n")
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])


def tiny_object(folder: Path) -> None:
    """Eight photos of noise without poses: enough for the stand-in."""
    rng = np.random.default_rng(0)
    for i, name in enumerate(["train/good"] * 4 + ["test/good"] * 2 + ["test/Stain"] * 2):
        (folder / name).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name / f"{i}.png"), rng.integers(0, 255, (64, 64, 3)).astype(np.uint8))


def overhead(data: Path, method: str, options: list[str], objects: list[str], seeds: list[int]) -> int:
    """Print the runner's overhead over a run; exit 1 above 3 %."""
    from paad.cli.bench import _options

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as site:
        if method == "spin":
            install_spin(Path(site) / "packages")
        grid = Grid(data, (method,), tuple(objects), tuple(seeds), options=_options(options), threads=1)
        start = time.perf_counter()
        run_grid(grid, Path(folder), LocalExecutor(1, Limits()), say=print)
        wall = time.perf_counter() - start
        rows = read_rows(Path(folder))
    if any(row["status"] != "ok" for row in rows):
        print(*(row["message"] for row in rows), sep="\n")
        return 1
    own = sum(row["seconds"]["fit"] + row["seconds"]["predict"] for row in rows)
    jobs = sum(row["seconds"]["job"] for row in rows)
    print(f"{len(rows)} jobs: detectors {own:.1f} s, inside jobs {jobs:.1f} s (+{100 * (jobs / own - 1):.2f} %)")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    print(f"loading torch alone, as any program with such detectors must, takes {time.perf_counter() - start:.1f} s")
    print(f"whole run {wall:.1f} s: overhead {100 * (wall / own - 1):.2f} % (must be at most 3 %)")
    return 0 if wall <= 1.03 * own else 1


def ray_speed(n_jobs: int, seconds: float, idle: bool) -> int:
    """Print the speed-up of two one-processor Ray nodes over one; exit 1 below 1.8."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0")  # Ray's workers else yield to all others
    from ray.cluster_utils import Cluster

    from paad.bench.executor_ray import RayExecutor

    walls = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        install_spin(root / "site")
        tiny_object(root / "data" / "noise")
        options = {"spin": {"seconds": seconds, "idle": idle}}
        grid = Grid(root / "data", ("spin",), seeds=tuple(range(n_jobs)), options=options, threads=1)
        for nodes in (1, 2):
            node = {"num_cpus": 1, "object_store_memory": 80_000_000}
            cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
            for _ in range(nodes - 1):
                cluster.add_node(**node)
            cluster.wait_for_nodes()
            executor = RayExecutor(cluster.address, Limits())
            start = time.perf_counter()
            summary = run_grid(grid, root / f"run{nodes}", executor)
            walls.append(time.perf_counter() - start)
            cluster.shutdown()
            print(f"{nodes} worker(s): {summary.by_status} in {walls[-1]:.1f} s")
    print(f"two workers are {walls[0] / walls[1]:.2f} times as fast as one (must be at least 1.8)")
    return 0 if walls[0] >= 1.8 * walls[1] else 1


def main() -> int:
    """Parse and run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overhead", "ray"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data/bricks"))
    parser.add_argument("--method", default="paad")
    parser.add_argument("--options", nargs="*", default=[])
    parser.add_argument("--objects", nargs="*", default=[])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--idle", action="store_true", help="jobs sleep: where other programs take the processors")
    options = parser.parse_args()
    if options.what == "overhead":
        return overhead(options.data, options.method, options.options, options.objects, options.seeds)
    return ray_speed(options.jobs, options.seconds, options.idle)


if __name__ == "__main__":
    sys.exit(main())
