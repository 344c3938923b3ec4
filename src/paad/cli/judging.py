"""Judge photos: read, predict, save the map and pictures. A photo that fails is a record, not an end."""

from __future__ import annotations

import inspect
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paad.cli.photos import Photo
from paad.cli.records import error_record, prediction_record
from paad.data.files import whole_file
from paad.data.images import load_image, read_header, save_png
from paad.errors import DataError, PaadError, PoseError
from paad.report.items import map_scale
from paad.report.pictures import heat_overlay, rgb8, thumbnail
from paad.types import Float32, Prediction, UInt8

OVERLAY_SIDE = 2000
"""Longest side of an overlay picture, in pixels; it is for eyes, and blending needs many bytes a pixel."""


@dataclass(frozen=True)
class Judged:
    """One photo's record with what it was made from; ``image`` or ``prediction`` is None where that step failed."""

    record: dict[str, Any]
    image: UInt8 | None = None
    prediction: Prediction | None = None

    @property
    def failed(self) -> bool:
        """Whether the record tells of an error instead of a judgement."""
        return bool(self.record["status"] == "error")


class Judge:
    """A fitted detector, the false-alarm rate to judge at, and the folder for maps and pictures (or None)."""

    def __init__(self, detector: Any, false_alarm_rate: float, out: Path | None = None, debug: bool = False) -> None:
        self.detector, self.out, self.debug = detector, out, debug
        self.false_alarm_rate = false_alarm_rate
        self.unsaved = 0
        """Photos whose map or pictures could not be written."""
        takes_rate = "false_alarm_rate" in inspect.signature(detector.predict).parameters
        self._options = {"false_alarm_rate": false_alarm_rate} if takes_rate else {}

    def __call__(self, photo: Photo) -> Judged:
        """Judge one photo; never raises for what is wrong with the photo or the prediction."""
        start = time.perf_counter()
        try:
            image = load_image(photo.path)
            own_size = read_header(photo.path).upright_size
        except Exception as error:
            return Judged(self._failure(photo, error, start))
        try:
            prediction = self.detector.predict(image, **self._options)
        except PoseError as error:
            prediction = Prediction(float("nan"), np.zeros(image.shape[:2], np.float32), status="unknown")
            seconds = time.perf_counter() - start
            record = prediction_record(str(photo.path), prediction, self.detector.name, seconds)
            return Judged({**record, "message": str(error)}, image)
        except Exception as error:
            return Judged(self._failure(photo, error, start), image)
        if prediction.map.shape != image.shape[:2]:
            wrong = f"the method gave a map of {prediction.map.shape} for a photo of {image.shape[:2]} pixels"
            return Judged(self._failure(photo, DataError(wrong), start), image)
        scale = (own_size[0] / image.shape[1], own_size[1] / image.shape[0])
        seconds = time.perf_counter() - start
        record = prediction_record(str(photo.path), prediction, self.detector.name, seconds, scale)
        if self.out is not None:
            self._save(record, self.out / photo.stem, image, prediction, own_size)
        return Judged(record, image, prediction)

    def _failure(self, photo: Photo, error: Exception, start: float) -> dict[str, Any]:
        """The record of a failed photo: the file and what went wrong; the traceback is printed when debugging."""
        if self.debug:
            traceback.print_exception(error)
        reason = str(error)
        if not isinstance(error, PaadError):
            reason = f"unexpected {type(error).__name__}: {' '.join(reason.split())} (--debug shows where)"
        message = reason if str(photo.path) in reason else f"{photo.path}: {reason}"
        return error_record(str(photo.path), message, time.perf_counter() - start)

    def _save(
        self, record: dict[str, Any], stem: Path, image: UInt8, prediction: Prediction, own_size: tuple[int, int]
    ) -> None:
        """Write map, reference and overlay; on a full disk the verdict stays and the message tells."""
        map_file, reference_file = stem.with_name(f"{stem.name}_map.npy"), stem.with_name(f"{stem.name}_reference.png")
        try:
            save_map(map_file, prediction.map, own_size)
            record["map"] = str(map_file)
            if prediction.reference is not None:
                save_png(reference_file, rgb8(prediction.reference))
                record["reference"] = str(reference_file)
            scale = map_scale(prediction) or 0.5 * float(np.nan_to_num(prediction.map).max()) or 1.0
            shown = heat_overlay(thumbnail(rgb8(image), OVERLAY_SIDE), prediction.map, scale)
            save_png(stem.with_name(f"{stem.name}_overlay.png"), shown)
        except PaadError as error:
            self.unsaved += 1
            record["message"] = f"{record['message']} {error}".lstrip()


def save_map(path: Path, values: Float32, size: tuple[int, int]) -> Path:
    """Write an anomaly map as float32 .npy [H, W] at the photo's own ``size`` (width, height), whole or not at all.

    Photos of very many pixels are judged reduced; their map is enlarged to the nearest pixel.
    """
    full = np.ascontiguousarray(values, np.float32)
    if full.shape != (size[1], size[0]):
        import cv2

        full = cv2.resize(full, size, interpolation=cv2.INTER_NEAREST)
    with whole_file(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, full)
    return path
