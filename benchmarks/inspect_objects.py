"""Fit, pose, detection and honesty of ``paad`` on object folders, one row an object.

    python benchmarks/inspect_objects.py OBJECT_DIR ... [--models DIR] [--strangers OBJECT_DIR ...] [--steps N]

For each folder: seconds and memory of the fit, PSNR of views kept aside, seconds of an inspected photo, pose errors of
the test views as they are and rolled by a random angle, detection figures, and false alarms on good views. With
``--strangers`` the photos of those other objects, an empty picture and noise are shown to each model, and the share
that is answered "unknown" is printed. "explained" is what that answer rests on (``pose_quality``): the tenth and the
half of good and of defective photos, and the largest of strangers; "error" is that of good views, which tells good
fields from rough ones. The limits in ``paad.detectors.paad_find`` and the one in ``paad.compare.comparison`` lie
between such figures. A model that lies in ``--models`` already is not fitted again.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import paad
from paad.geometry.se3 import rotation_error_deg
from paad.metrics.summary import Evaluation

RATE = 0.05


def rolled(image: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The photo turned about its middle by ``angle`` degrees, and the camera's turn [4, 4] that does the same."""
    h, w = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((w / 2 - 0.5, h / 2 - 0.5), angle, 1.0)
    border = (0, 0, 0, 0) if image.shape[2] == 4 else tuple(np.median(image[0], axis=0).tolist())
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.eye(4)
    turn[:2, :2] = [[c, s], [-s, c]]
    return cv2.warpAffine(image, matrix, (w, h), flags=cv2.INTER_CUBIC, borderValue=border), turn


def fitted(folder: Any, models: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The folder's model, fitted now or before, and what the fit cost."""
    file = models / f"{folder.root.parent.name}_{folder.name}.paad"
    notes = file.with_suffix(".json")
    if not file.exists():
        began = time.perf_counter()
        detector = paad.create("paad", **options).fit(folder.train)
        seconds = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        detector.save(file)
        notes.write_text(json.dumps({"fit_s": round(seconds, 1), "peak_mb": round(memory)}))
    return paad.load(file), json.loads(notes.read_text())


def rolled_pose_errors(detector: Any, folder: Any, seed: int = 0) -> np.ndarray:
    """Rotation errors in degrees of the test views turned by random angles; 180 where there was no verdict."""
    rng = np.random.default_rng(seed)
    errors = []
    for query in folder.test:
        angle = rng.uniform(0, 360)
        if query.name in folder.test_poses:
            image, turn = rolled(query.load_image(), angle)
            errors.append(pose_error(detector.predict(image).cam_from_world, turn @ folder.test_poses[query.name]))
    return np.array(errors)


def pose_error(found: np.ndarray | None, truth: np.ndarray) -> float:
    """Degrees; 180 where there was no verdict."""
    return 180.0 if found is None else rotation_error_deg(found, truth)


def judge(detector: Any, folder: Any) -> dict[str, Any]:
    """Detection figures over the test views as they are."""
    evaluation = Evaluation(object_centre=detector.field.centre)
    seconds, errors, alarms, unknown, good = [], [], 0, 0, 0
    explained: dict[bool, list[float]] = {False: [], True: []}
    truths = folder.test_poses
    for query in folder.test:
        image = query.load_image()
        result = detector.predict(image, RATE)
        mask = query.load_mask(image.shape[:2]) if query.is_defect and query.mask_path else None
        evaluation.update(
            score=result.score,
            is_defect=query.is_defect,
            map=result.map,
            mask=mask,
            pose=result.cam_from_world,
            true_pose=truths.get(query.name),
            status=result.status,
        )
        seconds.append(result.seconds["total"])
        explained[query.is_defect].append(result.pose_quality)
        if query.name in truths:
            errors.append(pose_error(result.cam_from_world, truths[query.name]))
        unknown += result.status == "unknown"
        good += not query.is_defect
        alarms += (not query.is_defect) and result.status == "defect"
    figures = evaluation.compute()
    return {
        "s_per_image": round(float(np.median(seconds)), 2),
        "image": figures["image"],
        "pixel": figures["pixel"],
        "false_alarms": f"{alarms}/{good} at {RATE}",
        "unknown": f"{unknown}/{len(folder.test)}",
        "error": round(detector.learned.expectation.error, 4),
        "explained": {
            "defective" if defective else "good": np.round(np.quantile(shares, [0.1, 0.5]), 3).tolist()
            for defective, shares in explained.items()
            if shares
        },
        "pose": spread(np.array(errors)) if errors else None,
    }


def strangers(detector: Any, folders: list[Any], most: int = 8) -> str:
    """Share of photos of other objects, empty pictures and noise that is answered "unknown", and how well the best
    of them is explained."""
    rng = np.random.default_rng(0)
    h, w = detector.field.camera.height, detector.field.camera.width
    images = [np.full((h, w, 3), 255, np.uint8), np.zeros((h, w, 3), np.uint8), np.full((h, w, 3), 128, np.uint8)]
    images += [rng.integers(0, 256, (h, w, 3)).astype(np.uint8) for _ in range(3)]
    for folder in folders:
        images += [query.load_image() for query in folder.test[:most]]
    answers = [detector.predict(image) for image in images]
    unknown = sum(a.status == "unknown" for a in answers)
    return f"{unknown}/{len(answers)}, explained at most {max(a.pose_quality for a in answers):.2f}"


def spread(errors: np.ndarray) -> str:
    """Share under 1 and 3 degrees, median and largest."""
    return (
        f"<1: {100 * np.mean(errors < 1):.1f} %, <3: {100 * np.mean(errors < 3):.1f} %, "
        f"median {np.median(errors):.3f}, max {errors.max():.2f} deg (n={len(errors)})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="+", type=Path)
    parser.add_argument("--models", type=Path, default=Path("runs/models"))
    parser.add_argument("--strangers", nargs="*", type=Path, default=[])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--no-roll", action="store_true")
    arguments = parser.parse_args()
    arguments.models.mkdir(parents=True, exist_ok=True)
    options = {"steps": arguments.steps} if arguments.steps else {}
    for path in arguments.objects:
        folder = paad.open_object(path)
        detector, cost = fitted(folder, arguments.models, options)
        row = {"object": f"{path.parent.name}/{path.name}", **cost, **detector.summary(), **judge(detector, folder)}
        if folder.test_poses and not arguments.no_roll:
            row["pose_rolled"] = spread(rolled_pose_errors(detector, folder))
        if arguments.strangers:
            others = [paad.open_object(p) for p in arguments.strangers if p.resolve() != path.resolve()]
            row["strangers_unknown"] = strangers(detector, others)
        print(json.dumps(row, indent=1), flush=True)


if __name__ == "__main__":
    main()
