"""What the ``paad`` method learns, to small arrays and a manifest and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from paad.compare.calibration import Calibration
from paad.compare.comparison import Expectation
from paad.compare.expected import ExpectedResidual
from paad.compare.residual import SCALES_PX
from paad.compare.specimen import GoodSurface
from paad.compare.support import Support
from paad.compare.surface import Surface
from paad.detectors.compact import Tensors, as_bytes, as_places, of_bytes, of_places, squeezed, unsqueezed
from paad.fields.config import FitLog, Quality
from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.pose.estimate import Guide
from paad.pose.landmarks import Landmarks
from paad.pose.templates import Templates
from paad.render.splats import Splats
from paad.types import Float32


@dataclass(frozen=True)
class Learned:
    """A fitted model."""

    field: Field
    guide: Guide
    expectation: Expectation
    calibration: Calibration
    good_surface: GoodSurface
    quality: Quality | None
    log: FitLog


def as_stored(field: Field) -> Field:
    """The field in the precision of its file, so that a saved model predicts what the fitted one does."""
    shading = None if field.shading is None else of_bytes(*as_bytes(field.shading))
    return replace(field, splats=_splats(_pack_splats(field.splats)), shading=shading)


def remembered_as_stored(remembered: Float32) -> Float32:
    """What the Gaussians remember, in the precision of the file."""
    return of_bytes(*as_bytes(remembered))


def _pack_splats(splats: Splats) -> Tensors:
    means, box = as_places(splats.means)
    view_dependent, top = as_bytes(splats.sh[:, 1:])
    halves = {"quats": splats.quats, "log_scales": splats.log_scales, "logit_opacities": splats.logit_opacities}
    tensors: Tensors = {f"gaussians.{name}": array.astype(np.float16) for name, array in halves.items()}
    tensors |= {"gaussians.means": means, "gaussians.box": box}
    tensors |= {"gaussians.base": splats.sh[:, 0].astype(np.float16), "gaussians.rest_top": top}
    return tensors | {"gaussians.rest": view_dependent}  # next to incompressible


def _splats(tensors: Tensors) -> Splats:
    base = tensors["gaussians.base"].astype(np.float32)[:, None]
    rest = of_bytes(tensors["gaussians.rest"], tensors["gaussians.rest_top"])
    halves = {k: tensors[f"gaussians.{k}"].astype(np.float32) for k in ("quats", "log_scales", "logit_opacities")}
    means = of_places(tensors["gaussians.means"], tensors["gaussians.box"])
    return Splats(means=means, sh=np.concatenate([base, rest], axis=1), **halves)


def _shading(tensors: Tensors) -> Float32 | None:
    if "shading" not in tensors:
        return None
    return of_bytes(unsqueezed("shading", tensors, np.int8), tensors["shading.top"])


def pack(learned: Learned) -> tuple[Tensors, dict[str, Any]]:
    """Arrays by name and a JSON-able manifest."""
    field, guide = learned.field, learned.guide
    remembered, top = as_bytes(learned.expectation.remembered)
    tensors = _pack_splats(field.splats) | squeezed("remembered", remembered)
    tensors |= {"remembered.top": top, "directions": field.directions}
    tensors |= {"surface.centres": learned.good_surface.surface.centres}
    tensors |= squeezed("surface.good", learned.good_surface.good.astype(np.float16))
    if guide.templates is not None:
        arrays = {f.name: getattr(guide.templates, f.name) for f in fields(Templates)}
        tensors |= squeezed("templates.rings", arrays.pop("rings"))
        tensors |= {f"templates.{name}": array for name, array in arrays.items()}
    if guide.landmarks is not None:
        arrays = {f.name: getattr(guide.landmarks, f.name) for f in fields(Landmarks)}
        tensors |= squeezed("landmarks.descriptors", arrays.pop("descriptors"))
        tensors |= {f"landmarks.{name}": array for name, array in arrays.items()}
    if field.shading is not None:
        shading, top = as_bytes(field.shading)
        tensors |= squeezed("shading", shading) | {"shading.top": top}
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
        "surface_size": learned.good_surface.surface.size,
        "unit": learned.expectation.unit.tolist(),
        "peak": learned.expectation.peak,
        "support": asdict(learned.expectation.support),
        "error": learned.expectation.error,
        "trusted": learned.expectation.trusted,
        "agreeing": learned.expectation.agreeing,
        "scales_px": list(SCALES_PX),
        "calibration": {"scores": list(learned.calibration.scores)},
        "quality": None if learned.quality is None else asdict(learned.quality),
        "fit": asdict(learned.log),
    }
    return tensors, manifest


def unpack(tensors: Tensors, manifest: dict[str, Any], device: str) -> Learned:
    """Rebuild what :func:`pack` took apart.

    Raises:
        KeyError: a part is missing.
        ValueError: a part is damaged.
    """
    about = manifest["field"]
    field = Field(
        _splats(tensors),
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
        _shading(tensors),
    )
    templates = landmarks = None
    if "templates.rings" in tensors:
        rings = {"templates.rings": unsqueezed("templates.rings", tensors, np.uint8)}
        templates = Templates(**{f.name: (tensors | rings)[f"templates.{f.name}"] for f in fields(Templates)})
    if "landmarks.xyz" in tensors:
        descriptors = {"landmarks.descriptors": unsqueezed("landmarks.descriptors", tensors, np.uint8)}
        landmarks = Landmarks(**{f.name: (tensors | descriptors)[f"landmarks.{f.name}"] for f in fields(Landmarks)})
    remembered = of_bytes(unsqueezed("remembered", tensors, np.int8), tensors["remembered.top"])
    good = unsqueezed("surface.good", tensors, np.float16).astype(np.float32)
    expected = ExpectedResidual(np.array(manifest["expected"]))
    return Learned(
        field,
        Guide(templates, landmarks),
        Expectation(
            remembered,
            expected,
            np.array(manifest["unit"]),
            manifest["peak"],
            Support(**manifest["support"]),
            manifest["error"],
            manifest["trusted"],
            manifest["agreeing"],
        ),
        Calibration(tuple(manifest["calibration"]["scores"])),
        GoodSurface(Surface(tensors["surface.centres"], manifest["surface_size"]), good),
        None if manifest["quality"] is None else Quality(**manifest["quality"]),
        FitLog(**manifest["fit"]),
    )
