"""One implementation of the figures of ``paad evaluate`` and ``paad bench``: a stream of queries in, a dict out."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from paad.errors import DataError
from paad.metrics import calibration, image, pose
from paad.metrics.pixel import PixelEvaluator, PixelScores

NO_SCORE_RULE = "a query without a score counts as wrong: +inf for a good image, -inf for a defective one"


class Evaluation:
    """Collects what a detector said of each labelled query; :meth:`compute` gives the blocks of the contract.

    Args:
        object_centre: [3] world point that distances are measured from; None: the point the true poses look at.
        size: score pixels with map and mask resampled to this (height, width); None: at the mask's own size.
        false_alarm_rate: what the detector promised, for the block "calibration"; None leaves that block None.
    """

    def __init__(
        self,
        *,
        object_centre: ArrayLike | None = None,
        size: tuple[int, int] | None = None,
        false_alarm_rate: float | None = None,
    ) -> None:
        self._centre, self._size, self._promised = object_centre, size, false_alarm_rate
        self._scores: list[float] = []
        self._labels: list[bool] = []
        self._specimens: list[str | None] = []
        self._statuses: list[str | None] = []
        self._poses: list[tuple[NDArray[np.float64] | None, NDArray[np.float64]]] = []
        self._pixels = PixelEvaluator()
        self._computed: PixelScores | None = None
        self._n_maps = self._n_without_mask = self._n_without_score = 0

    def update(
        self,
        *,
        score: float | None,
        is_defect: bool,
        map: NDArray[Any] | None = None,
        mask: NDArray[Any] | None = None,
        pose: NDArray[np.float64] | None = None,
        true_pose: NDArray[np.float64] | None = None,
        status: str | None = None,
        specimen: str | None = None,
    ) -> None:
        """Add one query.

        Args:
            score: image score; None or nan (no verdict, a failed query) counts as wrong.
            is_defect: the true label.
            map: float [h, w] anomaly map, brought to the mask's size; None or with nan: nothing was marked.
            mask: [H, W], non-zero on the defect; None for a good image, or for a defect that nobody outlined
                (left out of the pixel metrics).
            pose: estimated ``cam_from_world`` [4, 4], or None.
            true_pose: true ``cam_from_world`` [4, 4], or None where nobody knows.
            status: the detector's verdict, for the block "calibration".
            specimen: which specimen the photo shows, for the specimen-level AUROC.

        Raises:
            DataError: a mask marks defects on an image labelled good, or an array that is not [H, W].
        """
        number = math.nan if score is None else float(score)
        if math.isnan(number):
            self._n_without_score += 1
            number = -math.inf if is_defect else math.inf
        self._computed = None
        self._scores.append(number)
        self._labels.append(bool(is_defect))
        self._statuses.append(status)
        self._specimens.append(specimen)
        if true_pose is not None:
            self._poses.append((pose, np.asarray(true_pose, np.float64)))
        self._count_pixels(map, mask, is_defect)

    def _count_pixels(self, anomaly_map: NDArray[Any] | None, mask: NDArray[Any] | None, is_defect: bool) -> None:
        if is_defect and mask is None:
            self._n_without_mask += 1
            return
        found = None if anomaly_map is None or np.isnan(anomaly_map).any() else np.asarray(anomaly_map)
        shape = np.shape(mask) if mask is not None else None if found is None else found.shape
        size = self._size or shape
        if size is None:
            return  # a good image of unknown size on which nothing was marked adds no false positive
        if len(size) != 2 or (found is not None and found.ndim != 2):
            raise DataError(f"anomaly map has shape {None if found is None else found.shape}, mask {shape}; not [H, W]")
        scores: NDArray[Any] = np.full(size, -np.inf, np.float32)
        if found is not None:
            self._n_maps += 1
            smooth = cv2.INTER_LINEAR if np.isfinite(found).all() else cv2.INTER_NEAREST
            scores = _resized(found, size, smooth)
        resized = None if mask is None else _resized(np.asarray(mask != 0, np.uint8), size, cv2.INTER_NEAREST)
        self._pixels.update(scores, resized, is_good=not is_defect)

    def pixel_scores(self) -> PixelScores:
        """The pixel metrics with their curves; every figure is None if no map came."""
        if self._computed is None:
            nothing = PixelScores(None, None, None, None, None, None)
            self._computed = self._pixels.compute() if self._n_maps else nothing
        return self._computed

    def compute(self) -> dict[str, Any]:
        """The blocks n_good, n_defect, image, pixel, pose (None without true poses or without any estimate) and more.

        Beyond the contract: specimen_auroc, calibration, n_without_mask, n_without_score.
        """
        labels = np.asarray(self._labels, bool)
        return {
            "n_good": int((~labels).sum()),
            "n_defect": int(labels.sum()),
            "n_without_score": self._n_without_score,
            "n_without_mask": self._n_without_mask,
            "image": image.image_metrics(self._scores, labels),
            "specimen_auroc": self._specimen_auroc(),
            "pixel": self.pixel_scores().block(),
            "pose": self._pose_block(),
            "calibration": self._calibration_block(),
        }

    def _specimen_auroc(self) -> float | None:
        named = [s for s in self._specimens if s is not None]
        if not named or len(named) != len(self._specimens):
            return None
        return image.specimen_auroc(self._scores, self._labels, named)

    def _pose_block(self) -> dict[str, Any] | None:
        if all(estimate is None for estimate, _ in self._poses):
            return None
        centre = self._centre
        if centre is None:
            centre = pose.look_at_centre([truth for _, truth in self._poses])
        errors = [pose.pose_errors(estimate, truth, centre) for estimate, truth in self._poses]
        return pose.pose_metrics([r for r, _ in errors], [t for _, t in errors])

    def _calibration_block(self) -> dict[str, Any] | None:
        good = [s for s, defect in zip(self._statuses, self._labels, strict=True) if not defect]
        if self._promised is None or all(s is None for s in good):
            return None
        block = calibration.false_alarms(good.count("defect"), len(good), self._promised)
        return None if block is None else {**block, "n_unknown": len(good) - good.count("defect") - good.count("ok")}


def _resized(array: NDArray[Any], size: tuple[int, ...], interpolation: int) -> NDArray[Any]:
    if tuple(array.shape) == tuple(size):
        return array
    source = array if array.dtype == np.uint8 else np.ascontiguousarray(array, np.float32)
    out: NDArray[Any] = cv2.resize(source, (int(size[1]), int(size[0])), interpolation=interpolation)
    return out
