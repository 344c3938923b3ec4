"""OmniposeAD, SplatPose and their successors on object folders: fit, pose, seconds by stage, detection.

    python benchmarks/framework_speed.py OBJECT_DIR ... [--methods splatpose omniposead] [--models DIR] [--photos N]
    python benchmarks/framework_speed.py --twin OBJECT_DIR           SplatPose's fit: kernels against torch twin
    python benchmarks/framework_speed.py --full OBJECT_DIR [--photos 10]    paad beside them at the papers' settings

Seconds are wall seconds; ``cpu`` are this process's CPU seconds, which other work on the machine changes less. PSNR is
over training views that were not fitted: the fit gets the others (every tenth is kept aside). A model in ``--models``
is not fitted again. ``--full`` fits the Gaussian methods for 1,000 steps and inspects the same photos with each and
with ``paad``; of OmniposeAD it times a share of the steps and of the picture on one photo and multiplies. Networks have
random weights, which cost the same; accuracy is compared in ``docs/framework.md``.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import paad
from paad.fields.build import split_views
from paad.fields.carve import carve
from paad.fields.config import FieldConfig
from paad.fields.fit import initial_gaussians
from paad.fields.nerf_fit import empty_field
from paad.fields.optimize import GaussianAdam
from paad.fields.quality import psnr
from paad.fields.targets import targets_of
from paad.geometry.se3 import rotation_error_deg, translation_error_relative
from paad.geometry.views import view_volume
from paad.metrics.summary import Evaluation
from paad.pose.photometric import Descent, descend, ray_loss
from paad.render import Backend, render


def fitted(method: str, folder: Any, models: Path, device: str, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model, fitted now or before, and what the fit cost."""
    file = models / f"{folder.name}_{method}.paad"
    notes = file.with_suffix(".json")
    views = list(folder.train)
    split = split_views(len(views), 0.1)
    if not file.exists():
        wall, cpu = time.perf_counter(), time.process_time()
        detector = paad.create(method, device=device, **options).fit([views[i] for i in split.fitted])
        cost = {"fit_s": time.perf_counter() - wall, "fit_cpu_s": time.process_time() - cpu}
        detector.save(file)
        notes.write_text(json.dumps({**{k: round(v, 1) for k, v in cost.items()}, **unseen(detector, views, split)}))
    return paad.load(file, device=device), json.loads(notes.read_text())


def unseen(detector: Any, views: list[Any], split: Any) -> dict[str, float]:
    """PSNR in dB of views that were not fitted: over the picture, and over the object's pixels."""
    whole, inner = [], []
    for i in split.held_out:
        view = views[i]
        drawn, truth = detector._draw(view.cam_from_world, view.camera), view.image.astype(np.float32) / 255.0
        whole.append(psnr(drawn, truth))
        if view.mask is not None:
            inner.append(psnr(drawn, truth, view.mask > 0.5))
    return {"psnr": round(float(np.mean(whole)), 2), "psnr_object": round(float(np.mean(inner or [0.0])), 2)}


def spread_photos(folder: Any, photos: int) -> list[Any]:
    """So many evenly spread test photos; 0: all."""
    every = list(folder.test)
    if not photos or photos >= len(every):
        return every
    return [every[i] for i in np.linspace(0, len(every) - 1, photos).round().astype(int)]


def judged(detector: Any, folder: Any, photos: int) -> dict[str, Any]:
    """Pose errors, seconds by stage and detection figures over ``photos`` evenly spread test photos (0: all)."""
    chosen = spread_photos(folder, photos)
    evaluation, errors, coarse, cpu = Evaluation(object_centre=detector.field.centre), [], [], []
    seconds: dict[str, list[float]] = {}
    for query in chosen:
        image, began = query.load_image(), time.process_time()
        result = detector.predict(image)
        cpu.append(time.process_time() - began)
        mask = query.load_mask(image.shape[:2]) if query.is_defect and query.mask_path else None
        truth = folder.test_poses.get(query.name)
        evaluation.update(
            score=result.score, is_defect=query.is_defect, map=result.map, mask=mask, pose=result.cam_from_world,
            true_pose=truth, status=result.status,
        )  # fmt: skip
        for stage, value in result.seconds.items():
            seconds.setdefault(stage, []).append(value)
        found = result.cam_from_world
        if truth is not None:
            far = (180.0, 1.0)
            errors.append(
                far
                if found is None
                else (rotation_error_deg(found, truth), translation_error_relative(found, truth, detector.field.centre))
            )
            if "coarse_pose" in result.extra:
                coarse.append(rotation_error_deg(result.extra["coarse_pose"], truth))
    figures, rotation = evaluation.compute(), np.array(errors)[:, 0]
    return {
        "photos": len(chosen),
        "image_auroc": figures["image"]["auroc"],
        "pixel_auroc": figures["pixel"]["auroc"],
        "coarse_deg_median": round(float(np.median(coarse)), 2) if coarse else None,
        "rot_deg_median": round(float(np.median(rotation)), 3),
        "under_1_deg": round(float(np.mean(rotation < 1)), 3),
        "under_5_deg": round(float(np.mean(rotation < 5)), 3),
        "trans_rel_median": round(float(np.median(np.array(errors)[:, 1])), 4),
        "failed": int(np.sum(rotation == 180.0)),
        "seconds_median": {k: round(float(np.median(v)), 3) for k, v in seconds.items()},
        "cpu_s_median": round(float(np.median(cpu)), 3),
    }


def twin_ratio(folder: Any, gaussians: int, side: int, steps: int) -> dict[str, Any]:
    """CPU seconds of one step of SplatPose's fit (draw, loss, gradients, Adam): the kernels' and the torch twin's."""
    views = [v for v in folder.train if v.mask is not None]
    centre, reach = view_volume([v.camera for v in views], np.stack([v.cam_from_world for v in views]))
    surface, low, high = carve(views, centre, 1.5 * reach)
    config = FieldConfig(initial_gaussians=gaussians, sh_degree=0)
    start = initial_gaussians(surface.xyz, surface.rgb, surface.spacing, config)
    white = np.ones(3, np.float32)
    targets = targets_of(views[:8], white, (low, high), False, False, side)
    out: dict[str, Any] = {"gaussians": len(start), "picture": f"{targets[0].camera.width}x{targets[0].camera.height}"}
    backends: tuple[tuple[Backend, int], ...] = (("cpu", 40), ("twin", steps))
    for backend, count in backends:
        adam = GaussianAdam(start, dict.fromkeys(("means", "quats", "log_scales", "logit_opacities", "base"), 1e-3))
        taken = []
        for i in range(count + 1):
            target, began = targets[i % len(targets)], time.process_time()
            drawn = render(adam.gaussians, target.cam_from_world, target.camera, torch.ones(3), backend)
            (drawn.colour - target.colour).abs().mean().backward()
            adam.step({})
            taken.append(time.process_time() - began)
        out[f"{backend}_ms"] = round(1e3 * float(np.median(taken[1:])), 2)
    return {**out, "ratio": round(out["twin_ms"] / out["cpu_ms"], 1)}


def full_omniposead(folder: Any, steps: int) -> dict[str, Any]:
    """One photo at OmniposeAD's full settings: iNeRF's 300 steps of 3,072 rays and the reference at its own size."""
    config = paad.create("omniposead", device="cpu", preset="paper").config
    from paad.detectors.omniposead import nerf_config

    views = list(folder.train)[::4]
    field = empty_field(views, nerf_config(config))
    field.nerf.requires_grad_(False)
    view = views[0]
    photo = torch.from_numpy(view.image.astype(np.float32) / 255.0)
    h, w = photo.shape[:2]
    pixels = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), dim=2).reshape(-1, 2)
    loss = ray_loss(field.colours, photo, view.camera, pixels, config.pose_rays)
    began = time.process_time()
    descend(view.cam_from_world, loss, Descent(steps=steps), field.centre, field.distance / 4)
    fine = (time.process_time() - began) / steps * config.pose_steps
    small = view.camera.resized(w, max(1, h // 20))
    began = time.process_time()
    field.draw(view.cam_from_world, small)
    drawn = (time.process_time() - began) * h / small.height
    return {
        "timed_steps": steps,
        "fine_cpu_s": round(fine, 1),
        "render_cpu_s": round(drawn, 1),
        "config": asdict(config),
    }


def full_gaussians(method: str, folder: Any, fit_steps: int, photos: int) -> dict[str, Any]:
    """Photos at a Gaussian method's full settings (EfficientNet-B4 with random weights), after a shorter fit."""
    shorter: dict[str, Any] = {"piad": {"paint_steps": 300}, "splatpose-plus": {"solver": "auto"}}.get(method, {})
    detector = paad.create(method, device="cpu", preset="paper", weights="random", steps=fit_steps, **shorter)
    return inspected(detector.fit(list(folder.train)), folder, photos)


def inspected(detector: Any, folder: Any, photos: int) -> dict[str, Any]:
    """CPU and wall seconds of a photo, medians over ``photos`` of them after one that compiles what is needed."""
    pictures = [photo.load_image() for photo in spread_photos(folder, photos)]
    detector.predict(pictures[0])
    cpu, wall, statuses = [], [], []
    for picture in pictures:
        began = time.process_time(), time.perf_counter()
        statuses.append(detector.predict(picture).status)
        cpu.append(time.process_time() - began[0])
        wall.append(time.perf_counter() - began[1])
    return {
        "photos": len(pictures),
        "unknown": statuses.count("unknown"),
        "gaussians": len(detector.field.splats),
        "cpu_s": round(float(np.median(cpu)), 3),
        "wall_s": round(float(np.median(wall)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="+", type=Path)
    parser.add_argument("--methods", nargs="+", default=["splatpose", "omniposead"])
    parser.add_argument("--models", type=Path, default=Path("runs/framework"))
    parser.add_argument("--photos", type=int, default=0, help="test photos, evenly spread; 0: all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options, values in JSON")
    parser.add_argument("--twin", action="store_true")
    parser.add_argument("--gaussians", type=int, default=5000, help="for --twin")
    parser.add_argument("--side", type=int, default=100, help="for --twin: longest side of the pictures")
    parser.add_argument("--twin-steps", type=int, default=1)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--full-steps", type=int, default=1, help="iNeRF steps that --full times")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.models.mkdir(parents=True, exist_ok=True)
    pairs = (pair.split("=", 1) for pair in arguments.set)
    options = {name: json.loads(value) for name, value in pairs}
    for path in arguments.objects:
        folder = paad.open_object(path)
        if arguments.twin:
            print(json.dumps(twin_ratio(folder, arguments.gaussians, arguments.side, arguments.twin_steps)), flush=True)
        if arguments.full:
            photos = arguments.photos or 10
            ours = inspected(paad.create("paad", device="cpu").fit(folder.train), folder, photos)
            print(json.dumps({"paad": ours}), flush=True)
            for method in ("splatpose", "splatpose-plus", "piad"):
                row = full_gaussians(method, folder, 1000, photos)
                print(json.dumps({method: {**row, "times_paad": round(row["cpu_s"] / ours["cpu_s"], 1)}}), flush=True)
            row = full_omniposead(folder, arguments.full_steps)
            row["times_paad"] = round((row["fine_cpu_s"] + row["render_cpu_s"]) / ours["cpu_s"])
            print(json.dumps({"omniposead": row}), flush=True)
        if arguments.twin or arguments.full:
            continue
        for method in arguments.methods:
            detector, cost = fitted(method, folder, arguments.models, arguments.device, options)
            row = {"object": folder.name, "method": method, **cost, **judged(detector, folder, arguments.photos)}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
