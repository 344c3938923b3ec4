"""Milliseconds of the CPU rasterizer, forward and backward, over Gaussians and pixels, against its torch twin.

python benchmarks/render_speed.py [--twin]
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from paad.geometry.camera import Camera
from paad.geometry.se3 import look_at
from paad.render import Backend, rasterize


def scene(n: int, seed: int = 0) -> list[torch.Tensor]:
    """Small opaque Gaussians on two shells of a sphere: about as many to a pixel as a fitted toy has."""
    g = torch.Generator().manual_seed(seed)
    means = torch.nn.functional.normalize(torch.randn(n, 3, generator=g), dim=-1)
    means = means * (0.6 + 0.1 * torch.rand(n, 1, generator=g))
    scales = 0.7 / n**0.5 * (0.5 + torch.rand(n, 3, generator=g))
    quats = torch.randn(n, 4, generator=g)
    return [means, quats, scales, 0.3 + 0.65 * torch.rand(n, generator=g), torch.randn(n, 9, 3, generator=g) * 0.2]


def milliseconds(n: int, size: int, repeats: int, backend: Backend = "cpu") -> tuple[float, float]:
    """Median milliseconds of (forward, forward and backward)."""
    camera = Camera.from_angle_x(0.6911, size, size)
    pose = torch.as_tensor(look_at([2.4, -1.8, 1.6], [0, 0, 0]), dtype=torch.float32)
    leaves = [t.requires_grad_(True) for t in scene(n)]
    background = torch.ones(3)
    forward, both = [], []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        out = rasterize(*leaves, pose, camera, background, backend=backend)
        middle = time.perf_counter()
        torch.autograd.grad((out.colour * out.colour).sum(), leaves)
        forward.append(middle - start)
        both.append(time.perf_counter() - start)
    return 1e3 * statistics.median(forward[1:]), 1e3 * statistics.median(both[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twin", action="store_true", help="time the torch twin too (minutes)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| Gaussians | picture | forward ms | forward + backward ms |\n|---|---|---|---|")
    for n in (5_000, 20_000, 80_000):
        for size in (100, 200, 400, 800):
            forward, both = milliseconds(n, size, repeats=7)
            print(f"| {n} | {size}x{size} | {forward:.1f} | {both:.1f} |", flush=True)
    if arguments.twin:
        forward, both = milliseconds(2_000, 100, repeats=1, backend="twin")
        fast_forward, fast_both = milliseconds(2_000, 100, repeats=7)
        print(
            f"torch twin, 2000 Gaussians, 100x100: {forward:.0f} / {both:.0f} ms; "
            f"kernels {fast_forward:.1f} / {fast_both:.1f} ms: {both / fast_both:.0f}x"
        )


if __name__ == "__main__":
    main()
