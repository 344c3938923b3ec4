"""What the pictures themselves allow: python benchmarks/synth_ceiling.py DATA [--objects Bear ...] [--samples 400].

DATA is a ``sim`` data set of ``paad synth`` (toys by name). Each test photo is compared with the good toy rendered anew
at the photo's true pose with many light paths, both blurred by 1 or 2.2 pixels, without any learning. This is what the
plainest score reaches with a perfect reference; a score that weighs noise or several scales can pass it. What is
missing to 100 percent is noise of the photos, and changes that masks mark but that can hardly be seen. ``--features``
also scores the same pairs as SplatPose does (feature maps and RGB at 224 px): what its score makes of a perfect field.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import paad
from paad.compare.feature_maps import FeatureNetwork, FeatureScore, compare_features
from paad.compare.residual import SCALES_PX, residual_maps
from paad.data.images import load_image
from paad.geometry.conventions import cam_from_world_of_opengl
from paad.metrics.image import auroc
from paad.metrics.pixel import PixelEvaluator
from paad.synth.dataset_plan import Job
from paad.synth.dataset_profile import profile_of
from paad.synth.dataset_render import View, good_scene, take_picture
from paad.synth.defects import KINDS
from paad.synth.render_mitsuba import chosen_variant

INVISIBLE = 2.0 / 255.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--objects", nargs="+")
    parser.add_argument("--samples", type=int, default=400, help="light paths a pixel, a square (default: 400)")
    parser.add_argument("--features", action="store_true")
    args = parser.parse_args()
    net = paad.create("splatpose", device="cpu").net if args.features else None
    names = args.objects or sorted(p.parent.name for p in args.data.glob("*/manifest.json"))
    for name in names:
        print(f"{name}: {_ceiling(args.data / name, args.samples, net)}", flush=True)


def _ceiling(folder: Path, samples: int, net: FeatureNetwork | None) -> str:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    profile = replace(profile_of(manifest["profile"]["name"]), samples=samples)
    job = Job(Path("unused"), profile, "sim", 0, variant=chosen_variant("auto"))
    scene = good_scene(job, manifest["source"], None)
    tests = [record for record in manifest["images"] if record["file"].startswith("test")]
    labels, kinds = np.array([r["label"] != "good" for r in tests]), np.array([r["label"] for r in tests])
    residuals, masks, featured = [], [], []
    for record in tests:
        pose = cam_from_world_of_opengl(np.array(record["world_from_cam_opengl"]))
        reference = take_picture(job, scene, View(0, pose), 123).astype(np.float32) / 255.0
        photo = load_image(folder / record["file"])[..., :3].astype(np.float32) / 255.0
        residuals.append(residual_maps(photo, reference))
        if net is not None:
            featured.append(compare_features(net, photo, reference, FeatureScore()))
        bad = record["label"] != "good"
        masks.append(load_image(folder / record["mask"])[..., 0] > 127 if bad else np.zeros(photo.shape[:2], bool))
    lines = []
    for k, scale in enumerate(SCALES_PX):
        pixels = PixelEvaluator()
        scores = np.array([float(r[k].max()) for r in residuals])
        for r, mask in zip(residuals, masks, strict=True):
            pixels.update(r[k], mask)
        figures = pixels.compute()
        by_kind = ", ".join(
            f"{kind} {100.0 * auroc(scores[(kinds == kind) | ~labels], labels[(kinds == kind) | ~labels]):.1f}"
            for kind in KINDS
        )
        lines.append(
            f"blur {scale} px: image AUROC {100.0 * auroc(scores, labels):.1f} ({by_kind}), "
            f"pixel AUROC {100.0 * figures.auroc:.2f}, AP {100.0 * figures.ap:.1f}, "
            f"AUPRO at 0.3 / 0.05 {100.0 * figures.aupro_30:.1f} / {100.0 * figures.aupro_5:.1f}, "
            f"AUPIMO {100.0 * figures.aupimo:.1f}"
        )
    if featured:
        pixels = PixelEvaluator()
        for (_, found), mask in zip(featured, masks, strict=True):
            pixels.update(found, mask)
        image = auroc(np.array([score for score, _ in featured]), labels)
        lines.append(f"SplatPose's score: image AUROC {100.0 * image:.1f}, pixel {100.0 * pixels.compute().auroc:.2f}")
    noise = np.mean([np.sqrt((r[0] ** 2).mean()) for r, d in zip(residuals, labels, strict=True) if not d])
    hidden = np.concatenate([r[0][m] for r, m in zip(residuals, masks, strict=True)]) < INVISIBLE
    lines.append(
        f"mask pixels that differ by under 2/255: {100.0 * hidden.mean():.0f} %, noise {255.0 * noise:.2f}/255"
    )
    return "; ".join(lines)


if __name__ == "__main__":
    main()
