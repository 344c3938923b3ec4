"""Pictures of a run: a grid of photo, mask and every method's map, and the worst failures of each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.bench.predictions import Stored, read_map, read_predictions
from paad.data import ObjectFolder, open_object
from paad.data.queries import Query
from paad.errors import DataError
from paad.report.bench_figures import Row
from paad.report.pictures import content_box, data_uri, heat_overlay, outline, rgb8, thumbnail

_SIDE = 220
_MOST_OBJECTS = 6
_WORST = 3  # missed defects and false alarms shown of each method


@dataclass(frozen=True)
class _Picture:
    """A photo cut to its object and reduced, and the box x0, y0, x1, y1 that was cut out."""

    photo: NDArray[np.uint8]
    box: tuple[int, int, int, int]

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """The same part of a map or mask [H, W] of the whole photo."""
        x0, y0, x1, y1 = self.box
        return values[y0:y1, x0:x1]


@dataclass(frozen=True)
class GridLine:
    """One query of the qualitative grid: pictures as data URIs; a map is None where it was not kept."""

    object: str
    query: str
    photo: str
    truth: str
    maps: dict[str, str | None]


@dataclass(frozen=True)
class Failure:
    """A query that a method ranks badly. ``beaten_by``: share of the other class on the wrong side of it."""

    method: str
    object: str
    query: str
    label: str
    beaten_by: float
    photo: str
    map: str | None


class Gallery:
    """Reads the predictions of one split (the lowest seed of each job) and the photos they belong to."""

    def __init__(self, run: Path, data: Path, rows: Sequence[Row]) -> None:
        self._run, self._data = run, data
        self._rows: dict[tuple[str, str], Row] = {}
        for row in sorted(rows, key=lambda row: row["seed"]):
            if row["status"] == "ok":
                self._rows.setdefault((row["object"], row["method"]), row)
        self._stored: dict[tuple[str, str], list[Stored]] = {}
        self._ranges: dict[tuple[str, str], tuple[float, float]] = {}
        self._toys: dict[str, ObjectFolder | None] = {}
        self.missing: list[str] = []
        """What could not be read, for the report to say."""

    def grid(self, objects: Sequence[str], methods: Sequence[str]) -> list[GridLine]:
        """One defect of each label of the first objects, each with every method's map."""
        lines = []
        for name in [o for o in objects if any((o, m) in self._rows for m in methods)][:_MOST_OBJECTS]:
            toy = self._toy(name)
            if toy is None:
                continue
            first: dict[str, Query] = {}
            for query in toy.test:
                first.setdefault(query.label, query)
            for query in first.values():
                line = self._grid_line(name, query, methods)
                lines += [line] if line is not None else []
        return lines

    def _grid_line(self, name: str, query: Query, methods: Sequence[str]) -> GridLine | None:
        photo = self._photo(query)
        if photo is None:
            return None
        maps = {m: self._heat(name, m, query, photo) for m in methods if (name, m) in self._rows}
        return GridLine(name, query.name, data_uri(photo.photo), data_uri(self._truth(query, photo)), maps)

    def worst(self, methods: Sequence[str]) -> list[Failure]:
        """The missed defects and the false alarms that each method ranks worst, over all its objects."""
        found = []
        for method in methods:
            ranked = [f for (name, m) in self._rows if m == method for f in self._ranked(name, method)]
            for is_defect in (True, False):
                mine = sorted((r for r in ranked if (r[2].label != "good") == is_defect), key=lambda r: -r[0])
                found += [self._failure(*r, method) for r in mine[:_WORST] if r[0] > 0.0]
        return [failure for failure in found if failure is not None]

    def _ranked(self, name: str, method: str) -> list[tuple[float, str, Stored]]:
        """Of each query: the share of the other class on the wrong side of its score (1 for a missing score)."""
        stored = self._predictions(name, method)
        good, defect = (
            np.array([_score(s) for s in stored if (s.label == "good") == is_good]) for is_good in (True, False)
        )
        shares = []
        for s in stored:
            wrong = defect <= _score(s) if s.label == "good" else good >= _score(s)
            shares.append((float(np.mean(wrong)) if wrong.size else 0.0, name, s))
        return shares

    def _failure(self, beaten_by: float, name: str, stored: Stored, method: str) -> Failure | None:
        toy = self._toy(name)
        query = next((q for q in toy.test if q.name == stored.name), None) if toy is not None else None
        photo = self._photo(query) if query is not None else None
        if query is None or photo is None:
            return None
        truth = data_uri(self._truth(query, photo))
        return Failure(method, name, query.name, query.label, beaten_by, truth, self._heat(name, method, query, photo))

    def _predictions(self, name: str, method: str) -> list[Stored]:
        key = (name, method)
        if key not in self._stored:
            folder = self._run / "predictions" / self._rows[key]["predictions"]
            try:
                self._stored[key] = read_predictions(folder)
            except DataError as error:
                self.missing.append(str(error))
                self._stored[key] = []
        return self._stored[key]

    def _toy(self, name: str) -> ObjectFolder | None:
        if name not in self._toys:
            folder = self._data if (self._data / "test").is_dir() else self._data / name
            try:
                self._toys[name] = open_object(folder)
            except DataError as error:
                self.missing.append(str(error))
                self._toys[name] = None
        return self._toys[name]

    def _photo(self, query: Query) -> _Picture | None:
        try:
            whole = rgb8(query.load_image())
        except DataError as error:
            self.missing.append(str(error))
            return None
        box = content_box([whole])
        part = whole[box[1] : box[3], box[0] : box[2]]
        return _Picture(thumbnail(np.ascontiguousarray(part), _SIDE), box)

    def _truth(self, query: Query, picture: _Picture) -> NDArray[np.uint8]:
        """The photo with the true defect outlined; the bare photo where nobody outlined it."""
        if not query.is_defect or query.mask_path is None:
            return picture.photo
        mask = query.load_mask(query.load_image().shape)
        return outline(picture.photo, picture.cut(mask))

    def _heat(self, name: str, method: str, query: Query, picture: _Picture) -> str | None:
        """The map over the photo, scaled by what this method's maps of the object reach at most."""
        folder = self._run / "predictions" / self._rows[name, method]["predictions"]
        stored = {s.name: s for s in self._predictions(name, method)}
        anomaly_map = read_map(folder, stored[query.name]) if query.name in stored else None
        if anomaly_map is None:
            return None
        low, high = self._range(name, method)
        shifted = np.clip(np.nan_to_num(picture.cut(anomaly_map), posinf=high, neginf=low) - low, 0.0, high - low)
        return data_uri(heat_overlay(picture.photo, shifted, 0.5 * (high - low) or 1.0))

    def _range(self, name: str, method: str) -> tuple[float, float]:
        """The median and the highest value of the kept maps, from at most a dozen of them, evenly spread."""
        if (name, method) in self._ranges:
            return self._ranges[name, method]
        folder = self._run / "predictions" / self._rows[name, method]["predictions"]
        kept = [s for s in self._predictions(name, method) if s.map_file is not None]
        maps = [m for s in kept[:: max(1, len(kept) // 12)] if (m := read_map(folder, s)) is not None]
        finite = [m[np.isfinite(m)] for m in maps]
        values = [m for m in finite if m.size]
        found = (
            min((float(np.median(m)) for m in values), default=0.0),
            max((float(m.max()) for m in values), default=0.0),
        )
        self._ranges[name, method] = found
        return found


def _score(stored: Stored) -> float:
    """As in the figures: a missing score is the wrong one."""
    if stored.score is None:
        return float("inf") if stored.label == "good" else float("-inf")
    return stored.score
