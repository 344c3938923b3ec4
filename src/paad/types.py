"""Plain records that pass between the layers. Arrays are numpy; nothing here loads torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paad.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

Status = Literal["ok", "defect", "unknown", "error"]
Kind = Literal["missing", "burr", "stain"]
Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, message)``."""


@dataclass(frozen=True)
class PosedView:
    """One photo of a good specimen with its camera.

    Attributes:
        name: file name inside the object folder.
        image: uint8 RGB [H, W, 3].
        mask: float32 [H, W] in [0, 1], 1 on the object; None where nobody knows.
        camera: pinhole intrinsics in pixels of this image.
        cam_from_world: float64 [4, 4], OpenCV axes.
    """

    name: str
    image: UInt8
    mask: Float32 | None
    camera: Camera
    cam_from_world: Float64


@dataclass(frozen=True)
class Region:
    """One connected defect region in the query's pixels. ``bbox`` is x0, y0, x1, y1, the last two exclusive."""

    bbox: tuple[int, int, int, int]
    area_px: int
    peak: float
    kind: Kind | None


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one query.

    Attributes:
        score: image anomaly score; larger is more anomalous; nan when ``status`` is "unknown" without a pose.
        map: float32 [H, W] anomaly map at the query's own size.
        cam_from_world: float64 [4, 4], for detectors that find a pose, else None.
        reference: float32 RGB [H, W, 3], the good object rendered at that pose, else None.
        status: verdict; None for detectors that were not calibrated.
        threshold: score above which ``status`` is "defect".
        p_value: conformal p-value of the score among good views.
        pose_quality: in [0, 1]; 1 is a perfect explanation of the photo by the model.
        regions: connected regions above the pixel threshold.
        seconds: wall time by stage ("pose", "render", "score", "total").
        message: one sentence for a person, empty when there is nothing to say.
        extra: what a method adds. Of ``paad``: "surface", what the map says of the object's surface, for verdicts on
            specimens, and "lens", the photo's own, see :class:`paad.geometry.camera.Lens`.
    """

    score: float
    map: Float32
    cam_from_world: Float64 | None = None
    reference: Float32 | None = None
    status: Status | None = None
    threshold: float | None = None
    p_value: float | None = None
    pose_quality: float | None = None
    regions: tuple[Region, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    message: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SpecimenVerdict:
    """What several photos of one specimen say together.

    Attributes:
        status: "ok", "defect", or "unknown" where no photo has a trustworthy pose.
        score: evidence at the most suspicious place, standard deviations a photo; nan when unknown.
        threshold: least score of a defect at the asked false-alarm rate.
        p_value: of the score among groups of good views.
        place: float64 [3], the most suspicious place in the frame of the training poses, scene units; None if unknown.
        extent: radius about ``place`` of the suspicious surface, scene units; 0 where nothing is above the threshold.
        kind: of the regions that the photos show, the one with most weight; None where there are none.
        photos, unknown: how many photos were used, and how many could not be.
        points: float32 [N, 3], places on the object, and ``colours`` uint8 RGB [N, 3], reddened by ``evidence`` [N].
        message: one sentence for a person.
    """

    status: Status
    score: float
    threshold: float | None
    p_value: float | None
    place: Float64 | None
    extent: float
    kind: Kind | None
    photos: int
    unknown: int
    points: Float32
    colours: UInt8
    evidence: Float32
    message: str = ""
