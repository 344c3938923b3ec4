"""SplatPose: Gaussians of the good object, a pose by gradient descent through their rasterizer, features compared.

Kruse et al., "SplatPose & Detect: Pose-Agnostic 3D Anomaly Detection" (CVPR workshops 2024, arXiv 2404.06832).

What differs from the paper, in both presets: the Gaussians are fitted by this project's optimizer (start on the carved
surface where masks are known, a budget in place of a gradient threshold, absolute and squared error); colours do not
depend on the direction, as in the paper's pose step. The motion turns about the object's centre and its translation
counts quarters of the camera's distance, which is the paper's where its objects lie: about the world's origin, four
units away. The paper retrieves by LoFTR match counts (``retrieval="loftr"``); the default needs no further weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from numpy.typing import NDArray

from paad.detectors.posed import pack_field, unpack_field
from paad.detectors.render_compare import RenderCompare
from paad.fields.build import build_field
from paad.fields.config import FieldConfig
from paad.fields.field import Field
from paad.fields.losses import photometric_loss
from paad.geometry.camera import Camera
from paad.pose.photometric import Descent, Refined, descend, splat_loss
from paad.pose.query import QueryImage
from paad.pose.retrieval import Retrieval
from paad.types import Float32, Float64, PosedView, Progress

PAPER_DISTANCE = 4.0
"""Distance of the papers' cameras from their objects: the unit of their translations."""


@dataclass(frozen=True)
class SplatPoseConfig:
    """The class's defaults are the CPU preset."""

    preset: Literal["cpu", "paper"] = "cpu"  # which set of defaults
    seed: int = 0  # of the fit, the motion's start and random weights
    backbone: str = "bricknet"  # network that retrieves and scores
    weights: str | None = None  # its weights: a file, a folder, or "random"
    retrieval: Retrieval = "features"  # coarse pose: "features", "sift" or "loftr"
    retrieval_side: int = 224  # pixels of the square that views are retrieved at
    grid: int = 7  # cells, each way, that a stage's features are pooled to
    loftr_weights: str | None = None  # file with LoFTR's weights, for retrieval "loftr"
    steps: int = 1000  # steps of the fit
    gaussians: int = 20000  # Gaussians at most
    pose_steps: int = 175  # gradient steps on the pose
    pose_rate: float = 0.01  # learning rate at the start, times 0.8 every 100 steps
    ssim: float = 0.2  # weight of 1 - SSIM beside L1 in the pose's loss
    side: int = 224  # pixels of the square that is scored
    sigma_px: float = 4.0  # standard deviation of the map's Gaussian, in its pixels
    least_explained: float = 0.6  # share of the photo that the reference must explain, else there is no verdict


class SplatPose(RenderCompare):
    """See the module."""

    name = "splatpose"
    presets: ClassVar[Mapping[str, SplatPoseConfig]] = {
        "cpu": SplatPoseConfig(),
        "paper": SplatPoseConfig(preset="paper", backbone="efficientnet_b4", steps=30_000, gaussians=100_000),
    }

    def _learn(self, views: Sequence[PosedView], progress: Progress | None) -> Field:
        c = self.config
        schedule = FieldConfig(
            steps=c.steps,
            initial_gaussians=min(20_000, c.gaussians),
            max_gaussians=c.gaussians,
            sh_degree=0,
            seed=c.seed,
        )
        return build_field(views, schedule, device=self.device, progress=progress)[0]

    def _refine(self, query: QueryImage, start: Float64) -> Refined:
        c, field = self.config, self.field
        background = torch.as_tensor(field.background, device=self.device)
        photo = torch.as_tensor(query.image, device=self.device)

        def compare(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return photometric_loss(a, b, c.ssim)

        loss = splat_loss(field.gaussians, photo, query.camera, background, compare)
        schedule = replace(Descent(), steps=c.pose_steps, rate=c.pose_rate)
        return descend(start, loss, schedule, field.centre, field.distance / PAPER_DISTANCE, c.seed, self.device)

    def _draw(self, cam_from_world: Float64, camera: Camera) -> Float32:
        drawn: Float32 = self.field.draw(cam_from_world, camera).colour
        return drawn

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        return pack_field(self.field)

    def _unpack(self, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> Field:
        return unpack_field(tensors, about, self.device)
