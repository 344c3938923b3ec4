"""What the learned comparator is trained on: python benchmarks/comparator_data.py OUT --seeds 200 201 ... [--size 160].

Random brick assemblies, none of the twenty toys, or with ``--bodies`` random smooth, patterned bodies. Each is
photographed by the generator (105 training views, 30 good and 60 defective photos), fitted, and every photo that the
field was not fitted to is found and compared as a query is. One file an object,
``OUT/<size>_<seed>[_body][_<views>views][_real].npz``; files that are there are kept. All pictures are cut to the
object and a margin.

Arrays of a file, for photo ``i``: ``query{i}`` and ``reference{i}`` float16 [h, w, 3], ``alpha{i}`` float16 [h, w],
``expected{i}`` and ``residual{i}`` float16 [S, h, w], ``mask{i}`` uint8 [h, w] (255: changed); and ``label`` [N]: 0
held out of the training views, 1 good, 2 defective; ``kind`` [N]: of the defect, or empty.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from paad.compare.comparator import object_window
from paad.compare.comparison import Comparison, compare
from paad.data.files import whole_file
from paad.data.objects import open_object
from paad.detectors.base import float_image
from paad.detectors.paad import Paad
from paad.detectors.paad_fit import SAME_POSE_DEG
from paad.errors import PoseError
from paad.fields.build import split_views
from paad.geometry.se3 import rotation_error_deg
from paad.pose.estimate import PoseConfig, search
from paad.pose.query import prepare_query
from paad.synth.dataset import generate
from paad.synth.dataset_profile import Counts, Profile
from paad.synth.ldraw import write_ldr
from paad.synth.looks import LOOKS
from paad.synth.random_bodies import write_body
from paad.synth.random_toys import random_toy

_VIEWS = 105


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--size", type=int, default=160, help="pixels of a picture's side (default: 160)")
    parser.add_argument("--bodies", action="store_true", help="smooth bodies in place of brick assemblies")
    parser.add_argument("--look", choices=LOOKS, default="sim")
    parser.add_argument("--views", type=int, default=_VIEWS, help=f"training views (default: {_VIEWS})")
    parser.add_argument("--defective", type=int, default=60, help="defective photos, half as many good ones")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed in args.seeds:
        few = "" if args.views == _VIEWS else f"_{args.views}views"
        name = f"{args.size}_{seed}{'_body' * args.bodies}{few}{'' if args.look == 'sim' else '_' + args.look}"
        file = args.out / f"{name}.npz"
        if file.is_file():
            continue
        begin = time.time()
        model = object_file(args.out / "pictures" / name, seed, args.bodies)
        arrays = one(model, seed, args.size, args.look, args.views, args.defective)
        with whole_file(file) as temporary:
            np.savez(temporary, **arrays)
        print(f"{file.name}: {time.time() - begin:.0f} s", flush=True)


def object_file(pictures: Path, seed: int, body: bool) -> Path:
    """The object of a seed, written as an LDraw model or as a coloured mesh."""
    pictures.mkdir(parents=True, exist_ok=True)
    model = pictures / (f"body_{seed}.ply" if body else f"random_{seed}.ldr")
    if body:
        write_body(model, seed)
    else:
        write_ldr(model, random_toy(seed))
    return model


def one(model: Path, seed: int, size: int, look: str, views: int, defective: int) -> dict[str, np.ndarray]:
    """All arrays of one object."""
    counts = Counts(views, defective // 2, defective, defective // 3)
    folder = generate(model.parent / "data", [str(model)], Profile("comparator", size, counts, counts), look, seed)
    return arrays_of(folder / model.stem)


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    """Fit an object folder and compare every photo of it that the field was not fitted to."""
    data = open_object(folder)
    detector = Paad(device="cpu", use_all_views=False).fit(list(data.train))  # those kept aside stay unseen
    learned, field = detector.learned, detector.field
    out: dict[str, np.ndarray] = {}
    labels: list[int] = []
    kinds: list[str] = []

    def add(compared: Comparison, mask: np.ndarray | None, label: int, kind: str = "") -> None:
        i = len(labels)
        window = object_window(compared.alpha, compared.query.image, compared.reference)
        expected = learned.expectation.expected(compared.features)
        out[f"query{i}"] = compared.query.image[window].astype(np.float16)
        out[f"reference{i}"] = compared.reference[window].astype(np.float16)
        out[f"alpha{i}"] = compared.alpha[window].astype(np.float16)
        out[f"expected{i}"] = expected[(slice(None), *window)].astype(np.float16)
        out[f"residual{i}"] = compared.residuals[(slice(None), *window)].astype(np.float16)
        changed = np.zeros(compared.alpha.shape, np.uint8) if mask is None else mask.astype(np.uint8) * 255
        out[f"mask{i}"] = changed[window]
        labels.append(label)
        kinds.append(kind)

    views = list(data.train)
    longest = max(field.camera.width, field.camera.height)
    masked = field.cut_out and data.train.mask_source == "alpha"
    for i in split_views(len(views), detector.config.hold_out).held_out:
        view = views[i]
        alpha = view.mask if masked else None
        query = prepare_query(
            view.image.astype(np.float32) / np.float32(255.0), alpha, view.camera, field.background, field.bounded
        )
        try:
            found = search(field, learned.guide, query, PoseConfig())[0]
        except PoseError:
            continue
        if rotation_error_deg(found.cam_from_world, view.cam_from_world) < SAME_POSE_DEG:
            add(compare(field, learned.expectation.remembered, query, found, longest), None, 0)
    for photo in data.test:
        image = photo.load_image()
        try:
            compared = detector.find(*float_image(image)).compared
        except PoseError:
            continue
        if photo.is_defect:
            add(compared, photo.load_mask(image.shape[:2]), 2, photo.label)
        else:
            add(compared, None, 1)
    return {"label": np.array(labels), "kind": np.array(kinds), **out}


if __name__ == "__main__":
    main()
