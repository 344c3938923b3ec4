"""A verdict on a specimen, from what was predicted of several photos of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from paad.compare.specimen import GoodSurface, judge
from paad.errors import DataError, UsageError
from paad.fields.field import Field
from paad.render.constants import SH_C0
from paad.types import Float32, Kind, Prediction, SpecimenVerdict, UInt8

_CORE = 0.6
"""A defect reaches down to this share of its peak: blurs of the map spread evidence over its surroundings."""
_RED = np.array([230.0, 20.0, 20.0])


def specimen_verdict(
    field: Field, model: GoodSurface, predictions: Sequence[Prediction], false_alarm_rate: float
) -> SpecimenVerdict:
    """Add up the evidence of ``predictions`` on the surface of ``field``.

    Raises:
        DataError: no predictions, or too few good views in the model.
        UsageError: predictions of another method or model, or a rate outside (0, 1).
    """
    if not predictions:
        raise DataError("a specimen needs at least one photo; none was given")
    posed = [p for p in predictions if p.status != "unknown"]
    unknown = len(predictions) - len(posed)
    cells = len(model.surface.centres)
    if any(np.asarray(p.extra.get("surface", ())).shape != (cells,) for p in posed):
        raise UsageError("these predictions come from another method or model; give what this detector's predict gave")
    opaque = field.splats.logit_opacities > 0.0
    points = field.splats.means[opaque]
    base = np.clip(0.5 + SH_C0 * field.splats.sh[opaque, 0], 0.0, 1.0)
    if not posed:
        return SpecimenVerdict(
            "unknown", float("nan"), None, None, None, 0.0, None, 0, unknown, points, _bytes(255.0 * base),
            np.zeros(len(points), np.float32), "no photo of the specimen has a trustworthy pose",
        )  # fmt: skip
    judged = judge(model, np.stack([p.extra["surface"] for p in posed]), false_alarm_rate)
    suspicious = judged.evidence >= min(judged.score, max(judged.threshold, _CORE * judged.score))
    peak = model.surface.centres[int(judged.evidence.argmax())].astype(np.float64)
    is_defect = judged.score >= judged.threshold
    evidence = np.append(judged.evidence, 0.0)[model.surface.nearest(points)].astype(np.float32)
    heat = np.clip(evidence / max(judged.threshold, _CORE * judged.score, 1e-6), 0.0, 1.0)[:, None] ** 2
    return SpecimenVerdict(
        status="defect" if is_defect else "ok",
        score=judged.score,
        threshold=judged.threshold,
        p_value=judged.p_value,
        place=peak,
        extent=_extent(model.surface.centres[suspicious], peak, model.surface.size) if is_defect else 0.0,
        kind=_kind(posed) if is_defect else None,
        photos=len(posed),
        unknown=unknown,
        points=points,
        colours=_bytes(255.0 * base * (1.0 - heat) + _RED * heat),
        evidence=evidence,
        message=f"{unknown} of {len(predictions)} photos have no trustworthy pose and were left out" if unknown else "",
    )


def _extent(suspicious: Float32, peak: np.ndarray, size: float) -> float:
    """Radius about ``peak`` of the suspicious cells that hang together with it."""
    away = np.linalg.norm(suspicious - peak, axis=1)
    reach = 0.5 * size
    for distance in np.sort(away):
        if distance > reach + 2.0 * size:
            break
        reach = max(reach, float(distance))
    return reach


def _kind(posed: Sequence[Prediction]) -> Kind | None:
    weight: Counter[Kind] = Counter()
    for prediction in posed:
        for region in prediction.regions:
            if region.kind is not None:
                weight[region.kind] += region.area_px
    return weight.most_common(1)[0][0] if weight else None


def _bytes(values: np.ndarray) -> UInt8:
    out: UInt8 = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return out
