"""Detectors that retrieve a coarse pose, refine it through a renderer, and compare features with the rendering.

The frame that OmniposeAD set and SplatPose kept. A method gives its configuration and four parts: ``_learn`` (fit the
field), ``_refine`` (a pose from a pose), ``_draw`` (the reference), and how the field is stored.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.backbones import Backbone
from paad.compare.feature_maps import FeatureScore, feature_difference, score_and_map
from paad.detectors.base import Detector
from paad.detectors.gallery import CoarseConfig, build_gallery, comparing_network, pack_gallery, unpack_gallery
from paad.detectors.posed import Stopwatch, explained, failed, posed_query, posed_views
from paad.detectors.settings import configured, torch_device
from paad.errors import ModelFileError, PoseError, UsageError
from paad.fields.build import LEAST_VIEWS
from paad.fields.field import Field
from paad.fields.nerf_field import NerfField
from paad.geometry.camera import Camera
from paad.pose.photometric import Refined
from paad.pose.query import QueryImage
from paad.pose.retrieval import Gallery
from paad.types import Float32, Float64, PosedView, Prediction, Progress


class RenderCompareConfig(CoarseConfig, Protocol):
    """The options that all of them have."""

    @property
    def seed(self) -> int:
        """Of everything random."""

    @property
    def backbone(self) -> str:
        """Network that retrieves and scores."""

    @property
    def weights(self) -> str | None:
        """Its weights."""

    @property
    def side(self) -> int:
        """Pixels of the square that is scored."""

    @property
    def sigma_px(self) -> float:
        """Standard deviation of the final Gaussian, in pixels of that square."""

    @property
    def least_explained(self) -> float:
        """Share of the photo that the reference must explain."""


class RenderCompare(Detector):
    """See the module. ``field`` and ``gallery`` are there once it is fitted."""

    needs_poses = True
    presets: ClassVar[Mapping[str, Any]]

    def __init__(self, device: str = "auto", **options: Any) -> None:
        self.device = torch_device(device)
        self.config: Any = configured(self.name, self.presets, options)
        self._net: Backbone | None = None
        self._field: Any = None
        self._gallery: Gallery | None = None

    @property
    def net(self) -> Backbone:
        """The frozen network, loaded on first use.

        Raises:
            MissingDependencyError: its weights are not found.
        """
        if self._net is None:
            c: RenderCompareConfig = self.config
            self._net = comparing_network(c.backbone, c.weights, self.device, c.seed)
        return self._net

    @property
    def field(self) -> Any:
        """The fitted field.

        Raises:
            UsageError: not fitted.
        """
        if self._field is None:
            raise UsageError(f"{self.name} is not fitted; call fit first or load a model")
        return self._field

    @property
    def gallery(self) -> Gallery:
        """The views that lend coarse poses.

        Raises:
            UsageError: not fitted.
        """
        if self._gallery is None:
            raise UsageError(f"{self.name} is not fitted; call fit first or load a model")
        return self._gallery

    @abstractmethod
    def _learn(self, views: Sequence[PosedView], progress: Progress | None) -> Field | NerfField:
        """Fit the field."""

    @abstractmethod
    def _refine(self, query: QueryImage, start: Float64) -> Refined:
        """A better pose than ``start`` [4, 4]; raises PoseError where there is none."""

    @abstractmethod
    def _draw(self, cam_from_world: Float64, camera: Camera) -> Float32:
        """The reference [H, W, 3]."""

    @abstractmethod
    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The field's arrays and manifest."""

    @abstractmethod
    def _unpack(self, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> Field | NerfField:
        """The field from what :meth:`_pack` gave."""

    def _locate(self, query: QueryImage, watch: Stopwatch) -> tuple[Float64, Refined]:
        """The retrieved pose [4, 4] and the refined one; ends the stage "coarse". Raises PoseError as `_refine`."""
        start = self.gallery.nearest(query.image)[0]
        watch.lap("coarse")
        return start, self._refine(query, start)

    def _difference(self, query: Float32, reference: Float32, how: FeatureScore) -> Float32:
        """The unsmoothed map [side, side]."""
        return feature_difference(self.net, query, reference, how, self.device)

    def fit(self, views: Sequence[Any], progress: Progress | None = None) -> Detector:
        """Learn the field and describe the views that lend coarse poses.

        Raises:
            DataError: too few views, or nothing that all of them see.
            MissingDependencyError: the network's weights or an extra are missing.
        """
        net, loaded = self.net, posed_views(views, LEAST_VIEWS)
        field = self._learn(loaded, progress)
        self._gallery = build_gallery(self.config, net, loaded, field.background, field.cut_out, self.device)
        self._field = field
        return self

    def predict(self, image: NDArray[Any]) -> Prediction:
        """Retrieve, refine, draw, compare. Where no pose explains the photo: status "unknown", score nan, no pose.

        Raises:
            DataError: the image's shape, type or values cannot be used.
            UsageError: not fitted.
        """
        c: RenderCompareConfig = self.config
        field, watch = self.field, Stopwatch.started()
        query = posed_query(image, field.camera, field.background, field.bounded)
        height, width = np.asarray(image).shape[:2]
        try:
            start, refined = self._locate(query, watch)
        except PoseError as error:
            watch.lap("fine")
            return failed(height, width, str(error), watch)
        watch.lap("fine")
        reference = self._draw(refined.cam_from_world, query.camera)
        watch.lap("render")
        # noise and clutter are nearer to any picture than to white: their own median must be beaten as well
        grounds = (field.background, np.median(query.image, axis=(0, 1)).astype(np.float32))
        quality = min(explained(query.image, reference, ground) for ground in grounds)
        if field.bounded and quality < c.least_explained:
            return failed(height, width, "no camera position explains the photo: another object?", watch, quality)
        how = FeatureScore(c.side, c.sigma_px)
        score, anomaly = score_and_map(self._difference(query.image, reference, how), how, width, height)
        watch.lap("score")
        seconds = watch.total()
        return Prediction(
            score=score,
            map=anomaly,
            cam_from_world=refined.cam_from_world,
            reference=query_sized(reference, width, height),
            pose_quality=float(np.clip(quality, 0.0, 1.0)),
            seconds={**seconds, "pose": seconds["coarse"] + seconds["fine"]},
            extra={"coarse_pose": start, "pose_loss": refined.loss},
        )

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and manifest of the fitted detector; the network is named, not stored."""
        tensors, about = self._pack()
        about_all = {"config": asdict(self.config), "field": about, "network": fingerprint(self.net)}
        return {**tensors, **pack_gallery(self.gallery)}, about_all

    @classmethod
    def from_state(
        cls, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto"
    ) -> RenderCompare:
        """Rebuild a fitted detector.

        Raises:
            ModelFileError: the network that is installed now has other weights than the fit had.
        """
        out = cls(device=device, **manifest["config"])
        if manifest.get("network", fingerprint(out.net)) != fingerprint(out.net):
            raise ModelFileError(
                f"the model was fitted with other weights of {out.config.backbone!r} than are found now; "
                "put those back, or fit it again"
            )
        out._field = out._unpack(tensors, manifest["field"])
        out._gallery = unpack_gallery(out.config, out.net, tensors, out.device)
        return out


def fingerprint(net: Backbone) -> str:
    """Sixteen digits that tell two sets of weights apart."""
    digest = hashlib.sha256()
    for tensor in net.state_dict().values():
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]


def query_sized(reference: Float32, width: int, height: int) -> Float32:
    """A picture [h, w, 3] at the photo's own size, in [0, 1]."""
    if reference.shape[:2] != (height, width):
        reference = cv2.resize(reference, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.clip(reference, 0.0, 1.0), np.float32)
