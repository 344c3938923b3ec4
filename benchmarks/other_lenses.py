"""Photos through other lenses than the model was learned with: python benchmarks/other_lenses.py MODEL OBJECT.

The test photos of an object folder with true poses are shown as if taken with ``--zooms`` times the focal length: cut
and enlarged, or reduced before more of their border, the size staying; then with ``--cuts`` as windows of that share of
their width and height, as far to the upper right as the object's outline lets them, enlarged to the whole size.
``MODEL``, of ``paad fit``, inspects them; each line tells the image AUROC, how far the poses are turned, photos without
a verdict (which count as defects), how many good and defective ones are called defects at the model's rate, the median
focal length that was found, and the time.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch

import paad
from paad.data.masks import estimate_mask
from paad.geometry.se3 import rotation_error_deg
from paad.metrics.image import auroc
from paad.types import UInt8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("object", type=Path)
    parser.add_argument("--zooms", type=float, nargs="+", default=[0.7, 0.85, 1.0, 1.15, 1.3])
    parser.add_argument("--cuts", type=float, nargs="*", default=[], help="shares of the width (default: none)")
    parser.add_argument("--each", type=int, default=1, help="inspect every so-manieth photo (default: 1)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector, data = paad.load(args.model), paad.open_object(args.object)
    shown = [("zoom", zoom, zoomed) for zoom in args.zooms] + [("cut", share, cut_aside) for share in args.cuts]
    for name, number, changed in shown:
        began, rows = time.perf_counter(), []
        for query in data.test[:: args.each]:
            answer, truth = detector.predict(changed(query.load_image(), number)), data.test_poses[query.name]
            pose = answer.cam_from_world
            rows.append((query.is_defect, answer, np.inf if pose is None else rotation_error_deg(pose, truth)))
        seconds = (time.perf_counter() - began) / len(rows)
        defective = np.array([is_defect for is_defect, _, _ in rows])
        called = np.array([answer.status == "defect" for _, answer, _ in rows])
        scores = [np.inf if answer.status == "unknown" else answer.score for _, answer, _ in rows]
        turned = np.array([degrees for _, _, degrees in rows])
        found = [answer.extra["lens"].zoom for _, answer, _ in rows if "lens" in answer.extra]
        row = {
            name: number,
            "found": round(float(np.median(found)), 3) if found else None,
            "image AUROC": round(100.0 * (auroc(scores, defective) or 0.0), 1),
            "turned by, median": round(float(np.median(turned)), 3),
            "under half a degree": f"{(turned < 0.5).mean():.1%}",
            "no verdict": sum(answer.status == "unknown" for _, answer, _ in rows),
            "alarms": f"{called[~defective].sum()} of {(~defective).sum()}",
            "defects found": f"{called[defective].sum()} of {defective.sum()}",
            "seconds": round(seconds, 2),
        }
        print(json.dumps(row), flush=True)


def zoomed(photo: UInt8, zoom: float) -> UInt8:
    """``photo`` [H, W, 3|4] as one of the same size with ``zoom`` times the focal length shows it.

    What is beyond its border is taken from the border's pixels, and is outside of the object where it has a mask.
    """
    height, width = photo.shape[:2]
    if zoom >= 1.0:
        aside = np.array([(1.0 - zoom) * width / 2, (1.0 - zoom) * height / 2])
        into = np.column_stack([zoom * np.eye(2), aside])
        out = cv2.warpAffine(photo, into, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    else:
        small = cv2.resize(photo, (round(zoom * width), round(zoom * height)), interpolation=cv2.INTER_AREA)
        above, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
        sides = above, height - above - small.shape[0], left, width - left - small.shape[1]
        out = cv2.copyMakeBorder(small, *sides, cv2.BORDER_REPLICATE)
        if photo.shape[2] == 4:
            out[..., 3] = cv2.copyMakeBorder(small[..., 3], *sides, cv2.BORDER_CONSTANT, value=0.0)
    return out.astype(np.uint8)


def cut_aside(photo: UInt8, share: float) -> UInt8:
    """A window of ``photo`` [H, W, 3|4] whose middle lies to the upper right as far as the object allows, enlarged."""
    height, width = photo.shape[:2]
    mask = photo[..., 3] / 255.0 if photo.shape[2] == 4 else estimate_mask(photo).mask
    ys, xs = np.nonzero(mask > 0.5)
    h, w = round(share * height), round(share * width)
    left = int(np.clip(min(width - w, xs.min() - 4 if len(xs) else 0), 0, width - w))
    above = int(np.clip(max(0, ys.max() + 4 - h if len(ys) else 0), 0, height - h))
    window = np.ascontiguousarray(photo[above : above + h, left : left + w])
    return np.asarray(cv2.resize(window, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


if __name__ == "__main__":
    main()
