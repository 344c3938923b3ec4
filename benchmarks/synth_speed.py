"""Speed of the generator: python benchmarks/synth_speed.py [--toys Mallard Pig] [--profile tiny] [--look sim].

Prints the pictures a second of good views against a plain call of ``mitsuba.render`` a view on the same scene (same
samples and variant, the whole film; once with the scene kept, once with the scene loaded for every view), what the mask
buffers cost on top of a defect picture, processor seconds a picture by label with the time that twenty toys would take
on two cores, and the largest memory. Times are processor seconds of this process, so that a busy machine disturbs them
less. ``--variant`` is Mitsuba's; kernels are compiled before the clock starts, except in the plain calls, where every
new camera is part of the kernel.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paad.synth import rig
from paad.synth.dataset_plan import Job, pieces_of
from paad.synth.dataset_profile import profile_of
from paad.synth.dataset_render import View, damaged_views, good_scene, loaded_object, render_piece, take_picture
from paad.synth.looks import SIM_LIGHTING
from paad.synth.masks import change_mask
from paad.synth.render_mitsuba import chosen_variant, mitsuba
from paad.synth.render_scene import Scene, mitsuba_sensor
from paad.types import Float64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", nargs="+", default=["Mallard", "Pig"])
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--look", default="sim")
    parser.add_argument("--variant", default="auto", help="auto, scalar_rgb or llvm_ad_rgb")
    parser.add_argument("--pieces", type=int, default=2, help="pieces of each label to render (default: 2)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        variant = chosen_variant(args.variant)
        job = Job(Path(folder), profile_of(args.profile), args.look, 0, variant=variant)
        if args.look == "sim":
            for toy in args.toys:
                against_plain(job, toy)
                cost_of_masks(job, toy)
        rates(job, args.toys, args.pieces)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def against_plain(job: Job, toy: str, views: int = 12) -> None:
    """Good views: ours against loading the scene and rendering the whole film for every view."""
    poses = rig.mad_rig(210, rig.radius_of(toy))[5 :: 210 // (views + 1)][: views + 1]
    scene = good_scene(job, toy, None)
    rates = [
        _rate(poses, lambda n, pose: take_picture(job, scene, View(n, pose), n)),
        _rate(poses, lambda n, pose: _plain(job, scene, pose, n)),
        _rate(poses, lambda n, pose: _plain(job, Scene(scene.surface, SIM_LIGHTING, None, job.variant), pose, n)),
    ]
    print(
        f"{toy} {job.variant}: {rates[0]:.2f} views/s; plain Mitsuba {rates[1]:.2f} (ratio {rates[0] / rates[1]:.2f}), "
        f"with the scene loaded each time {rates[2]:.2f} (ratio {rates[0] / rates[2]:.2f})",
        flush=True,
    )


def _rate(poses: list[Float64], take: Callable[[int, Float64], object]) -> float:
    """Pictures a processor second; the first one only warms up."""
    start = 0.0
    for number, pose in enumerate(poses):
        if number == 1:
            start = time.process_time()
        take(number, pose)
    return (len(poses) - 1) / (time.process_time() - start)


def _plain(job: Job, scene: Scene, pose: Float64, seed: int) -> NDArray[np.float32]:
    """What a plain script would do: a sensor, and Mitsuba's own render call for the whole film."""
    mi, samples = mitsuba(job.variant), job.profile.samples
    sampler = {"type": "multijitter", "sample_count": samples}
    sensor = mi.load_dict(mitsuba_sensor(mi, job.profile.camera, pose, None, sampler, None))
    return np.array(mi.render(scene.mitsuba_scene, sensor=sensor, seed=seed), np.float32)


def cost_of_masks(job: Job, toy: str) -> None:
    """The exact mask of a view against its picture."""
    picture = mask = 0.0
    for piece in [p for p in pieces_of(toy, toy, job.profile, job.look) if p.label not in ("train", "good")][::2]:
        damage, views = damaged_views(job, piece, loaded_object(toy, job.library))
        good, bad = good_scene(job, toy, None), Scene(damage.surface, SIM_LIGHTING, None, job.variant)
        take_picture(job, bad, views[0], 1)
        for view in views:
            start = time.process_time()
            take_picture(job, bad, view, 1)
            middle = time.process_time()
            change_mask(good, bad, damage, job.profile.camera, view.cam_from_world, job.profile.mask_samples)
            picture, mask = picture + middle - start, mask + time.process_time() - middle
    print(f"{toy}: mask buffers cost {100.0 * mask / picture:.0f} % on top of the picture", flush=True)


def rates(job: Job, toys: list[str], most: int) -> None:
    """Processor seconds a picture by label, everything included (damage, search for views, masks, files)."""
    seconds: dict[str, float] = defaultdict(float)
    pictures: dict[str, int] = defaultdict(int)
    for toy in toys:
        for piece in pieces_of(toy, toy, job.profile, job.look)[:1]:
            render_piece(job, replace(piece, count=1))  # load, compile
        taken: dict[str, int] = defaultdict(int)
        for piece in pieces_of(toy, toy, job.profile, job.look):
            if taken[piece.label] < most:
                start = time.process_time()
                render_piece(job, piece)
                seconds[piece.label] += time.process_time() - start
                pictures[piece.label] += piece.count
                taken[piece.label] += 1
    counts = job.profile.counts(job.look)
    wanted = {
        "train": counts.train,
        "good": counts.good,
        **dict.fromkeys(("Burrs", "Missing", "Stains"), counts.defect // 3),
    }
    total = 0.0
    for label, number in wanted.items():
        each = seconds[label] / max(pictures[label], 1)
        total += each * number
        print(f"{label:8s} {each:.3f} processor s a picture")
    setting = f"{job.profile.name}, {job.look}, {job.variant}"
    print(f"{setting}: one toy {total / 2:.0f} s, twenty {20 * total / 120:.1f} min on two cores")


if __name__ == "__main__":
    main()
