"""How well a field draws photos it never saw: python benchmarks/unseen_views.py OBJECT ... [--set NAME=VALUE ...].

Of each object folder with true poses of its test photos, the good ones are drawn at these poses and compared over the
object's pixels (mean dB): by a field of the training views less those that ``paad`` keeps aside, by the same one fitted
on to all of them, as ``paad`` does, and with ``--from-start`` by one that was fitted to all of them from the beginning.
``--set`` gives options of ``paad.fields.config.FieldConfig``, values in JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from paad.data.objects import ObjectFolder, open_object
from paad.detectors.paad import PaadConfig
from paad.fields.build import build_field, fit_also, split_views
from paad.fields.config import FieldConfig
from paad.fields.field import Field
from paad.fields.light import drawn_beside
from paad.fields.quality import psnr

_INSIDE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", type=Path, nargs="+")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options of the fit")
    parser.add_argument("--from-start", action="store_true", help="also fit to all views from the beginning")
    args = parser.parse_args()
    torch.set_num_threads(1)
    pairs = (pair.split("=", 1) for pair in args.set)
    config = replace(FieldConfig(), **{name: json.loads(value) for name, value in pairs})
    for folder in args.objects:
        data = open_object(folder)
        views = list(data.train)
        split = split_views(len(views), PaadConfig().hold_out)
        fitted, aside = ([views[i] for i in some] for some in (split.fitted, split.held_out))
        began = time.perf_counter()
        field, _ = build_field(fitted, config, watched=aside)
        row = {"object": folder.name, "views": len(views), "kept aside": unseen(field, data)}
        row["seconds"] = round(time.perf_counter() - began, 1)
        began = time.perf_counter()
        row["fitted on"] = unseen(fit_also(field, views, config), data)
        row["seconds more"] = round(time.perf_counter() - began, 1)
        if args.from_start:
            row["from the start"] = unseen(build_field(views, config)[0], data)
        print(json.dumps(row), flush=True)


def unseen(field: Field, data: ObjectFolder) -> float:
    """Mean dB over the object's pixels of the good test photos, drawn at their true poses, under their own light."""
    each = []
    for query in data.test:
        if query.is_defect:
            continue
        photo = query.load_image()[..., :3].astype(np.float32) / np.float32(255.0)
        height, width = photo.shape[:2]
        drawn = drawn_beside(field, photo, data.test_poses[query.name], field.camera.resized(width, height))
        each.append(psnr(drawn.colour, photo, drawn.alpha > _INSIDE))
    return round(float(np.mean(each)), 2)


if __name__ == "__main__":
    main()
