"""Check masks against brute force: python benchmarks/synth_masks.py [--images 500] [--toys all] [--size 160].

Makes damaged specimens of every toy and kind, photographs each from several sides, and compares the exact mask with a
search over all triangles at other sample positions. Prints a line an object and the totals.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from paad.synth.dataset_plan import Job, Piece, pieces_of, rng_of
from paad.synth.dataset_profile import Counts, Profile
from paad.synth.dataset_render import damaged_views, good_scene, loaded_object
from paad.synth.defects import KINDS
from paad.synth.masks import window_of
from paad.synth.masks_brute import changed_samples, faults
from paad.synth.render_mitsuba import chosen_variant
from paad.synth.toys import toy_names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--toys", nargs="+", default=["all"])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--variant", default="auto", help="of Mitsuba: auto, scalar_rgb or llvm_ad_rgb")
    args = parser.parse_args()
    toys = toy_names() if args.toys == ["all"] else args.toys
    variant = chosen_variant(args.variant)
    per_kind = -(-args.images // (len(toys) * len(KINDS)))
    profile = Profile("check", args.size, Counts(1, 0, 3 * per_kind, max(1, per_kind // 2)))
    job = Job(Path("unused"), profile, "sim", args.seed, variant=variant)
    total = wrong = missed_all = far_all = 0
    start = time.perf_counter()
    for toy in toys:
        pieces = (p for p in pieces_of(toy, toy, profile, "sim") if p.label in KINDS)
        results = list(itertools.chain.from_iterable(check(job, piece) for piece in pieces))
        missed, far = (sum(r[i] for r in results) for i in (0, 1))
        print(f"{toy:12s} {len(results):4d} images  missed {missed:4d} px  far {far:4d} px", flush=True)
        total += len(results)
        wrong += sum(any(r) for r in results)
        missed_all, far_all = missed_all + missed, far_all + far
    print(f"{wrong} of {total} images wrong with {variant} ({missed_all} px missed, {far_all} px far)")
    print(f"{time.perf_counter() - start:.0f} s")


def check(job: Job, piece: Piece) -> list[tuple[int, int]]:
    """Missed and far pixels of each image of a piece."""
    thing = loaded_object(piece.source, job.library)
    damage, views = damaged_views(job, piece, thing)
    good, camera, found = good_scene(job, piece.source, None).surface, job.profile.camera, []
    for view in views:
        offsets = rng_of(job.seed, piece.key, view.index).uniform(0.0, 1.0, (12, 2))
        window = window_of(damage.touched, camera, view.cam_from_world, margin=3)
        assert window is not None
        assert view.mask is not None
        changed = changed_samples(good, damage.surface, camera, view.cam_from_world, window, offsets)
        missed, far = faults(np.asarray(view.mask), changed, window)
        if far:  # a sliver between these samples? look closer, also within 0.001 px of the mask's own places
            fine, own = ((np.mgrid[0:n, 0:n].reshape(2, -1).T + 0.5) / n for n in (8, job.profile.mask_samples))
            grid = np.concatenate([fine, *(own + 1e-3 * np.array(d) for d in itertools.product((-1, 0, 1), repeat=2))])
            changed = changed_samples(good, damage.surface, camera, view.cam_from_world, window, grid)
            far = faults(np.asarray(view.mask), changed, window)[1]
        if missed or far:
            print(f"  {piece.key} view {view.index}: missed {missed}, far {far}; {damage.facts}")
        found.append((missed, far))
    return found


if __name__ == "__main__":
    main()
