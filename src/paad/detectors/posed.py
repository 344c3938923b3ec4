"""What detectors that find a pose and compare with a reference share: the photo made ready, failures, stored fields."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.detectors.base import float_image
from paad.errors import DataError
from paad.fields.field import Field
from paad.fields.framing import composite
from paad.geometry.camera import Camera
from paad.pose.query import QueryImage, cameras_of_photo, prepare_query
from paad.render.splats import Splats
from paad.types import Float32, PosedView, Prediction


def posed_views(views: Sequence[Any], least: int) -> list[PosedView]:
    """The views with their photos loaded.

    Raises:
        DataError: fewer than ``least``, or views without poses.
    """
    if len(views) < least:
        raise DataError(f"{len(views)} training views; this method needs at least {least}")
    loaded = list(views)
    for view in loaded:
        if getattr(view, "cam_from_world", None) is None:
            raise DataError(f"view {getattr(view, 'name', '?')} has no pose; this method needs posed views")
    return loaded


def view_photo(view: PosedView, background: Float32, cut_out: bool) -> Float32:
    """A training photo as RGB float32 [H, W, 3], put over ``background`` [3] by its mask where ``cut_out``."""
    photo = view.image[..., :3].astype(np.float32) / np.float32(255.0)
    return composite(photo, view.mask, background) if cut_out else photo


def posed_query(image: NDArray[Any], trained: Camera, background: Float32, bounded: bool) -> QueryImage:
    """What ``predict`` is given, over the field's background, no larger than the training photos.

    Of the cameras that may have taken a photo of another size, the first is taken: the whole picture resampled.

    Raises:
        DataError: the image's shape, type or values cannot be used.
    """
    rgb, alpha = float_image(image)
    camera = cameras_of_photo(trained, rgb.shape[1], rgb.shape[0])[0]
    query = prepare_query(rgb, alpha, camera, background, bounded)
    if query.background is not background:
        query = replace(query, image=composite(query.image, query.mask, background), background=background)
    longest = max(trained.width, trained.height)
    largest = max(camera.width, camera.height)
    return query.scaled(longest / largest) if largest > longest else query


def explained(query: Float32, reference: Float32, background: Float32) -> float:
    """Share of what the photo shows before its background that the reference accounts for: 1 is all, 0 or less nothing.

    One minus the mean absolute error of the reference by that of the bare ``background`` [3]; pictures [H, W, 3]. No
    threshold is learned: a reference that is no better than no object at all is no reference.
    """
    bare = float(np.abs(query - background).mean())
    return 1.0 - float(np.abs(query - reference).mean()) / bare if bare > 1e-6 else 0.0


@dataclass
class Stopwatch:
    """Seconds by stage; each ``lap`` ends a stage."""

    began: float
    last: float
    seconds: dict[str, float]

    @classmethod
    def started(cls) -> Stopwatch:
        """A running one."""
        now = time.perf_counter()
        return cls(now, now, {})

    def lap(self, stage: str) -> None:
        """Count the time since the last lap to ``stage``."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.last
        self.last = now

    def total(self) -> dict[str, float]:
        """The stages, and "total" since the start."""
        return {**self.seconds, "total": time.perf_counter() - self.began}


def failed(height: int, width: int, message: str, watch: Stopwatch, quality: float = 0.0) -> Prediction:
    """A photo without a trustworthy pose: status "unknown", no score (nan), an empty map, no pose."""
    seconds = {"pose": 0.0, "render": 0.0, "score": 0.0, **watch.total()}
    return Prediction(
        score=float("nan"),
        map=np.zeros((height, width), np.float32),
        status="unknown",
        pose_quality=max(0.0, quality),
        seconds=seconds,
        message=message,
    )


def pack_field(field: Field) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """A field of Gaussians as arrays named ``field.<name>`` and a JSON-able manifest."""
    tensors: dict[str, NDArray[Any]] = {f"field.{k}": a for k, a in field.splats.named().items()}
    tensors["field.directions"] = field.directions
    return tensors, {
        "background": field.background.tolist(),
        "centre": field.centre.tolist(),
        "radius": field.radius,
        "low": field.low.tolist(),
        "high": field.high.tolist(),
        "bounded": field.bounded,
        "cut_out": field.cut_out,
        "distance": field.distance,
        "camera": asdict(field.camera),
    }


def unpack_field(tensors: dict[str, NDArray[Any]], about: dict[str, Any], device: str) -> Field:
    """Rebuild what :func:`pack_field` took apart.

    Raises:
        KeyError: a part is missing.
    """
    return Field(
        Splats(**{f.name: tensors[f"field.{f.name}"] for f in fields(Splats)}),
        np.array(about["background"], np.float32),
        np.array(about["centre"]),
        about["radius"],
        np.array(about["low"]),
        np.array(about["high"]),
        about["bounded"],
        about["cut_out"],
        Camera(**about["camera"]),
        about["distance"],
        tensors["field.directions"],
        device,
    )
