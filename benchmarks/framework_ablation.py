"""Which part of the framework matters: every coarse pose with every refinement with every score, on one object.

    python benchmarks/framework_ablation.py OBJECT_DIR [--model splatpose.paad] [--photos N] [--nerf omniposead.paad]

Coarse: "features" and "sift" (retrieval among the training views), "templates" (the silhouettes' descriptors of paad).
Refinement: "none"; "splat" (SplatPose: Adam on whole pictures); "rays" (iNeRF's loss and schedule, on interest regions,
through the NeRF of ``--nerf``, left out without one); "align" (paad's Gauss-Newton). The last row takes the true poses:
what the scores could reach. ``--coarse`` and ``--refinements`` choose some of them.
Score, always against the Gaussians' picture: "features" (stages and RGB, sigma 4, maximum), "stages" (without RGB),
"rgb" (only RGB), "l1" (the largest mean of absolute differences in 5 x 5 pixels).

A pose is computed once for its pair and scored in all ways. One JSON row a combination. A photo whose refinement fails
keeps no pose: 180 degrees, and it is left out of the detection figures (``failed`` says how many).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import paad
from paad.compare.feature_maps import FeatureScore, feature_difference, score_and_map
from paad.detectors.gallery import build_gallery
from paad.detectors.posed import posed_query
from paad.errors import PoseError
from paad.geometry.se3 import rotation_error_deg
from paad.metrics.summary import Evaluation
from paad.pose.descriptors import describe, match
from paad.pose.query import QueryImage
from paad.pose.refine import align
from paad.pose.templates import pose_of_hypothesis, render_templates

Pose = np.ndarray
Score = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]


def coarse_poses(detector: Any, views: list[Any]) -> dict[str, Callable[[QueryImage], Pose]]:
    """The coarse poses by name."""
    field = detector.field
    templates = render_templates(field, [v.cam_from_world for v in views])
    config = paad.create("splatpose", device="cpu", retrieval="sift").config
    sift = build_gallery(config, detector.net, views, field.background, field.cut_out, "cpu")

    def by_silhouette(query: QueryImage) -> Pose:
        if query.mask is None:
            raise PoseError("the photo shows no silhouette")
        described = describe(query.image, query.mask, query.camera)
        return pose_of_hypothesis(match(described.rings, templates.spectra, 1)[0], described, templates, field.centre)

    return {
        "features": lambda query: detector.gallery.nearest(query.image)[0],
        "sift": lambda query: sift.nearest(query.image)[0],
        "templates": by_silhouette,
    }


def refinements(detector: Any, nerf: Any | None) -> dict[str, Callable[[QueryImage, Pose], Pose]]:
    """The refinements by name."""

    def gauss_newton(query: QueryImage, start: Pose) -> Pose:
        for factor, blur in ((0.5, 1.5), (1.0, 1.0), (1.0, 0.5)):
            found = align(detector.field, query.scaled(factor), start, 6, 0.05, blur)
            if found is None:
                raise PoseError("the object left the picture")
            start = found.cam_from_world
        return start

    out: dict[str, Callable[[QueryImage, Pose], Pose]] = {
        "none": lambda query, start: start,
        "splat": lambda query, start: detector._refine(query, start).cam_from_world,
        "align": gauss_newton,
    }
    if nerf is not None:
        out["rays"] = lambda query, start: nerf._refine(query, start).cam_from_world
    return out


def scores(net: Any) -> dict[str, Score]:
    """The scores by name: (score, map) of query and reference."""

    def by_network(query: np.ndarray, reference: np.ndarray, how: FeatureScore) -> tuple[float, np.ndarray]:
        return score_and_map(feature_difference(net, query, reference, how), how, query.shape[1], query.shape[0])

    def l1(query: np.ndarray, reference: np.ndarray) -> tuple[float, np.ndarray]:
        anomaly = cv2.blur(np.abs(query - reference).mean(axis=2), (5, 5))
        return float(anomaly.max()), anomaly

    def no_stage(images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {}

    def rgb(query: np.ndarray, reference: np.ndarray) -> tuple[float, np.ndarray]:
        how = FeatureScore()
        return score_and_map(feature_difference(no_stage, query, reference, how), how, query.shape[1], query.shape[0])

    return {
        "features": lambda q, r: by_network(q, r, FeatureScore()),
        "stages": lambda q, r: by_network(q, r, FeatureScore(with_rgb=False)),
        "rgb": rgb,
        "l1": l1,
    }


def row_of(folder: Any, detector: Any, photos: list[Any], pose_of: Any, ways: dict[str, Score]) -> dict[str, Any]:
    """Pose errors, CPU seconds and, for each score, detection figures of the poses of ``pose_of(query, photo)``."""
    field, errors, seconds, failed = detector.field, [], [], 0
    evaluations = {name: Evaluation(object_centre=field.centre) for name in ways}
    for photo in photos:
        image = photo.load_image()
        query = posed_query(image, field.camera, field.background, field.bounded)
        began = time.process_time()
        try:
            pose = pose_of(query, photo)
        except PoseError:
            failed += 1
            errors.append(180.0)
            continue
        seconds.append(time.process_time() - began)
        errors.append(rotation_error_deg(pose, folder.test_poses[photo.name]))
        reference = field.draw(pose, query.camera).colour
        mask = photo.load_mask(image.shape[:2]) if photo.is_defect and photo.mask_path else None
        for name, way in ways.items():
            score, anomaly = way(query.image, reference)
            evaluations[name].update(score=score, is_defect=photo.is_defect, map=anomaly, mask=mask)
    figures = {name: e.compute() for name, e in evaluations.items()}
    return {
        "rot_deg_median": round(float(np.median(errors)), 3),
        "under_1_deg": round(float(np.mean(np.array(errors) < 1.0)), 3),
        "pose_cpu_s": round(float(np.median(seconds)), 3) if seconds else None,
        "failed": failed,
        "image_auroc": {name: f["image"]["auroc"] for name, f in figures.items()},
        "pixel_auroc": {name: f["pixel"]["auroc"] for name, f in figures.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("--model", type=Path, help="a fitted splatpose; without one it is fitted now")
    parser.add_argument("--nerf", type=Path, help="a fitted omniposead, for the refinement 'rays'")
    parser.add_argument("--coarse", nargs="*", help="default: all")
    parser.add_argument("--refinements", nargs="*", help="default: all")
    parser.add_argument("--photos", type=int, default=0, help="test photos, evenly spread; 0: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = paad.open_object(arguments.object)
    views = list(folder.train)
    detector = (
        paad.load(arguments.model, device="cpu")
        if arguments.model
        else paad.create("splatpose", device="cpu").fit(views)
    )
    nerf = paad.load(arguments.nerf, device="cpu") if arguments.nerf else None
    photos = list(folder.test)
    if arguments.photos and arguments.photos < len(photos):
        photos = [photos[i] for i in np.linspace(0, len(photos) - 1, arguments.photos).round().astype(int)]
    ways, refine = scores(detector.net), refinements(detector, nerf)
    starts = {k: v for k, v in coarse_poses(detector, views).items() if k in (arguments.coarse or [k])}
    refine = {k: v for k, v in refine.items() if k in (arguments.refinements or [k])}
    for coarse_name, coarse in starts.items():
        for refine_name, refinement in refine.items():
            row = row_of(folder, detector, photos, lambda q, _, c=coarse, r=refinement: r(q, c(q)), ways)
            print(json.dumps({"coarse": coarse_name, "refinement": refine_name, **row}), flush=True)
    row = row_of(folder, detector, photos, lambda _, photo: folder.test_poses[photo.name], ways)
    print(json.dumps({"coarse": "truth", "refinement": "none", **row}), flush=True)


if __name__ == "__main__":
    main()
