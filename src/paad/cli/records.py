"""The record of one judged photo: what ``paad inspect --json`` prints as one line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from paad.types import Prediction, SpecimenVerdict

STAGES = ("pose", "render", "score", "total")


def error_record(image: str, message: str, seconds: float) -> dict[str, Any]:
    """The record of a photo that could not be read or handled; ``seconds`` is the time it took to find out."""
    return {
        "image": image,
        "status": "error",
        "score": None,
        "threshold": None,
        "p_value": None,
        "cam_from_world": None,
        "pose_quality": None,
        "regions": [],
        "map": None,
        "reference": None,
        "seconds": {**dict.fromkeys(STAGES), "total": round(seconds, 4)},
        "message": message,
    }


def prediction_record(
    image: str, prediction: Prediction, method: str, seconds: float, scale: tuple[float, float] = (1.0, 1.0)
) -> dict[str, Any]:
    """The record of a prediction; numbers that are not finite become null, as JSON has none.

    Args:
        image: the photo's path as the user gave it.
        method: the detector's name, for the message of a method without calibration.
        seconds: wall time of the whole prediction, used where the detector gives no "total".
        scale: photo pixels per map pixel in x and y; boxes and areas are brought to the photo's own pixels.
    """
    message = prediction.message
    if prediction.status is None:
        reason = f"the method {method!r} is not calibrated"
        if prediction.p_value is not None:
            reason = "too few good views were kept aside to promise so low a false-alarm rate"
        message = f"{message} {reason}: a score, but no verdict".lstrip()
    given = {stage: prediction.seconds.get(stage) for stage in STAGES}
    if given["total"] is None:
        given["total"] = seconds
    return {
        "image": image,
        "status": prediction.status or "unknown",
        "score": _finite(prediction.score),
        "threshold": _finite(prediction.threshold),
        "p_value": _finite(prediction.p_value),
        "cam_from_world": None if prediction.cam_from_world is None else np.asarray(prediction.cam_from_world).tolist(),
        "pose_quality": _finite(prediction.pose_quality),
        "regions": [
            {
                "bbox": [round(v * scale[i % 2]) for i, v in enumerate(region.bbox)],
                "area_px": round(region.area_px * scale[0] * scale[1]),
                "peak": _finite(region.peak),
                "kind": region.kind,
            }
            for region in prediction.regions
        ],
        "map": None,
        "reference": None,
        "seconds": {stage: None if value is None else round(float(value), 4) for stage, value in given.items()},
        "message": message,
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def specimen_record(verdict: SpecimenVerdict | None, ply: str | None, message: str = "") -> dict[str, Any]:
    """The record of a specimen, the last line of ``paad inspect --specimen --json``.

    ``verdict`` is None where there can be none; ``message`` then says why.
    """
    if verdict is None:
        empty = dict.fromkeys(("score", "threshold", "p_value", "place", "extent", "kind", "photos", "unknown", "ply"))
        return {"specimen": "error", **empty, "message": message}
    return {
        "specimen": verdict.status,
        "score": _finite(verdict.score),
        "threshold": _finite(verdict.threshold),
        "p_value": _finite(verdict.p_value),
        "place": None if verdict.place is None else [round(float(v), 5) for v in verdict.place],
        "extent": round(verdict.extent, 5),
        "kind": verdict.kind,
        "photos": verdict.photos,
        "unknown": verdict.unknown,
        "ply": ply,
        "message": verdict.message,
    }
