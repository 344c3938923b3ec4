"""Everything that runs on a GPU, on one object folder: seconds by stage, memory, images a second; and gsplat alone.

    python benchmarks/gpu_speed.py OBJECT_DIR [--methods splatpose omniposead piad splatpose-plus paad] [--preset paper]

Exits with 4 where torch finds no CUDA device: no figure is made up. The last row fits the same Gaussians on the same
views through gsplat's own rasterization and torch's Adam, without this project's optimizer around it. Agreement with
the CPU is a test: ``pytest -m gpu``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import paad
from paad.errors import PaadError
from paad.fields.carve import carve
from paad.fields.config import FieldConfig
from paad.fields.fit import initial_gaussians
from paad.fields.losses import photometric_loss
from paad.fields.targets import targets_of
from paad.geometry.views import view_volume
from paad.render import render


def measured(method: str, folder: Any, photos: int, options: dict[str, Any]) -> dict[str, Any]:
    """Fit and inspect on the GPU; options that a method does not have are refused by it."""
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    detector = paad.create(method, device="cuda", **options).fit(folder.train)
    torch.cuda.synchronize()
    fit = time.perf_counter() - began
    images = [q.load_image() for q in folder.test[:photos]]
    detector.predict(images[0])  # kernels are chosen and compiled on first use
    stages: dict[str, list[float]] = {}
    began = time.perf_counter()
    for image in images:
        for stage, value in detector.predict(image).seconds.items():
            stages.setdefault(stage, []).append(value)
    torch.cuda.synchronize()
    total = time.perf_counter() - began
    return {
        "method": method,
        "fit_s": round(fit, 1),
        "images_per_s": round(len(images) / total, 2),
        "seconds_median": {k: round(float(np.median(v)), 4) for k, v in stages.items()},
        "peak_gpu_mb": round(torch.cuda.max_memory_allocated() / 2**20),
    }


def plain_gsplat(folder: Any, steps: int) -> dict[str, Any]:
    """The same start, views and loss (0.8 L1 + 0.2 (1 - SSIM)) with Adam on gsplat's rasterization, nothing else."""
    views = [v for v in folder.train if v.mask is not None]
    centre, reach = view_volume([v.camera for v in views], np.stack([v.cam_from_world for v in views]))
    surface, low, high = carve(views, centre, 1.5 * reach)
    start = initial_gaussians(surface.xyz, surface.rgb, surface.spacing, FieldConfig(sh_degree=0)).to("cuda")
    white = np.ones(3, np.float32)
    targets = [t.to("cuda") for t in targets_of(views, white, (low, high), False, False, 800)]
    bodies = start.map(lambda t: t.clone().requires_grad_(True))
    adam = torch.optim.Adam(list(bodies.named().values()), lr=2e-3)
    ground = torch.ones(3, device="cuda")
    torch.cuda.synchronize()
    began = time.perf_counter()
    for step in range(steps):
        target = targets[step % len(targets)]
        drawn = render(bodies, target.cam_from_world, target.camera, ground, "gsplat").colour
        adam.zero_grad(set_to_none=True)
        photometric_loss(drawn, target.colour).backward()
        adam.step()
    torch.cuda.synchronize()
    taken = time.perf_counter() - began
    return {"method": "gsplat alone", "gaussians": len(start), "steps": steps, "fit_s": round(taken, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("--methods", nargs="+", default=["paad", "splatpose", "omniposead"])
    parser.add_argument("--preset", choices=["cpu", "paper"], help="of the methods that have presets")
    parser.add_argument("--weights", help="of the comparing network: a file, a folder, or 'random'")
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--gsplat-steps", type=int, default=7000)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch finds no CUDA device here; nothing was measured", file=sys.stderr)
        sys.exit(4)
    where = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}
    print(json.dumps({"date": time.strftime("%Y-%m-%d"), **where}))
    folder = paad.open_object(arguments.object)
    for method in arguments.methods:
        options = {k: v for k, v in (("preset", arguments.preset), ("weights", arguments.weights)) if v}
        try:
            row = measured(method, folder, arguments.photos, {} if method == "paad" else options)
        except PaadError as error:  # one that lacks its weights does not end the others
            row = {"method": method, "failed": str(error)}
        print(json.dumps(row), flush=True)
    print(json.dumps(plain_gsplat(folder, arguments.gsplat_steps)), flush=True)


if __name__ == "__main__":
    main()
