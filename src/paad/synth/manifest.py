"""What a generated object folder says about itself: cameras for others to read, and a manifest of every picture."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from paad._version import __version__
from paad.data.files import write_json
from paad.synth.dataset_plan import Job
from paad.synth.render_mitsuba import llvm_version

FORMAT_VERSION = 1
LICENCE = "CC-BY-4.0"


def settings(job: Job) -> dict[str, Any]:
    """What decides the bytes of the pictures, JSON-able."""
    import mitsuba

    versions = {"paad": __version__, "mitsuba": mitsuba.__version__, "numpy": np.__version__}
    compiler = llvm_version()
    if compiler is not None:
        versions["llvm"] = compiler
    return {
        "format": "paad-synth",
        "format_version": FORMAT_VERSION,
        "profile": asdict(job.profile),
        "look": job.look,
        "seed": job.seed,
        "buffers": job.buffers,
        "variant": job.variant,
        "versions": versions,
    }


def source_facts(source: str) -> dict[str, Any]:
    """What an object is made from: a toy's name, or the name of a file and its SHA-256."""
    file = Path(source)
    if not file.suffix:
        return {"source": file.name}
    return {"source": file.name, "source_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def write_object_files(job: Job, name: str, source: str, records: Sequence[dict[str, Any]]) -> Path:
    """Write transforms.json, test_transforms.json and, last, manifest.json of a finished object; returns the last."""
    folder = job.out / name
    camera = job.profile.camera
    head = {
        "camera_angle_x": camera.angle_x,
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "w": camera.width,
        "h": camera.height,
    }
    train = [r for r in records if r["file"].startswith("train/")]
    test = [r for r in records if r["file"].startswith("test/")]
    write_json(folder / "transforms.json", {**head, "frames": [_frame(r) for r in train]})
    write_json(folder / "test_transforms.json", {**head, "frames": [_frame(r) for r in test]})
    manifest = {
        **settings(job),
        "object": name,
        **source_facts(source),
        "licence": LICENCE,
        "machine": platform.machine(),
        "least_visible_px": job.profile.least_visible_px,
        "images": list(records),
    }
    return write_json(folder / "manifest.json", manifest)


def _frame(record: dict[str, Any]) -> dict[str, Any]:
    frame = {"file_path": record["file"], "transform_matrix": record["world_from_cam_opengl"]}
    if "object_mask" in record:
        frame["mask_path"] = record["object_mask"]
    return frame
