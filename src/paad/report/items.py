"""What a report keeps of each photo: small pictures, the reduced map, the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.report import pictures
from paad.types import Bool, Prediction, Region, UInt8

SIDE = 340
"""Longest side of the page's pictures, in pixels: 100 photos stay under 15 MB."""

CLOSE_UPS = 3
"""Regions of a photo that are shown enlarged, the strongest first."""

CLOSE_UP_SIDE = 150
CLOSE_UP_BYTES = 5_000


@dataclass(frozen=True)
class Item:
    """One photo of the report, already reduced to what the page needs.

    Attributes:
        name: what the page calls the photo.
        record: the photo's record, with the keys of ``paad inspect --json``.
        size: (width, height) of the image as it was judged, in pixels; (0, 0) where it could not be read.
        label: the known answer, "good" or a kind of defect; None where nobody knows.
        box: x0, y0, x1, y1 of the part that the pictures show; a plain margin is cut off.
        boxes: the regions' boxes in pixels of the image as it was judged, by falling peak.
        photo, reference, marked: JPEG data addresses; ``marked`` shows the true mask's outline where there is one.
        map: float16 [h, w], the reduced anomaly map, or None.
        map_scale: the map's value that counts as anomalous, or None.
        close_ups: (caption, photo, reference or "") around the strongest regions.
    """

    name: str
    record: Mapping[str, Any]
    size: tuple[int, int] = (0, 0)
    label: str | None = None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    photo: str = ""
    reference: str = ""
    marked: str = ""
    map: NDArray[np.float16] | None = None
    map_scale: float | None = None
    close_ups: tuple[tuple[str, str, str], ...] = ()

    @property
    def status(self) -> str:
        """One of "ok", "defect", "unknown", "error"."""
        return str(self.record["status"])

    @property
    def strongest(self) -> list[Mapping[str, Any]]:
        """The record's regions by falling peak, as the close-ups are numbered."""
        return sorted(self.record["regions"], key=lambda region: -(region["peak"] or 0.0))

    @property
    def mistake(self) -> str:
        """ "missed" or "false alarm" where the answer is known and the verdict is wrong, else empty."""
        if self.label is None or self.status not in ("ok", "defect"):
            return ""
        if self.label == "good":
            return "false alarm" if self.status == "defect" else ""
        return "missed" if self.status == "ok" else ""


@dataclass(frozen=True)
class Section:
    """One model and the photos it judged.

    Attributes:
        name: the object's or the model's name.
        method: the detector's name.
        items: the photos.
        false_alarm_rate: what the threshold promises on photos of good specimens; None for uncalibrated methods.
        facts: short (label, value) pairs about the model, such as ("PSNR of unseen good views", "38.2 dB").
        settings: JSON-able raw record of the model: its configuration, calibration and camera.
        evaluation: the record of ``paad evaluate --json``; None where the answers are not known.
    """

    name: str
    method: str
    items: Sequence[Item]
    false_alarm_rate: float | None = None
    facts: Sequence[tuple[str, str]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] | None = None


def make_item(
    name: str,
    record: Mapping[str, Any],
    image: NDArray[Any] | None = None,
    prediction: Prediction | None = None,
    label: str | None = None,
    true_mask: Bool | None = None,
) -> Item:
    """Reduce one judged photo to what the page shows; keeps under 0.4 MB whatever the photo's size.

    Args:
        record: its ``paad inspect --json`` record.
        image: the photo, uint8 or float32 [H, W, 3|4]; None when it could not be read.
        prediction: what the detector said; None when it failed.
        label: the known answer ("good" or a kind of defect), if there is one.
        true_mask: bool [H, W], where the defect is known to be.
    """
    if image is None:
        return Item(name, record, label=label)
    full = pictures.rgb8(image)
    size = (full.shape[1], full.shape[0])
    reference = None if prediction is None or prediction.reference is None else pictures.rgb8(prediction.reference)
    if reference is not None and reference.shape != full.shape:
        reference = pictures.resized(reference, size)
    keep = [region.bbox for region in prediction.regions] if prediction is not None else []
    if true_mask is not None and true_mask.any():
        rows, columns = np.flatnonzero(true_mask.any(axis=1)), np.flatnonzero(true_mask.any(axis=0))
        keep.append((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    box = pictures.content_box([full] if reference is None else [full, reference], keep)
    part = np.s_[box[1] : box[3], box[0] : box[2]]
    small = pictures.thumbnail(full[part], SIDE)
    if prediction is None or (prediction.status == "unknown" and not prediction.map.any()):
        return Item(name, record, size, label, box, photo=pictures.data_uri(small))
    marked = small if true_mask is None or not true_mask.any() else pictures.outline(small, true_mask[part])
    regions = sorted(prediction.regions, key=lambda region: -region.peak)
    return Item(
        name=name,
        record=record,
        size=size,
        label=label,
        box=box,
        boxes=tuple(region.bbox for region in regions),
        photo=pictures.data_uri(small),
        reference="" if reference is None else pictures.data_uri(pictures.thumbnail(reference[part], SIDE)),
        marked=pictures.data_uri(marked),
        map=pictures.half_precision(pictures.shrink_map(prediction.map[part], SIDE)),
        map_scale=map_scale(prediction),
        close_ups=_close_ups(full, reference, regions[:CLOSE_UPS]),
    )


def map_scale(prediction: Prediction) -> float | None:
    """The map's value that counts as anomalous: what the detector says, or its threshold where the score is the map's
    peak; None where nothing tells."""
    given = prediction.extra.get("map_threshold")
    if given is None and prediction.threshold and np.isclose(prediction.score, prediction.map.max(), rtol=1e-3):
        given = prediction.threshold
    return float(given) if given else None


def _close_ups(photo: UInt8, reference: UInt8 | None, regions: Sequence[Region]) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (
            region.kind or "region",
            pictures.data_uri(pictures.crop_square(photo, region.bbox, CLOSE_UP_SIDE), CLOSE_UP_BYTES),
            pictures.data_uri(pictures.crop_square(reference, region.bbox, CLOSE_UP_SIDE), CLOSE_UP_BYTES)
            if reference is not None
            else "",
        )
        for region in regions
    )
