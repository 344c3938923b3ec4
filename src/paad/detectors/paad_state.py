"""What the ``paad`` method learns, to arrays and a manifest and back: half precision but for places in the world."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.compare.calibration import Calibration
from paad.compare.comparison import Expectation
from paad.compare.expected import ExpectedResidual
from paad.compare.residual import SCALES_PX
from paad.fields.config import FitLog, Quality
from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.pose.estimate import Guide
from paad.pose.landmarks import Landmarks
from paad.pose.templates import Templates
from paad.render.splats import Splats


@dataclass(frozen=True)
class Learned:
    """A fitted model."""

    field: Field
    guide: Guide
    expectation: Expectation
    calibration: Calibration
    quality: Quality | None
    log: FitLog


def as_stored(field: Field) -> Field:
    """The field in the precision of its file, so that a saved model predicts what the fitted one does."""
    half = {k: a if k == "means" else a.astype(np.float16).astype(np.float32) for k, a in field.splats.named().items()}
    return replace(field, splats=Splats(**half))


def pack(learned: Learned) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays by name and a JSON-able manifest."""
    field, guide = learned.field, learned.guide
    tensors: dict[str, NDArray[Any]] = {
        f"gaussians.{name}": array.astype(np.float32 if name == "means" else np.float16)
        for name, array in field.splats.named().items()
    }
    tensors |= {"remembered": learned.expectation.remembered, "directions": field.directions}
    if guide.templates is not None:
        tensors |= {f"templates.{f.name}": getattr(guide.templates, f.name) for f in fields(Templates)}
    if guide.landmarks is not None:
        tensors |= {f"landmarks.{f.name}": getattr(guide.landmarks, f.name) for f in fields(Landmarks)}
    manifest = {
        "field": {
            "background": field.background.tolist(),
            "centre": field.centre.tolist(),
            "radius": field.radius,
            "low": field.low.tolist(),
            "high": field.high.tolist(),
            "bounded": field.bounded,
            "cut_out": field.cut_out,
            "distance": field.distance,
        },
        "camera": asdict(field.camera),
        "expected": learned.expectation.expected.weights.tolist(),
        "unit": learned.expectation.unit.tolist(),
        "scales_px": list(SCALES_PX),
        "calibration": {"scores": list(learned.calibration.scores)},
        "quality": None if learned.quality is None else asdict(learned.quality),
        "fit": asdict(learned.log),
    }
    return tensors, manifest


def unpack(tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str) -> Learned:
    """Rebuild what :func:`pack` took apart.

    Raises:
        KeyError: a part is missing.
    """
    about = manifest["field"]
    splats = Splats(**{f.name: tensors[f"gaussians.{f.name}"].astype(np.float32) for f in fields(Splats)})
    field = Field(
        splats,
        np.array(about["background"], np.float32),
        np.array(about["centre"]),
        about["radius"],
        np.array(about["low"]),
        np.array(about["high"]),
        about["bounded"],
        about["cut_out"],
        Camera(**manifest["camera"]),
        about["distance"],
        tensors["directions"],
        device,
    )
    templates = landmarks = None
    if "templates.rings" in tensors:
        templates = Templates(**{f.name: tensors[f"templates.{f.name}"] for f in fields(Templates)})
    if "landmarks.xyz" in tensors:
        landmarks = Landmarks(**{f.name: tensors[f"landmarks.{f.name}"] for f in fields(Landmarks)})
    expected = ExpectedResidual(np.array(manifest["expected"]))
    return Learned(
        field,
        Guide(templates, landmarks),
        Expectation(tensors["remembered"], expected, np.array(manifest["unit"])),
        Calibration(tuple(manifest["calibration"]["scores"])),
        None if manifest["quality"] is None else Quality(**manifest["quality"]),
        FitLog(**manifest["fit"]),
    )
