"""Figures of a row from predictions and labels, while a job runs or from what it stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.bench.predictions import Stored, read_map, read_predictions
from paad.data import ObjectFolder
from paad.data.queries import Query
from paad.errors import DataError
from paad.metrics import image, ranking
from paad.metrics.pose import look_at_centre
from paad.metrics.summary import Evaluation

LEGACY_SIZE = (224, 224)
"""Height and width at which the PAD repository's baselines were scored."""


class Scorer:
    """Collects the queries of one job. Figures at native size, and the legacy row beside them."""

    def __init__(self, toy: ObjectFolder, false_alarm_rate: float) -> None:
        centre = look_at_centre(list(toy.train.poses)) if toy.has_poses else None
        self._true_poses = toy.test_poses
        self._specimens = specimens_of(toy)
        self._native = Evaluation(object_centre=centre, false_alarm_rate=false_alarm_rate)
        self._legacy = Evaluation(size=LEGACY_SIZE)
        self._scores: list[float] = []
        self._labels: list[str] = []
        self.problems: list[str] = []
        """Masks that could not be read; their photos are left out of the pixel figures."""

    def add(self, query: Query, stored: Stored, anomaly_map: NDArray[Any] | None, shape: Sequence[int] | None) -> None:
        """Count one query; ``shape`` [H, W, ...] is its image's, None where the image could not be read."""
        mask = None if shape is None else self._mask(query, shape)
        pose = None if stored.cam_from_world is None else np.asarray(stored.cam_from_world)
        self._native.update(
            score=stored.score,
            is_defect=query.is_defect,
            map=anomaly_map,
            mask=mask,
            pose=pose,
            true_pose=self._true_poses.get(query.name),
            status=stored.status,
            specimen=self._specimens.get(query.name),
        )
        legacy = None if anomaly_map is None or stored.score is None else float(np.max(anomaly_map))
        self._legacy.update(score=legacy, is_defect=query.is_defect, map=anomaly_map, mask=mask)
        missing = np.inf if query.label == "good" else -np.inf
        self._scores.append(missing if stored.score is None else stored.score)
        self._labels.append(query.label)

    def _mask(self, query: Query, shape: Sequence[int]) -> NDArray[np.bool_] | None:
        if query.is_defect and query.mask_path is None:
            return None
        try:
            return query.load_mask(tuple(shape))
        except DataError as error:
            self.problems.append(str(error))
            return None

    def figures(self) -> dict[str, Any]:
        """The blocks of a row: those of ``paad evaluate --json``, "legacy_224", "by_defect" and "curves"."""
        legacy = self._legacy.compute()
        return {
            **self._native.compute(),
            "legacy_224": {"image_auroc": legacy["image"]["auroc"], "pixel_auroc": legacy["pixel"]["auroc"]},
            "by_defect": self._by_defect(),
            "curves": self._curves(),
        }

    def _by_defect(self) -> dict[str, float | None]:
        scores, labels = np.asarray(self._scores), np.asarray(self._labels)
        found = {}
        for name in sorted(set(self._labels) - {"good"}):
            chosen = (labels == name) | (labels == "good")
            found[name] = image.auroc(scores[chosen], labels[chosen] == name)
        return found

    def _curves(self) -> dict[str, list[float]]:
        curves = dict(self._native.pixel_scores().curves)
        ranked = ranking.rank(self._scores, [label != "good" for label in self._labels])
        if ranked.is_defined:
            curves["image_fpr"], curves["image_tpr"] = ranked.rates()
        return {name: [round(float(v), 6) for v in values] for name, values in curves.items()}


def specimens_of(toy: ObjectFolder) -> dict[str, str]:
    """The specimen that each test photo shows, by the photo's name; empty where the data do not say it of all defects.

    Good photos of which nothing is said are split, in the order of the folder, into groups of as many photos as a
    defective specimen has on average: the highest of several views is only to be compared with that of as many.
    """
    named = {q.name: toy.manifest.specimens[q.name] for q in toy.test if q.name in toy.manifest.specimens}
    defects = [q for q in toy.test if q.is_defect]
    if not defects or any(q.name not in named for q in defects):
        return {}
    views = len(defects) / len({named[q.name] for q in defects})
    unnamed = [q.name for q in toy.test if q.name not in named]
    n = max(1, round(len(unnamed) / views))
    return {**named, **{name: f"good, group {i * n // len(unnamed)}" for i, name in enumerate(unnamed)}}


def score_again(toy: ObjectFolder, folder: Path, false_alarm_rate: float) -> dict[str, Any]:
    """The figures of a finished job, computed again from its stored predictions.

    Raises:
        DataError: the predictions are not whole, were not kept with all maps, or belong to other data.
    """
    stored = {record.name: record for record in read_predictions(folder)}
    queries = toy.test
    if {query.name for query in queries} != set(stored):
        raise DataError(f"{folder}: its queries are not those of {toy.root}; run the job again")
    scorer = Scorer(toy, false_alarm_rate)
    for query in queries:
        record = stored[query.name]
        anomaly_map = read_map(folder, record)
        if anomaly_map is None and not record.error:
            raise DataError(f"{folder}: the map of {query.name} was not kept; run the grid again with --keep-maps all")
        shape = anomaly_map.shape if anomaly_map is not None else _shape(query)
        scorer.add(query, record, anomaly_map, shape)
    return scorer.figures()


def _shape(query: Query) -> tuple[int, ...] | None:
    try:
        return query.load_image().shape
    except DataError:
        return None
