"""Predictions on disk: predict once, evaluate many times.

A folder holds ``queries.jsonl`` (one object a query, in the order of the data) and ``maps/<n>.npy``: float16 maps of
the value above the map's minimum, scaled by a power of two so that the largest fits. The error of a stored value is
at most 1/2048 of its distance from the map's minimum, whatever the range; figures are computed from what is stored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError

BYTES_PER_PIXEL = 2


@dataclass(frozen=True)
class Stored:
    """What was predicted for one query.

    Attributes:
        name: the query's name inside the object folder.
        label: "good" or the defect's folder.
        score: None where the detector gave none.
        map_offset, map_exponent: the map is ``offset + file * 2 ** exponent``.
        map_file: relative path, None where the map was not kept.
        cam_from_world: [4][4] or None.
        status, p_value: the detector's verdict, or None.
        seconds: wall time from the decoded photo to the map.
        stages: the detector's own times by stage.
        error: one line, empty when all went well.
    """

    name: str
    label: str
    score: float | None = None
    map_file: str | None = None
    map_offset: float = 0.0
    map_exponent: int = 0
    cam_from_world: list[list[float]] | None = None
    status: str | None = None
    p_value: float | None = None
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    error: str = ""


def quantize(anomaly_map: NDArray[Any]) -> tuple[NDArray[np.float16], float, int]:
    """Half-precision values above the minimum, that minimum, and the exponent of the scale."""
    values = np.asarray(anomaly_map, np.float32)
    finite = values[np.isfinite(values)] if not np.isfinite(values).all() else values
    offset = float(finite.min()) if finite.size else 0.0
    span = float(finite.max()) - offset if finite.size else 0.0
    exponent = math.frexp(span)[1] - 15 if span > 0.0 else 0
    with np.errstate(invalid="ignore"):
        scaled = (values - np.float32(offset)) * np.float32(2.0 ** -min(max(exponent, -100), 100))
    return scaled.astype(np.float16), offset, min(max(exponent, -100), 100)


def dequantize(stored: NDArray[np.float16], offset: float, exponent: int) -> NDArray[np.float32]:
    """The map [H, W] that :func:`quantize` stored."""
    values: NDArray[np.float32] = stored.astype(np.float32) * np.float32(2.0**exponent) + np.float32(offset)
    return values


class PredictionWriter:
    """Appends predictions to ``folder``; the caller moves the folder to its place when all are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "maps").mkdir(parents=True, exist_ok=True)
        self._lines = (folder / "queries.jsonl").open("w", encoding="utf-8")

    def add(self, record: Stored, quantized: NDArray[np.float16] | None) -> None:
        """Write one query; ``quantized`` is its map [H, W] if it is to be kept."""
        if quantized is not None and record.map_file is not None:
            np.save(self.folder / record.map_file, quantized)
        self._lines.write(json.dumps(asdict(record), allow_nan=False) + "\n")

    def close(self) -> None:
        """Finish the list of queries."""
        self._lines.close()


def read_predictions(folder: Path) -> list[Stored]:
    """All queries of a predictions folder, without their maps.

    Raises:
        DataError: the folder is missing or its list is damaged.
    """
    try:
        return [Stored(**json.loads(line)) for line in _lines(folder / "queries.jsonl")]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{folder / 'queries.jsonl'}: no whole list of predictions ({error}); run its job again"
        ) from error


def read_map(folder: Path, stored: Stored) -> NDArray[np.float32] | None:
    """The anomaly map [H, W] of one query, or None where it was not kept."""
    if stored.map_file is None or not (folder / stored.map_file).is_file():
        return None
    return dequantize(np.load(folder / stored.map_file), stored.map_offset, stored.map_exponent)


def read_coded_map(folder: Path, stored: Stored) -> tuple[NDArray[np.uint16], NDArray[np.float64]] | None:
    """The map [H, W] as codes into a table of its 65,536 possible values (nan where a code is no number).

    None where the map was not kept. Equal values may have two codes (zero has a sign).
    """
    if stored.map_file is None or not (folder / stored.map_file).is_file():
        return None
    codes = np.load(folder / stored.map_file).view(np.uint16)
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    with np.errstate(invalid="ignore"):
        return codes, dequantize(halves, stored.map_offset, stored.map_exponent).astype(np.float64)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        yield from file
