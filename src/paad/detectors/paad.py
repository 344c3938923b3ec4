"""The ``paad`` method: learn the good object as Gaussians, find the query's camera, compare with what is expected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from paad.compare.calibration import Calibration, calibrate
from paad.compare.expected import ExpectedResidual, expectation_features, fit_expected, remembered_residuals
from paad.compare.regions import find_regions
from paad.compare.residual import SCALES_PX, residual_maps
from paad.detectors.base import Detector, float_image
from paad.errors import DataError, PoseError, UsageError
from paad.fields.build import Quality, build_field, measure_quality, split_views
from paad.fields.field import Field
from paad.fields.fit import FieldConfig, FitLog
from paad.fields.targets import targets_of
from paad.geometry.camera import Camera
from paad.geometry.se3 import rotation_error_deg
from paad.pose.estimate import Guide, PoseConfig, search
from paad.pose.landmarks import Landmarks, find_landmarks
from paad.pose.query import QueryImage, cameras_of_photo, prepare_query
from paad.pose.refine import Alignment
from paad.pose.templates import Templates, render_templates
from paad.render import Gaussians
from paad.types import Bool, Float32, Float64, PosedView, Prediction, Progress, Region

_COST_LIMIT = 0.09
_NO_TRUST = 0.62
"""Least pose quality at which a verdict is given."""


@dataclass(frozen=True)
class PaadConfig(FieldConfig):
    """Options of the ``paad`` method: those of the field, and these."""

    template_spacing_deg: float = 6.0  # angle between neighbouring templates of the pose search
    hold_out: float = 0.16  # share of the training views kept aside for calibration
    false_alarm_rate: float = 0.02  # default share of good photos that may be called defects


@dataclass(frozen=True)
class Comparison:
    """A query beside the field at its pose, at the compared resolution."""

    reference: Float32
    alpha: Float32
    residuals: Float32
    features: Float32
    query: QueryImage


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
        self.device = _device(device)
        self._fitted = False

    # what a fit leaves
    field: Field
    guide: Guide
    remembered: Float32
    expected: ExpectedResidual
    unit: Float64
    calibration: Calibration
    quality: Quality | None
    fit_log: FitLog

    def fit(self, views: Sequence[PosedView], progress: Progress | None = None) -> Paad:
        """Learn the good object from posed views; a share of them is kept aside for calibration.

        Raises:
            DataError: fewer than 3 views, masks and poses that do not belong together, or images that are not finite.
        """
        began = time.perf_counter()
        sparse = getattr(views, "points", None)
        points = None if sparse is None else (sparse.xyz, sparse.rgb.astype(np.float32) / np.float32(255.0))
        loaded = list(views)
        split = split_views(len(loaded), self.config.hold_out)
        fitted = [loaded[i] for i in split.fitted]
        held_out = [loaded[i] for i in split.held_out]
        self.field, self.fit_log = build_field(fitted, self.config, points, self.device, progress)
        self.field = _as_stored(self.field)
        self.quality = measure_quality(self.field, held_out)
        templates = render_templates(self.field, self.config.template_spacing_deg) if self.field.bounded else None
        landmarks = find_landmarks(self.field, fitted)
        self.guide = Guide(templates, landmarks)
        box = (self.field.low, self.field.high) if self.field.bounded else None
        sample = fitted[:: max(1, len(fitted) // 120)]
        targets = targets_of(sample, self.field.background, box, self.field.cut_out, False, self.config.max_side)
        self.remembered = remembered_residuals(self.field, [t.to(self.device) for t in targets])
        self._calibrate(held_out or fitted)
        self.fit_log.seconds = time.perf_counter() - began
        self._fitted = True
        return self

    def _calibrate(self, views: Sequence[PosedView]) -> None:
        """Learn the expected residual and the scores of good views from ``views``, each treated as a query."""
        compared = []
        for view in views:
            alpha = view.mask if self.field.cut_out else None
            image = view.image.astype(np.float32) / np.float32(255.0)
            query = prepare_query(image, alpha, view.camera, self.field.background, self.field.bounded)
            try:
                found = search(self.field, self.guide, query, PoseConfig())[0]
            except PoseError:
                continue
            if rotation_error_deg(found.cam_from_world, view.cam_from_world) < 5.0:
                compared.append(self._compare(query, found))
        if not compared:
            raise DataError(
                f"none of {len(views)} views kept aside was found again by the fitted field; "
                "check the poses and masks with 'paad data check'"
            )
        self.expected = fit_expected([c.residuals for c in compared], [c.features for c in compared])
        maxima = np.stack([(c.residuals / self.expected(c.features)).max(axis=(1, 2)) for c in compared])
        self.unit = np.median(maxima, axis=0)
        self.calibration = calibrate([float(self._map(c).max()) for c in compared])

    def _compare(self, query: QueryImage, found: Alignment) -> Comparison:
        """Render the reference at the pose, in the query's brightness, and take the residuals."""
        trained = self.field.camera
        longest = min(max(trained.width, trained.height), self.config.max_side)
        level = query.scaled(min(1.0, longest / max(query.camera.width, query.camera.height)))
        drawn = self.field.render(found.cam_from_world, level.camera)
        alpha, colour = drawn.alpha.cpu().numpy(), drawn.colour.cpu().numpy()
        ground = (1.0 - alpha)[..., None] * self.field.background
        reference = ((colour - ground) * found.gain + ground).astype(np.float32)
        features = expectation_features(
            self.field, self.remembered, found.cam_from_world, level.camera, reference, alpha
        )
        return Comparison(reference, alpha, residual_maps(level.image, reference), features, level)

    def _map(self, compared: Comparison) -> Float32:
        """The anomaly map at the compared resolution: residual over expectation, 1 where a good view peaks."""
        ratio = compared.residuals / self.expected(compared.features)
        out: Float32 = (ratio / self.unit[:, None, None].astype(np.float32)).max(axis=0)
        return out

    def predict(self, image: NDArray[Any], false_alarm_rate: float | None = None) -> Prediction:
        """Find the camera of ``image`` [H, W, 3|4], compare, and judge at a false-alarm rate (default 0.02).

        A photo without a trustworthy pose has the status "unknown", no score (nan) and an empty map.

        Raises:
            DataError: the image's shape, type or values cannot be used.
            UsageError: not fitted, or a rate outside (0, 1).
        """
        if not self._fitted and not hasattr(self, "calibration"):
            raise UsageError("this detector is not fitted; call fit(views), or paad.load(path)")
        rate = self.config.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        threshold = self.calibration.threshold(rate)
        began = time.perf_counter()
        rgb, alpha = float_image(image)
        height, width = rgb.shape[:2]
        best: tuple[float, QueryImage, Alignment] | None = None
        failure = ""
        for camera in cameras_of_photo(self.field.camera, width, height):
            query = self._query(rgb, alpha, camera)
            try:
                candidate = search(self.field, self.guide, query, PoseConfig())[0]
            except PoseError as error:
                failure = str(error)
                continue
            if best is None or candidate.cost < best[0]:
                best = (candidate.cost, query, candidate)
        if best is None:
            return _unknown(height, width, failure, began, 0.0)
        _, query, found = best
        posed = time.perf_counter()
        quality = max(0.0, 1.0 - found.cost / _COST_LIMIT)
        if quality < _NO_TRUST:
            message = (
                "no camera position explains the photo: another object, or one that was changed beyond recognition"
            )
            return _unknown(height, width, message, began, quality)
        compared = self._compare(query, found)
        rendered = time.perf_counter()
        anomaly = self._map(compared)
        score = float(anomaly.max())
        p_value = self.calibration.p_value(score)
        status = None if threshold is None else ("defect" if score >= threshold else "ok")
        size = (width, height)
        anomaly_full = anomaly if anomaly.shape == (height, width) else cv2.resize(anomaly, size)
        reference_full = (
            cv2.resize(compared.reference, size) if anomaly.shape != (height, width) else compared.reference
        )
        regions: tuple[Region, ...] = ()
        if threshold is not None and status == "defect":
            coverage = compared.alpha if anomaly.shape == (height, width) else cv2.resize(compared.alpha, size)
            regions = find_regions(
                anomaly_full,
                min(threshold, 0.999 * float(anomaly_full.max())),
                coverage,
                self._like_background(compared, size),
            )
        done = time.perf_counter()
        return Prediction(
            score=score,
            map=anomaly_full.astype(np.float32),
            cam_from_world=found.cam_from_world,
            reference=np.clip(reference_full, 0.0, 1.0).astype(np.float32),
            status=status,  # type: ignore[arg-type]
            threshold=threshold,
            p_value=p_value,
            pose_quality=quality,
            regions=regions,
            seconds={
                "pose": posed - began,
                "render": rendered - posed,
                "score": done - rendered,
                "total": done - began,
            },
            message=_brightness_message(found.gain),
        )

    def _query(self, rgb: Float32, alpha: Float32 | None, camera: Camera) -> QueryImage:
        """The photo no larger than the training views, its object told from its surroundings."""
        longest = max(self.field.camera.width, self.field.camera.height)
        if max(camera.width, camera.height) > longest:
            camera = camera.scaled(longest / max(camera.width, camera.height))
        small = None if alpha is None else _resized(alpha, camera)
        return prepare_query(_resized(rgb, camera), small, camera, self.field.background, self.field.bounded)

    def _like_background(self, compared: Comparison, size: tuple[int, int]) -> Bool | None:
        """Where the query shows the field's background [H, W]; None in open scenes."""
        if not self.field.bounded:
            return None
        near: Bool = np.abs(compared.query.image - self.field.background).max(axis=2) < 0.06
        if compared.query.mask is not None:
            near |= compared.query.mask < 0.5
        if near.shape != (size[1], size[0]):
            near = cv2.resize(near.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        return near

    def summary(self) -> dict[str, Any]:
        """What was learned, for people and for the manifest."""
        return {
            "gaussians": len(self.field.gaussians),
            "bounded": self.field.bounded,
            "unseen_views": None if self.quality is None else asdict(self.quality),
            "calibration_views": len(self.calibration.scores),
            "fit_seconds": round(self.fit_log.seconds, 2),
            "steps": self.fit_log.steps,
        }

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and manifest of the fitted detector."""
        f = self.field
        tensors: dict[str, NDArray[Any]] = {
            f"gaussians.{name}": t.detach().cpu().numpy().astype(np.float32 if name == "means" else np.float16)
            for name, t in f.gaussians.named().items()
        }
        tensors["remembered"] = self.remembered.astype(np.float32)
        tensors["directions"] = f.directions
        if self.guide.templates is not None:
            t = self.guide.templates
            tensors |= {"templates.rings": t.rings, "templates.poses": t.poses.astype(np.float32)}
            tensors |= {"templates.rays": t.rays.astype(np.float32), "templates.sizes": t.sizes.astype(np.float32)}
        if self.guide.landmarks is not None:
            m = self.guide.landmarks
            tensors |= {"landmarks.xyz": m.xyz, "landmarks.descriptors": m.descriptors, "landmarks.view": m.view}
        manifest = {
            "config": asdict(self.config),
            "field": {
                "background": f.background.tolist(),
                "centre": f.centre.tolist(),
                "radius": f.radius,
                "low": f.low.tolist(),
                "high": f.high.tolist(),
                "bounded": f.bounded,
                "cut_out": f.cut_out,
                "distance": f.distance,
            },
            "camera": asdict(f.camera),
            "expected": self.expected.weights.tolist(),
            "unit": self.unit.tolist(),
            "scales_px": list(SCALES_PX),
            "calibration": {"scores": list(self.calibration.scores)},
            "quality": None if self.quality is None else asdict(self.quality),
            "fit": asdict(self.fit_log),
        }
        return tensors, manifest

    @classmethod
    def from_state(cls, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto") -> Paad:
        """Rebuild a fitted detector."""
        out = cls(device=device, **manifest["config"])
        gaussians = Gaussians(
            **{f.name: torch.from_numpy(tensors[f"gaussians.{f.name}"].astype(np.float32)) for f in fields(Gaussians)}
        ).to(out.device)
        about = manifest["field"]
        out.field = Field(
            gaussians,
            np.array(about["background"], np.float32),
            np.array(about["centre"]),
            about["radius"],
            np.array(about["low"]),
            np.array(about["high"]),
            about["bounded"],
            about["cut_out"],
            Camera(**manifest["camera"]),
            about["distance"],
            tensors["directions"],
        )
        templates = landmarks = None
        if "templates.rings" in tensors:
            templates = Templates(
                tensors["templates.rings"],
                tensors["templates.poses"].astype(np.float64),
                tensors["templates.rays"].astype(np.float64),
                tensors["templates.sizes"].astype(np.float64),
            )
        if "landmarks.xyz" in tensors:
            landmarks = Landmarks(tensors["landmarks.xyz"], tensors["landmarks.descriptors"], tensors["landmarks.view"])
        out.guide = Guide(templates, landmarks)
        out.remembered = tensors["remembered"].astype(np.float32)
        out.expected = ExpectedResidual(np.array(manifest["expected"]))
        out.unit = np.array(manifest["unit"])
        out.calibration = Calibration(tuple(manifest["calibration"]["scores"]))
        out.quality = None if manifest["quality"] is None else Quality(**manifest["quality"])
        out.fit_log = FitLog(**manifest["fit"])
        out._fitted = True
        return out


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked not in ("cpu", "cuda"):
        raise UsageError(f"device {asked!r} is not known; choose auto, cpu or cuda")
    if asked == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is asked for, but torch finds no CUDA device here; use --device cpu")
    return asked


def _as_stored(field: Field) -> Field:
    """The field with the precision of its file, so that a saved model predicts what the fitted one does."""
    half = {k: t if k == "means" else t.half().float() for k, t in field.gaussians.named().items()}
    return replace(field, gaussians=Gaussians(**half))


def _resized(image: Float32, camera: Camera) -> Float32:
    if image.shape[:2] == (camera.height, camera.width):
        return image
    out: Float32 = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
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
