"""The ``paad`` method: learn the good object as Gaussians, find the query's camera, compare with what is expected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from paad.compare.comparison import (
    Comparison,
    enlarged,
    shows_background,
)
from paad.compare.kinds import Scene
from paad.compare.regions import find_regions
from paad.compare.surface import on_surface
from paad.detectors.base import Detector, float_image
from paad.detectors.paad_find import Found, find, least_explained, usually_explained
from paad.detectors.paad_fit import (
    Refound,
    base_of,
    calibrated,
    good_views,
    left_out_in_turn,
    longest_side,
    with_all_views,
)
from paad.detectors.paad_specimen import specimen_verdict
from paad.detectors.paad_state import Learned, pack, unpack
from paad.detectors.settings import torch_device
from paad.errors import PoseError, UsageError
from paad.fields.config import FieldConfig
from paad.fields.field import Field
from paad.types import Bool, Float32, PosedView, Prediction, Progress, Region, SpecimenVerdict

_UNSEEN = "it looks like a side that no training view shows, or it is another object"


@dataclass(frozen=True)
class PaadConfig(FieldConfig):
    """Options of the ``paad`` method: those of the field, and these."""

    template_spacing_deg: float = 7.0  # angle between neighbouring templates of the pose search
    hold_out: float = 0.16  # share of the training views kept aside for calibration
    false_alarm_rate: float = 0.02  # default share of good photos that may be called defects
    use_all_views: bool = True  # after calibration, learn the views kept aside, too
    find_object: bool = True  # without masks, learn the object that all views turn around and not the room
    judge_doubtful: bool = False  # score photos whose pose is in doubt, too: to compare methods, not to inspect


class Paad(Detector):
    """Pose-agnostic anomaly detection by rendering. See :class:`PaadConfig` for the options."""

    name: ClassVar[str] = "paad"
    needs_poses: ClassVar[bool] = True

    def __init__(self, device: str = "auto", **options: Any) -> None:
        known = {f.name for f in fields(PaadConfig)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise UsageError(f"option {unknown[0]!r} is not one of paad's; allowed are: {', '.join(sorted(known))}")
        self.config = PaadConfig(**options)
        self.device = torch_device(device)
        self._learned: Learned | None = None

    @property
    def learned(self) -> Learned:
        """What the fit left.

        Raises:
            UsageError: not fitted.
        """
        if self._learned is None:
            raise UsageError("this detector is not fitted; call fit(views), or paad.load(path)")
        return self._learned

    @property
    def field(self) -> Field:
        """The fitted field, in the frame of the training poses."""
        return self.learned.field

    def fit(self, views: Sequence[PosedView], progress: Progress | None = None) -> Paad:
        """Learn the good object from posed views; a share of them is kept aside for calibration.

        Where no view has a mask, or masks guessed from a plain background contradict each other, the object that all of
        them turn around is looked for; where none stands out, or with
        ``find_object=False``, the whole scene is learned, and photos to inspect must show it, too.

        Raises:
            DataError: fewer than 3 views, masks and poses that do not belong together, or images that are not finite.
        """
        # torch takes seconds to import, and an inspection does without it
        from paad.fields.build import LEAST_VIEWS, measure_quality, split_views
        from paad.fields.find_object import masks_agree, with_object_masks

        began = time.perf_counter()
        sparse = getattr(views, "points", None)
        points = None if sparse is None else (sparse.xyz, sparse.rgb.astype(np.float32) / np.float32(255.0))
        loaded, source = list(views), getattr(views, "mask_source", None)
        alone = None
        guessed = source == "background" or not any(v.mask is not None for v in loaded)
        if self.config.find_object and guessed and not masks_agree(loaded):
            alone = with_object_masks(loaded)
        loaded = alone or loaded
        split = split_views(len(loaded), self.config.hold_out)
        fitted = [loaded[i] for i in split.fitted]
        held_out = [loaded[i] for i in split.held_out]
        base, log = base_of(
            fitted, self.config, points, self.config.template_spacing_deg, self.device, progress, held_out
        )
        # photos to inspect will bring masks if these views did
        masked = alone is None and base.field.cut_out and source in (None, "alpha")
        log.object_found = alone is not None
        refound: list[Refound] = []
        if held_out or len(fitted) <= LEAST_VIEWS:
            good = good_views(base, held_out or fitted, masked, longest_side(base.field, self.config))
            quality = measure_quality(base.field, held_out)
        else:
            good, refound, quality = left_out_in_turn(
                fitted, self.config, points, self.config.template_spacing_deg, self.device, masked, progress
            )
        expectation, calibration, good_surface = calibrated(base, good, refound)
        if held_out and self.config.use_all_views:
            base = with_all_views(base, loaded, self.config, progress)
            expectation = replace(expectation, remembered=base.remembered)
        log.seconds = time.perf_counter() - began
        self._learned = Learned(base.field, base.guide, expectation, calibration, good_surface, quality, log)
        return self

    def predict(self, image: NDArray[Any], false_alarm_rate: float | None = None) -> Prediction:
        """Find the camera of ``image`` [H, W, 3|4], compare, and judge at a false-alarm rate (default 0.02).

        A photo without a trustworthy pose has the status "unknown", no score (nan) and an empty map.

        Raises:
            DataError: the image's shape, type or values cannot be used.
            UsageError: not fitted, or a rate outside (0, 1).
        """
        learned = self.learned
        rate = self.config.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        threshold = learned.calibration.threshold(rate)
        began = time.perf_counter()
        rgb, alpha = float_image(image)
        height, width = rgb.shape[:2]
        try:
            found = self.find(rgb, alpha)
        except PoseError as error:
            return _unknown(height, width, str(error), began, 0.0)
        posed = time.perf_counter()
        if found.explained < least_explained(learned, found) and not self.config.judge_doubtful:
            return _unknown(height, width, self._unexplained(), began, found.explained)
        if found.compared.unseen and not self.config.judge_doubtful:
            return _unknown(height, width, _UNSEEN, began, found.explained)
        judged = self._judge(found, threshold, width, height)
        done = time.perf_counter()
        return replace(
            judged,
            cam_from_world=found.compared.cam_from_world,
            pose_quality=found.explained,
            seconds={
                "pose": posed - began - found.render_s,
                "render": found.render_s,
                "score": done - posed,
                "total": done - began,
            },
            message=_changed_message(found.gain, found.lens.zoom),
        )

    def find(self, rgb: Float32, alpha: Float32 | None) -> Found:
        """The pose of a photo [H, W, 3] with mask [H, W] or without, see :func:`paad.detectors.paad_find.find`.

        Raises:
            PoseError: no pose with any of the cameras it may be from.
        """
        return find(self.learned, rgb, alpha, longest_side(self.field, self.config))

    def _unexplained(self) -> str:
        message = "no camera position explains the photo: another object, or one changed beyond recognition"
        if self.learned.expectation.trusted:
            message += ", or a side that too few training views show"
        return message

    def _judge(self, found: Found, threshold: float | None, width: int, height: int) -> Prediction:
        """Score, verdict, and the map and reference at the photo's own size."""
        learned, compared = self.learned, found.compared
        anomaly = learned.expectation.anomaly_map(compared)
        score = float(anomaly.max())
        full = enlarged(anomaly, width, height)
        is_defect = threshold is not None and score >= threshold
        regions: tuple[Region, ...] = ()
        if threshold is not None and is_defect:
            ground: Bool | None = shows_background(learned.field, compared)
            shown = compared.query.image, compared.reference, compared.alpha
            scene = None if ground is None else Scene(*shown, ground, anomaly)
            regions = find_regions(anomaly, threshold, scene, width, height)
        return Prediction(
            score=score,
            map=full.astype(np.float32),
            reference=np.clip(enlarged(compared.reference, width, height), 0.0, 1.0).astype(np.float32),
            status=None if threshold is None else ("defect" if is_defect else "ok"),
            threshold=threshold,
            p_value=learned.calibration.p_value(score),
            regions=regions,
            extra={"surface": self._on_surface(anomaly, compared), "lens": found.lens},
        )

    def _on_surface(self, anomaly: Float32, compared: Comparison) -> Float32:
        surface, camera = self.learned.good_surface.surface, compared.query.camera
        return on_surface(surface, anomaly, compared.alpha, compared.depth, compared.cam_from_world, camera)

    def judge_specimen(
        self, predictions: Sequence[Prediction], false_alarm_rate: float | None = None
    ) -> SpecimenVerdict:
        """One verdict from :meth:`predict`'s answers to several photos of one specimen; the rate is per specimen.

        Raises:
            DataError: no predictions, or the model keeps too few good views to judge specimens.
            UsageError: not fitted, a rate outside (0, 1), or predictions that this method did not make.
        """
        rate = self.config.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        return specimen_verdict(self.field, self.learned.good_surface, predictions, rate)

    def summary(self) -> dict[str, Any]:
        """What was learned, for people."""
        learned = self.learned
        return {
            "gaussians": len(learned.field.splats),
            "masks": "none" if not learned.field.bounded else "found" if learned.log.object_found else "given",
            "unseen_views": None if learned.quality is None else asdict(learned.quality),
            "calibration_views": len(learned.calibration.scores),
            "fit_seconds": round(learned.log.seconds, 2),
            "steps": learned.log.steps,
            # more than usual where too few views leave poses in doubt
            "verdict_from_pose_quality": round(usually_explained(learned), 3),
        }

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and manifest of the fitted detector."""
        tensors, manifest = pack(self.learned)
        return tensors, {"config": asdict(self.config), **manifest}

    @classmethod
    def from_state(cls, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto") -> Paad:
        """Rebuild a fitted detector."""
        out = cls(device=device, **manifest["config"])
        out._learned = unpack(tensors, manifest, out.device)
        return out


def _unknown(height: int, width: int, message: str, began: float, quality: float) -> Prediction:
    seconds = time.perf_counter() - began
    return Prediction(
        score=float("nan"),
        map=np.zeros((height, width), np.float32),
        status="unknown",
        pose_quality=quality,
        seconds={"pose": seconds, "render": 0.0, "score": 0.0, "total": seconds},
        message=message,
    )


def _changed_message(gain: Float32, zoom: float) -> str:
    """How the photo differs from the training views, where both were corrected."""
    mean = float(gain.mean())
    out = []
    if not 0.85 < mean < 1.18:
        out.append(f"the photo is {'darker' if mean < 1 else 'brighter'} than the training views (x {mean:.2f})")
    if not 0.95 < zoom < 1.05:
        out.append(f"the photo's focal length is not that of the training views (x {zoom:.2f})")
    return f"{' and '.join(out)}; corrected" if out else ""
