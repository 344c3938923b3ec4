"""Is the difference between two methods larger than the choice of photos explains? A paired bootstrap over photos."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paad.bench.predictions import Stored, read_coded_map, read_predictions
from paad.data import ObjectFolder, open_object
from paad.data.queries import Query
from paad.errors import DataError
from paad.metrics import paired
from paad.metrics.bootstrap import Interval, difference_of
from paad.report.bench_figures import METRICS, Row, table_of

OWN = "paad"
RESAMPLES = 1000
MEAN = "mean"


@dataclass(frozen=True)
class Difference:
    """A figure of ``method`` minus that of ``rival`` in percent points; ``object`` is "mean" for that over objects."""

    figure: str
    object: str
    method: str
    rival: str
    n_objects: int
    n_photos: int
    interval: Interval

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval.low > 0.0 or self.interval.high < 0.0


class Comparison:
    """Differences of one split, from stored predictions. ``missing`` says what could not be compared, and why."""

    def __init__(self, run: Path, data: Path, rows: Sequence[Row], n: int = RESAMPLES, seed: int = 0) -> None:
        self._run, self._data, self.n, self._seed = run, data, n, seed
        self._rows = [row for row in rows if row["status"] == "ok"]
        self._drawn: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
        self._counts: dict[str, int] = {}
        self.missing: list[str] = []

    def differences(self) -> list[Difference]:
        """For each figure: paad (or the best method, where paad was not run) against the best of the others."""
        found = []
        for metric in METRICS:
            if metric.key not in paired.FIGURES or not self._rows:
                continue
            table = table_of(self._rows, metric, self._rows[0]["views"])
            means = {m: mean.value for m, mean in table.means.items() if mean.value is not None}
            if len(means) < 2:
                continue
            ordered = sorted(means, key=lambda m: -means[m])
            method = OWN if OWN in means else ordered[0]
            rival = next(m for m in ordered if m != method)
            found += self._pair(metric.key, table.common, method, rival)
        return found

    def _pair(self, figure: str, objects: Sequence[str], method: str, rival: str) -> list[Difference]:
        drawn = {}
        for name in objects:
            ours, theirs = self._of(name, method), self._of(name, rival)
            if figure in ours and figure in theirs:
                drawn[name] = 100.0 * (ours[figure] - theirs[figure])
        if not drawn:
            return []
        photos = {name: self._counts[name] for name in drawn}
        mean = np.mean(list(drawn.values()), axis=0)
        return [
            Difference(figure, name, method, rival, n, count, difference_of(float(values[0]), values[1:]))
            for name, values, n, count in [
                (MEAN, mean, len(drawn), sum(photos.values())),
                *((name, values, 1, photos[name]) for name, values in drawn.items()),
            ]
        ]

    def _of(self, name: str, method: str) -> dict[str, NDArray[np.float64]]:
        """Figures [1 + n], means over seeds: of all photos, then of resamples, the same ones for every method."""
        if (name, method) not in self._drawn:
            rows = [row for row in self._rows if row["object"] == name and row["method"] == method]
            try:
                self._drawn[name, method] = self._resampled(name, rows)
            except DataError as error:
                self.missing.append(str(error))
                self._drawn[name, method] = {}
        return self._drawn[name, method]

    def _resampled(self, name: str, rows: Sequence[Row]) -> dict[str, NDArray[np.float64]]:
        toy = open_object(self._data if (self._data / "test").is_dir() else self._data / name)
        by_seed = []
        for row in rows:
            if toy.fingerprint() != row["settings"]["data_fingerprint"]:
                raise DataError(f"{toy.root}: not the data that {row['key']} was run on; left out of the differences")
            sums = self._sums(toy, self._run / "predictions" / row["predictions"])
            drawn = paired.resampling(sums.is_defect, self.n, self._seed)
            by_seed.append(paired.resampled(sums, np.vstack([np.ones(drawn.shape[1]), drawn])))
            self._counts[name] = drawn.shape[1]
        shared = set.intersection(*(set(figures) for figures in by_seed))
        return {figure: np.mean([figures[figure] for figures in by_seed], axis=0) for figure in shared}

    def _sums(self, toy: ObjectFolder, folder: Path) -> paired.Sums:
        stored = {record.name: record for record in read_predictions(folder)}
        queries = [query for query in toy.test if query.name in stored]
        records = [stored[query.name] for query in queries]
        scores = [r.score if r.score is not None else -np.inf if r.label != "good" else np.inf for r in records]
        photos = None
        if all(r.error or r.map_file is not None for r in records):
            photos = [_photo(folder, query, record) for query, record in zip(queries, records, strict=True)]
        else:
            self.missing.append(f"{folder.name}: not all maps were kept (--keep-maps all), so no pixel differences")
        return paired.sums_of(scores, [q.is_defect for q in queries], photos)


def _photo(folder: Path, query: Query, record: Stored) -> paired.PhotoCounts | None:
    """Pixel counts of a photo, None where nobody outlined its defect or it cannot be read; without a map, no mark."""
    if query.is_defect and query.mask_path is None:
        return None
    coded = read_coded_map(folder, record)
    try:
        shape = query.load_image().shape[:2] if coded is None else coded[0].shape
        mask = query.load_mask(shape) if query.is_defect else None
    except DataError:
        return None
    if coded is None or np.isnan(coded[1])[coded[0]].any():
        coded = np.zeros(shape, np.uint16), np.full(1 << 16, -np.inf)
    codes, values = coded
    return paired.count_photo(codes, values, mask, not query.is_defect)


def differences_csv(differences: Sequence[Difference]) -> str:
    """One line a figure and object, in percent points."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["figure", "object", "method", "rival", "difference", "low_95", "high_95", "p", "objects", "photos"]
    )
    for d in differences:
        i = d.interval
        figures = [f"{v:.4g}" for v in (i.value, i.low, i.high, i.p_value)]
        writer.writerow([d.figure, d.object, d.method, d.rival, *figures, d.n_objects, d.n_photos])
    return out.getvalue()
