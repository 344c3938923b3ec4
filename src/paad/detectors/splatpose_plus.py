"""SplatPose+: the pose from a sparse reconstruction by PnP, the reference from Gaussians, features compared.

Liu et al., "SplatPose+: Real-time Image-Based Pose-Agnostic 3D Anomaly Detection" (arXiv 2410.12080). A query is
matched to the training views that retrieval names; its 2D-3D correspondences with the points triangulated from the
known training poses give the camera; nothing is refined on pixels.

What differs from the paper: it builds on learned retrieval, features and matches (hierarchical localization); here
retrieval compares the scoring network's features (``retrieval``), and the local features are SIFT, which need no
weights. ``features`` may name a network of the weights registry, which then describes SIFT's keypoints. Where the
retrieved views share too little with the photo, the neighbours of the best of them are tried. The Gaussians are fitted
by this project's optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from paad.backbones import Backbone, load_backbone
from paad.detectors.posed import Stopwatch, pack_field, unpack_field, view_photo
from paad.detectors.render_compare import RenderCompare
from paad.errors import PoseError, UsageError
from paad.fields.build import build_field
from paad.fields.config import FieldConfig
from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.pose.absolute import Solver, chosen_solver
from paad.pose.local_features import LocalFeatures, describe_by_network, find_features
from paad.pose.photometric import Refined
from paad.pose.query import QueryImage
from paad.pose.retrieval import Retrieval
from paad.pose.structure import (
    Structure,
    StructureConfig,
    build_structure,
    closest_views,
    localize,
    pack_structure,
    unpack_structure,
)
from paad.types import Float32, Float64, PosedView, Progress

SIFT = "sift"
_FEATURE_LAYERS = {"efficientnet_b4": ("stage2", "stage3"), "tf_efficientnet_b4": ("stage2", "stage3")}
_LAYERS = ("layer1", "layer2")
_ENLARGED_TO = 640
"""Photos are enlarged up to about this many pixels for SIFT, at most ``enlarge`` times."""


@dataclass(frozen=True)
class SplatPosePlusConfig:
    """The class's defaults are the CPU preset."""

    preset: Literal["cpu", "paper"] = "cpu"  # which set of defaults
    seed: int = 0  # of the fit, RANSAC and random weights
    backbone: str = "bricknet"  # network that retrieves and scores
    weights: str | None = None  # its weights: a file, a folder, or "random"
    retrieval: Retrieval = "features"  # how views are retrieved: "features", "sift" or "loftr"
    retrieval_side: int = 224  # pixels of the square that views are retrieved at
    grid: int = 7  # cells, each way, that a stage's features are pooled to
    loftr_weights: str | None = None  # file with LoFTR's weights, for retrieval "loftr"
    retrieved: int = 10  # training views that a photo is matched to
    features: str = SIFT  # what describes keypoints: "sift", or a network such as "wide_resnet50_2"
    feature_weights: str | None = None  # weights of that network: a file, a folder, or "random"
    keypoints: int = 400  # features of a photo at most
    enlarge: float = 2.0  # how many times small photos are enlarged before keypoints are looked for
    ratio: float = 0.85  # nearest over second nearest descriptor distance
    tolerance_px: float = 3.0  # distance in the photo of a point that agrees with a pose
    solver: Solver = "auto"  # "pycolmap", "opencv", or "auto": pycolmap where it is installed
    steps: int = 1000  # steps of the fit
    gaussians: int = 20000  # Gaussians at most
    sh_degree: int = 3  # degree of the view-dependent colour, 0 to 3
    side: int = 224  # pixels of the square that is scored
    sigma_px: float = 4.0  # standard deviation of the map's Gaussian, in its pixels
    least_explained: float = 0.3  # share of the photo that the reference must explain, else there is no verdict


class SplatPosePlus(RenderCompare):
    """See the module."""

    name = "splatpose-plus"
    presets: ClassVar[Mapping[str, SplatPosePlusConfig]] = {
        "cpu": SplatPosePlusConfig(),
        "paper": SplatPosePlusConfig(
            preset="paper",
            backbone="efficientnet_b4",
            keypoints=4096,
            solver="pycolmap",
            steps=30_000,
            gaussians=100_000,
        ),
    }

    def __init__(self, device: str = "auto", **options: Any) -> None:
        super().__init__(device, **options)
        self._structure: Structure | None = None
        self._solver = chosen_solver(self.config.solver)
        self._describer: Backbone | None = None
        if self.config.features != SIFT:
            layers = _FEATURE_LAYERS.get(self.config.features, _LAYERS)
            weights, seed = self.config.feature_weights, self.config.seed
            self._describer = load_backbone(self.config.features, layers, weights, self.device, seed)

    @property
    def structure(self) -> Structure:
        """The points and the features that show them.

        Raises:
            UsageError: not fitted.
        """
        if self._structure is None:
            raise UsageError(f"{self.name} is not fitted; call fit first or load a model")
        return self._structure

    def _learn(self, views: Sequence[PosedView], progress: Progress | None) -> Field:
        c = self.config
        schedule = FieldConfig(
            steps=c.steps,
            initial_gaussians=min(20_000, c.gaussians),
            max_gaussians=c.gaussians,
            sh_degree=c.sh_degree,
            seed=c.seed,
        )
        field = build_field(views, schedule, device=self.device, progress=progress)[0]
        found = [self._features(view_photo(v, field.background, field.cut_out), v.mask) for v in views]
        poses = np.stack([v.cam_from_world for v in views])
        self._structure = build_structure(found, [v.camera for v in views], poses, self._matching())
        return field

    def _matching(self) -> StructureConfig:
        return StructureConfig(ratio=self.config.ratio, solver=self._solver, seed=self.config.seed)

    def _features(self, photo: Float32, mask: Float32 | None) -> LocalFeatures:
        """Keypoints and descriptors of a photo [H, W, 3]."""
        enlarge = min(self.config.enlarge, max(1.0, _ENLARGED_TO / max(photo.shape[:2])))
        found = find_features(photo, mask, self.config.keypoints, enlarge)
        return found if self._describer is None else describe_by_network(self._describer, photo, found, self.device)

    def _locate(self, query: QueryImage, watch: Stopwatch) -> tuple[Float64, Refined]:
        order = self.gallery.ranker.rank(query.image).order
        start = self.gallery.poses[order[0]]
        watch.lap("coarse")
        try:
            return start, self._solve(query, order[: self.config.retrieved].tolist())
        except PoseError:
            return start, self._refine(query, start)

    def _refine(self, query: QueryImage, start: Float64) -> Refined:
        return self._solve(query, closest_views(self.gallery.poses, start, self.config.retrieved))

    def _solve(self, query: QueryImage, views: Sequence[int]) -> Refined:
        """The camera of ``query`` by PnP from the training views of these numbers; ``loss`` is the share of outliers.

        Raises:
            PoseError: it shares too little with them.
        """
        own = self._features(query.image, query.mask)
        found = localize(self.structure, own, query.camera, views, self.config.tolerance_px, self._matching())
        return Refined(found.cam_from_world, 1.0 - float(found.inliers.mean()))

    def _draw(self, cam_from_world: Float64, camera: Camera) -> Float32:
        drawn: Float32 = self.field.draw(cam_from_world, camera).colour
        return drawn

    def summary(self) -> dict[str, Any]:
        """What was learned, for people."""
        return {
            "gaussians": len(self.field.splats),
            "points": len(self.structure.xyz),
            "observations": int((self.structure.point >= 0).sum()),
            "solver": self._solver,
        }

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        tensors, about = pack_field(self.field)
        return {**tensors, **pack_structure(self.structure)}, about

    def _unpack(self, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> Field:
        self._structure = unpack_structure(tensors)
        return unpack_field(tensors, about, self.device)
