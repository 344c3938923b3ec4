"""PIAD: the pose is found on reflectance, which does not know the light; reflectance and colours must both differ.

Yang et al., "PIAD: Pose and Illumination agnostic Anomaly Detection" (CVPR 2025). Two fields of Gaussians: of the
training photos, and of their reflectance. A query's reflectance retrieves a coarse pose and refines it by gradient
descent (0.6 L1 + 0.4 (1 - SSIM)), which stops when it gains no more; the anomaly map is the product of two feature
maps, of the photo against the colour field and of its reflectance against the reflectance field.

What is this project's: the reflectance is taken from :mod:`paad.compare.retinex`, solved in closed form, in place of a
trained network; the reflectance field starts from the colour field's Gaussians; and since a single photo does not tell
a bright light from bright paint, the query's reflectance is brought to the reference's brightness, channel by channel.
Where the paper leaves a weight or a threshold open to us, it is an option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from paad.compare.feature_maps import FeatureScore, feature_difference, score_and_map
from paad.compare.retinex import reflectance
from paad.detectors.gallery import build_gallery
from paad.detectors.posed import Stopwatch, explained, failed, pack_field, posed_query, posed_views, unpack_field
from paad.detectors.render_compare import RenderCompare, query_sized
from paad.detectors.splatpose import PAPER_DISTANCE
from paad.errors import PoseError, UsageError
from paad.fields.build import LEAST_VIEWS, build_field
from paad.fields.config import FieldConfig
from paad.fields.field import Field
from paad.fields.fit import optimize
from paad.fields.framing import composite
from paad.fields.losses import photometric_loss
from paad.fields.targets import targets_of
from paad.geometry.camera import Camera
from paad.pose.photometric import Descent, Refined, descend, splat_loss
from paad.pose.query import QueryImage
from paad.pose.refine import brightness_gain
from paad.pose.retrieval import Retrieval
from paad.render.splats import Splats
from paad.types import Float32, Float64, PosedView, Prediction, Progress

_GAIN_STIFFNESS = 0.05
"""How reluctantly the query's brightness is corrected; 0 is freely."""


@dataclass(frozen=True)
class PiadConfig:
    """The class's defaults are the CPU preset."""

    preset: Literal["cpu", "paper"] = "cpu"  # which set of defaults
    seed: int = 0  # of the fits, the motion's start and random weights
    backbone: str = "bricknet"  # network that retrieves and scores
    weights: str | None = None  # its weights: a file, a folder, or "random"
    retrieval: Retrieval = "features"  # coarse pose: "features", "sift" or "loftr"
    retrieval_side: int = 224  # pixels of the square that views are retrieved at
    grid: int = 7  # cells, each way, that a stage's features are pooled to
    loftr_weights: str | None = None  # file with LoFTR's weights, for retrieval "loftr"
    contrast: float = 0.12  # retinex: difference of logarithms that is half light, half paint
    retinex_side: int = 96  # longer side, in pixels, at which the light is estimated
    steps: int = 900  # steps of the colour field's fit
    paint_steps: int = 300  # steps of the reflectance field's fit, from the colour field on
    gaussians: int = 20000  # Gaussians of each field at most
    pose_steps: int = 150  # gradient steps on the pose at most
    pose_rate: float = 0.01  # learning rate at the start, times 0.8 every 100 steps
    patience: int = 10  # steps without a gain after which the pose is left as it is; 0 is never
    least_gain: float = 0.002  # share of the loss that counts as a gain
    ssim: float = 0.4  # weight of 1 - SSIM in the pose's loss; L1 has the rest
    side: int = 224  # pixels of the square that is scored
    sigma_px: float = 4.0  # standard deviation of the map's Gaussian, in its pixels
    least_explained: float = 0.3  # share of the reflectance that the reference must explain, else no verdict


class Piad(RenderCompare):
    """See the module."""

    name = "piad"
    presets: ClassVar[Mapping[str, PiadConfig]] = {
        "cpu": PiadConfig(),
        "paper": PiadConfig(
            preset="paper",
            backbone="efficientnet_b4",
            retinex_side=192,
            steps=30_000,
            paint_steps=10_000,
            gaussians=100_000,
            pose_steps=300,
        ),
    }

    def __init__(self, device: str = "auto", **options: Any) -> None:
        super().__init__(device, **options)
        self._paint_field: Field | None = None

    @property
    def paint_field(self) -> Field:
        """The field of reflectance.

        Raises:
            UsageError: not fitted.
        """
        if self._paint_field is None:
            raise UsageError(f"{self.name} is not fitted; call fit first or load a model")
        return self._paint_field

    def fit(self, views: Sequence[Any], progress: Progress | None = None) -> Piad:
        """Learn both fields; the reflectance of the views lends coarse poses.

        Raises:
            DataError: too few views, or nothing that all of them see.
            MissingDependencyError: the network's weights or an extra are missing.
        """
        net, loaded = self.net, posed_views(views, LEAST_VIEWS)
        field = self._learn(loaded, progress)
        painted = [self._painted(v, field) for v in loaded]
        paint_field = self._learn_paint(painted, field, progress)
        self._gallery = build_gallery(self.config, net, painted, field.background, field.cut_out, self.device)
        self._field, self._paint_field = field, paint_field
        return self

    def _learn(self, views: Sequence[PosedView], progress: Progress | None) -> Field:
        return build_field(views, self._schedule(self.config.steps), device=self.device, progress=progress)[0]

    def _schedule(self, steps: int) -> FieldConfig:
        most = self.config.gaussians
        return FieldConfig(
            steps=steps,
            initial_gaussians=min(20_000, most),
            max_gaussians=most,
            sh_degree=0,
            seed=self.config.seed,
        )

    def _painted(self, view: PosedView, field: Field) -> PosedView:
        """The view with its reflectance in place of its photo."""
        photo = view.image[..., :3].astype(np.float32) / np.float32(255.0)
        if field.cut_out:
            photo = composite(photo, view.mask, field.background)
        paint = self._paint(photo, view.mask if field.bounded else None)
        return replace(view, image=np.clip(paint * 255.0 + 0.5, 0, 255).astype(np.uint8))

    def _paint(self, photo: Float32, mask: Float32 | None) -> Float32:
        paint = reflectance(photo, mask, self.config.contrast, self.config.retinex_side)[0]
        return np.clip(paint, 0.0, 1.0)

    def _learn_paint(self, painted: Sequence[PosedView], field: Field, progress: Progress | None) -> Field:
        """The colour field's Gaussians, fitted on to reflectance; their number does not grow."""
        c = self.config
        box = (field.low, field.high) if field.bounded else None
        schedule = replace(self._schedule(c.paint_steps), grow_from=1.0, grow_until=1.0, coarse_until=0.0)
        side = schedule.max_side if field.bounded else schedule.max_side // 2
        used = [v for v in painted if v.mask is not None] if field.bounded else painted
        targets = targets_of(used, field.background, box, field.cut_out, "exact" if field.cut_out else "none", side)
        targets = [t.to(self.device) for t in targets]
        found, _ = optimize(field.gaussians, targets, field.background, field.radius, box, schedule, progress)
        return replace(field, splats=Splats.of(found))

    def _refine(self, query: QueryImage, start: Float64) -> Refined:
        """``query`` is a reflectance."""
        c, field = self.config, self.paint_field
        drawn = field.draw(start, query.camera)
        gain = brightness_gain(drawn.colour, query.image, drawn.alpha, _GAIN_STIFFNESS)
        photo = torch.as_tensor(relit(query, gain, field.bounded), device=self.device)
        background = torch.as_tensor(field.background, device=self.device)

        def compare(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return photometric_loss(a, b, c.ssim)

        loss = splat_loss(field.gaussians, photo, query.camera, background, compare)
        schedule = Descent(c.pose_steps, c.pose_rate, patience=c.patience, least_gain=c.least_gain)
        return descend(start, loss, schedule, field.centre, field.distance / PAPER_DISTANCE, c.seed, self.device)

    def _draw(self, cam_from_world: Float64, camera: Camera) -> Float32:
        drawn: Float32 = self.field.draw(cam_from_world, camera).colour
        return drawn

    def predict(self, image: NDArray[Any]) -> Prediction:
        """Split off the light, retrieve, refine, draw both fields, compare both.

        Where no pose explains the photo's reflectance: status "unknown", score nan, no pose.

        Raises:
            DataError: the image's shape, type or values cannot be used.
            UsageError: not fitted.
        """
        c, field, watch = self.config, self.field, Stopwatch.started()
        query = posed_query(image, field.camera, field.background, field.bounded)
        height, width = np.asarray(image).shape[:2]
        paint = replace(query, image=self._paint(query.image, query.mask))
        watch.lap("retinex")
        try:
            start, refined = self._locate(paint, watch)
        except PoseError as error:
            watch.lap("fine")
            return failed(height, width, str(error), watch)
        watch.lap("fine")
        pose = refined.cam_from_world
        reference, painted = self._draw(pose, query.camera), self.paint_field.draw(pose, query.camera)
        gain = brightness_gain(painted.colour, paint.image, painted.alpha, _GAIN_STIFFNESS)
        own = relit(paint, gain, field.bounded)
        watch.lap("render")
        # a flat picture is explained by nothing: the object must be nearer to it than the picture's own median is
        usual = np.median(own, axis=(0, 1)).astype(np.float32)
        grounds = (field.background, usual) if field.bounded else (usual,)
        quality = min(explained(own, painted.colour, ground) for ground in grounds)
        if quality < c.least_explained:
            return failed(height, width, "no camera position explains the photo: another object?", watch, quality)
        how = FeatureScore(c.side, c.sigma_px)
        of_colour = feature_difference(self.net, query.image, reference, how, self.device)
        of_paint = feature_difference(self.net, own, painted.colour, how, self.device)
        score, anomaly = score_and_map(of_colour * of_paint, how, width, height)
        watch.lap("score")
        seconds = watch.total()
        return Prediction(
            score=score,
            map=anomaly,
            cam_from_world=pose,
            reference=query_sized(reference, width, height),
            pose_quality=float(np.clip(quality, 0.0, 1.0)),
            seconds={**seconds, "pose": seconds["coarse"] + seconds["fine"]},
            extra={
                "coarse_pose": start,
                "pose_loss": refined.loss,
                "pose_steps": len(refined.losses),
                "reflectance": query_sized(own, width, height),
                "reference_reflectance": query_sized(painted.colour, width, height),
            },
        )

    def summary(self) -> dict[str, Any]:
        """What was learned, for people."""
        return {"gaussians": len(self.field.splats), "reflectance_gaussians": len(self.paint_field.splats)}

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, about = pack_field(self.field)
        paint = {f"paint.{k}": a for k, a in self.paint_field.splats.named().items()}
        return {**tensors, **paint}, about

    def _unpack(self, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> Field:
        field = unpack_field(tensors, about, self.device)
        paint = {name: tensors[f"paint.{name}"] for name in field.splats.named()}
        self._paint_field = replace(field, splats=Splats(**paint))
        return field


def relit(query: QueryImage, gain: Float32, bounded: bool) -> Float32:
    """The query's object divided by ``gain`` [3], RGB [H, W, 3] in [0, 1]; its surroundings as they are.

    A photo without a mask is divided as a whole, unless the field is of an object alone (``bounded``): where that
    object is, nobody knows then, and the photo stays as it is.
    """
    if query.mask is None:
        divided = query.image if bounded else query.image / gain
    else:
        divided = query.image * (1.0 + query.mask[..., None] * (1.0 / gain - 1.0))
    return np.clip(divided, 0.0, 1.0).astype(np.float32)
