"""What a model of a few views says of photos from everywhere: verdicts, alarms, and whether judged poses are right.

    python benchmarks/few_views.py OBJECT_DIR [--views 4 10] [--every 2] [--seed 0] [--judge-doubtful]

The views are drawn at random. Prints for each number of views the share of the object that must be explained for a
verdict, how many photos of good and of defective specimens are `ok`, `defect` and `unknown` at a false-alarm rate of
2 %, and how many of the judged ones have a pose within 5 degrees. The object's test photos need poses.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

import paad
from paad.geometry.se3 import rotation_error_deg

SAME_POSE_DEG = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("object", type=Path)
    parser.add_argument("--views", type=int, nargs="+", default=[4, 10])
    parser.add_argument("--every", type=int, default=2, help="every how manieth test photo is judged (default: 2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judge-doubtful", action="store_true", help="judge photos whose pose is in doubt, too")
    args = parser.parse_args()
    folder = paad.open_object(args.object)
    views = list(folder.train)
    drawn = np.random.default_rng(args.seed).permutation(len(views))
    for count in args.views:
        detector = paad.create("paad", device="cpu", judge_doubtful=args.judge_doubtful)
        detector.fit([views[i] for i in drawn[:count]])
        said: Counter[str] = Counter()
        judged = right = 0
        for photo in list(folder.test)[:: args.every]:
            result = detector.predict(photo.load_image())
            said[f"{'defective' if photo.is_defect else 'good'}: {result.status}"] += 1
            if result.cam_from_world is not None:
                judged += 1
                off = rotation_error_deg(result.cam_from_world, folder.test_poses[photo.name])
                right += off < SAME_POSE_DEG
        row = {
            "views": count,
            "verdict_from": detector.summary()["verdict_from_pose_quality"],
            **dict(sorted(said.items())),
            "judged": judged,
            "of them within 5 degrees": right,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
