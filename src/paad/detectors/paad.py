"""The ``paad`` method: learn the good object as Gaussians, find the query's camera, compare with what is expected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.compare.comparison import (
    Comparison,
    compare,
    enlarged,
    outlines_agree,
    shows_background,
)
from paad.compare.kinds import Scene
from paad.compare.regions import find_regions
from paad.compare.surface import on_surface
from paad.detectors.base import Detector, float_image
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
from paad.geometry.camera import Camera
from paad.geometry.se3 import camera_centre
from paad.pose.estimate import ANYWHERE, SURELY_AGREEING, THOROUGH, PoseConfig, agreement_at, search
from paad.pose.query import QueryImage, cameras_of_photo, cut_by_colour, prepare_query
from paad.pose.refine import Alignment
from paad.types import Bool, Float32, PosedView, Prediction, Progress, Region, SpecimenVerdict

_LEAST_EXPLAINED, _LEAST_OF_ROUGH, _LEAST_CUT_OUT = 0.4, 0.55, 0.6
"""Share of the object that a good specimen must explain for a verdict, see :meth:`Expectation.explained`: of a good
field, of a rough one, and where the object had to be told from surroundings that nobody knows. Other objects and wrong
poses reach 0.3, 0.5 and 0.6, or nearly: of 360 photos of four random assemblies on tables 27 of the 32 poses that were
wrong explain less than 0.6, and 1 of the others."""
_LEAST_PAINTED, _SAME_OUTLINE = 0.2, 0.95
"""An outline that overlaps the object's by so much is no other object's, and most of what is inside may then be painted
over. A round toy on another's model reaches 0.91; at right poses 56 of 61 good and stained photos of three random
assemblies overlap by more, all of those at 400 px."""
_DOUBTFUL, _DOUBTFUL_OF_OUTLINED = 0.8, 0.6
"""Below this share the pose is searched for again: thoroughly, and in the photo as it is, nothing cut out; where the
object had to be told from its surroundings, unless the pose surely agrees. Beside a photo whose outline is known a good
field is at a wrong pose below 0.4: of the photos of five random assemblies 31 had shares of 0.54 to 0.8 and poses
within 0.33 degrees, 5 had shares of 0.07 to 0.34 and poses 0.6 to 178 degrees off."""


_NEAREST, _FARTHEST = 0.5, 2.5
"""Distances, in those of the training views, at which an object is believed to be that had to be told from its
surroundings, or was not: a speck far away looks like anything. Photos of four random assemblies shown to each other's
models got verdicts as specks of a tenth of the usual area and less."""


_LEAST_AGREEING = 1.5
"""Agreement with the photo, see :data:`paad.pose.estimate.SURELY_AGREEING`, below which an object that had to be told
from its surroundings is somewhere else."""


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


@dataclass(frozen=True)
class Found:
    """A photo beside the field at the pose that was found.

    Attributes:
        compared: the comparison at that pose.
        gain: [3], of the field's brightness.
        explained: share of the object that looks as a good specimen may; 0 where its place says that it is another.
        agreement: of colours and edges where the object had to be told from its surroundings; 0 elsewhere.
        render_s: seconds that the comparison took.
    """

    compared: Comparison
    gain: Float32
    explained: float
    agreement: float
    render_s: float


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
        if found.explained < self._least_explained(found) and not self.config.judge_doubtful:
            return _unknown(height, width, self._unexplained(), began, found.explained)
        if found.compared.unseen and not self.config.judge_doubtful:
            return _unknown(height, width, _UNSEEN, began, found.explained)
        judged = self._judge(found.compared, threshold, width, height)
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
            message=_brightness_message(found.gain),
        )

    def find(self, rgb: Float32, alpha: Float32 | None) -> Found:
        """The pose of a photo [H, W, 3] with mask [H, W] or without, for the likeliest of the cameras it may be from.

        Raises:
            PoseError: no pose with any of them.
        """
        cameras = cameras_of_photo(self.field.camera, rgb.shape[1], rgb.shape[0])
        queries = [self._query(rgb, alpha, camera) for camera in cameras]
        templates = self.learned.guide.templates
        coloured = [] if templates is None else [cut_by_colour(q, templates.colours) for q in queries]
        by_colour = [q for q in coloured if q is not None]
        guessed = [q for q in queries if q.photo is not None]
        # a window cut out of a picture may hold little but the object, and telling it from surroundings then fails
        uncut = [QueryImage(q.photo, None, q.camera, q.background) for q in queries if q.photo is not None]
        best: Found | None = None
        failure = PoseError("no camera was tried")
        for some, config in (
            (queries, PoseConfig()),
            (guessed, ANYWHERE),
            (by_colour, PoseConfig()),
            (by_colour, THOROUGH),
            (queries, THOROUGH),
            (uncut, PoseConfig()),
        ):
            tried: list[tuple[QueryImage, Alignment]] = []
            for query in some:
                try:
                    tried.append((query, search(self.field, self.learned.guide, query, config)[0]))
                except PoseError as error:
                    failure = error
            if tried:
                found = self._compared(*min(tried, key=lambda t: t[1].cost))
                best = found if best is None or found.explained > best.explained else best
            if best is not None and best.explained > self._doubtful(best):
                break
        if best is None:
            raise failure
        return best

    def _doubtful(self, found: Found) -> float:
        query = found.compared.query
        if query.photo is None and query.mask is not None:
            return _DOUBTFUL if self.learned.expectation.rough else _DOUBTFUL_OF_OUTLINED
        if self._guessed(found.compared):
            return self._least_explained(found) if found.agreement > SURELY_AGREEING else 1.0
        return _DOUBTFUL

    def _unexplained(self) -> str:
        message = "no camera position explains the photo: another object, or one changed beyond recognition"
        if self.learned.expectation.trusted:
            message += ", or a side that too few training views show"
        return message

    def _least_explained(self, found: Found) -> float:
        """The share of the object that must be explained for a verdict."""
        return max(self.learned.expectation.trusted, self._least_of_its_kind(found))

    def _least_of_its_kind(self, found: Found) -> float:
        if self._guessed(found.compared):
            return _LEAST_CUT_OUT
        if self.learned.expectation.rough:
            return _LEAST_OF_ROUGH
        return _LEAST_PAINTED if outlines_agree(found.compared) > _SAME_OUTLINE else _LEAST_EXPLAINED

    def _compared(self, query: QueryImage, alignment: Alignment) -> Found:
        began = time.perf_counter()
        field, expectation = self.field, self.learned.expectation
        compared = compare(field, expectation.remembered, query, alignment, longest_side(field, self.config))
        explained, agrees = expectation.explained(compared), 0.0
        if self._guessed(compared):
            agrees = agreement_at(self.field, compared.query, compared.cam_from_world)
            if agrees < _LEAST_AGREEING or not self._at_usual_distance(compared):
                explained = 0.0
        return Found(compared, alignment.gain, explained, agrees, time.perf_counter() - began)

    def _guessed(self, compared: Comparison) -> bool:
        """Whether nothing but guesses says where the object ends in the photo."""
        return self.field.bounded and (compared.query.photo is not None or compared.query.mask is None)

    def _at_usual_distance(self, compared: Comparison) -> bool:
        eye = camera_centre(compared.cam_from_world) - self.field.centre
        return _NEAREST < float(np.linalg.norm(eye)) / self.field.distance < _FARTHEST

    def _query(self, rgb: Float32, alpha: Float32 | None, camera: Camera) -> QueryImage:
        """The photo no larger than the training views, its object told from its surroundings."""
        longest = max(self.field.camera.width, self.field.camera.height)
        if max(camera.width, camera.height) > longest:
            camera = camera.scaled(longest / max(camera.width, camera.height))
        small = None if alpha is None else _reduced(alpha, camera)
        return prepare_query(_reduced(rgb, camera), small, camera, self.field.background, self.field.bounded)

    def _judge(self, compared: Comparison, threshold: float | None, width: int, height: int) -> Prediction:
        """Score, verdict, and the map and reference at the photo's own size."""
        learned = self.learned
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
            extra={"surface": self._on_surface(anomaly, compared)},
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
        usual = _LEAST_OF_ROUGH if learned.expectation.rough else _LEAST_EXPLAINED
        return {
            "gaussians": len(learned.field.splats),
            "masks": "none" if not learned.field.bounded else "found" if learned.log.object_found else "given",
            "unseen_views": None if learned.quality is None else asdict(learned.quality),
            "calibration_views": len(learned.calibration.scores),
            "fit_seconds": round(learned.log.seconds, 2),
            "steps": learned.log.steps,
            # more than usual where too few views leave poses in doubt
            "verdict_from_pose_quality": round(max(usual, learned.expectation.trusted), 3),
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


def _reduced(picture: Float32, camera: Camera) -> Float32:
    if picture.shape[:2] == (camera.height, camera.width):
        return picture
    out: Float32 = cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
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


def _brightness_message(gain: Float32) -> str:
    mean = float(gain.mean())
    if 0.85 < mean < 1.18:
        return ""
    return f"the photo is {'darker' if mean < 1 else 'brighter'} than the training views (x {mean:.2f}); corrected"
