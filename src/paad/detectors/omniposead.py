"""OmniposeAD: a NeRF of the good object, a pose by retrieval and iNeRF, features compared.

Zhou et al., "PAD: A Dataset and Benchmark for Pose-agnostic Anomaly Detection" (NeurIPS 2023, arXiv 2310.07716).

The coarse pose: the paper describes retrieval by multi-stage features of a network, its code counts LoFTR matches.
Features are the default, as the network is needed for the score anyway and LoFTR's weights are a further download.

What differs from the paper in both presets: see :mod:`paad.fields.nerf`; the motion turns about the object's centre,
and its translation counts quarters of the camera's distance (the paper's objects lie about the world's origin, its
cameras four units away). What differs in the CPU preset: smaller networks; near and far of each ray are where it
enters and leaves the silhouettes' visual hull, rays that miss it are background and not drawn; the fine network sees
only the samples that the coarse one chose; fewer steps and rays in fit and pose; bricknet in place of EfficientNet-B4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from paad.detectors.imagery import pack_module, unpack_module
from paad.detectors.render_compare import RenderCompare
from paad.detectors.splatpose import PAPER_DISTANCE
from paad.errors import PoseError
from paad.fields.hull import Hull
from paad.fields.nerf import Nerf, NerfConfig
from paad.fields.nerf_field import NerfField
from paad.fields.nerf_fit import fit_nerf
from paad.geometry.camera import Camera
from paad.pose.interest import interest_region
from paad.pose.photometric import Descent, Refined, descend, ray_loss
from paad.pose.query import QueryImage
from paad.pose.retrieval import Retrieval
from paad.types import Float32, Float64, PosedView, Progress


@dataclass(frozen=True)
class OmniposeADConfig:
    """The class's defaults are the CPU preset."""

    preset: Literal["cpu", "paper"] = "cpu"  # which set of defaults
    seed: int = 0  # of the fit, the rays, the motion's start and random weights
    backbone: str = "bricknet"  # network that retrieves and scores
    weights: str | None = None  # its weights: a file, a folder, or "random"
    retrieval: Retrieval = "features"  # coarse pose: "features" (the paper), "loftr" (its code) or "sift"
    retrieval_side: int = 224  # pixels of the square that views are retrieved at
    grid: int = 7  # cells, each way, that a stage's features are pooled to
    loftr_weights: str | None = None  # file with LoFTR's weights, for retrieval "loftr"
    depth: int = 4  # hidden layers of the NeRF
    width: int = 128  # units of a layer
    coarse_depth: int = 2  # hidden layers of the coarse NeRF
    coarse_width: int = 64  # units of its layers
    frequencies: int = 8  # octaves of the encoded position
    view_frequencies: int = 3  # octaves of the encoded direction
    coarse_samples: int = 24  # stratified samples of a ray
    fine_samples: int = 16  # samples where the coarse NeRF found something
    both: bool = False  # whether the fine NeRF sees the coarse samples too
    in_hull: bool = True  # whether rays are confined to the visual hull of the silhouettes
    steps: int = 1500  # steps of the fit
    rays: int = 1024  # rays of a step
    rate: float = 2e-3  # learning rate of the fit at the start
    rate_end: float = 2e-4  # and at the end
    pose_steps: int = 100  # iNeRF's steps
    pose_rays: int = 512  # rays of a step
    pose_rate: float = 0.01  # learning rate at the start, times 0.8 every 100 steps
    dilations: int = 3  # of the interest region, by 5 x 5 pixels
    side: int = 224  # pixels of the square that is scored
    sigma_px: float = 4.0  # standard deviation of the map's Gaussian, in its pixels
    least_explained: float = 0.5  # share of the photo that the reference must explain, else there is no verdict


def nerf_config(config: OmniposeADConfig) -> NerfConfig:
    """The NeRF's part of the options."""
    shared = {f.name for f in fields(NerfConfig)} & {f.name for f in fields(config)}
    return NerfConfig(skip=4 if config.depth > 5 else 0, **{name: getattr(config, name) for name in shared})


class OmniposeAD(RenderCompare):
    """See the module."""

    name = "omniposead"
    presets: ClassVar[Mapping[str, OmniposeADConfig]] = {
        "cpu": OmniposeADConfig(),
        "paper": OmniposeADConfig(
            preset="paper",
            backbone="efficientnet_b4",
            depth=8,
            width=256,
            coarse_depth=8,
            coarse_width=256,
            frequencies=10,
            view_frequencies=4,
            coarse_samples=64,
            fine_samples=64,
            both=True,
            in_hull=False,
            steps=200_000,
            rate=5e-4,
            rate_end=5e-5,
            pose_steps=300,
            pose_rays=3072,
        ),
    }

    def _learn(self, views: Sequence[PosedView], progress: Progress | None) -> NerfField:
        return fit_nerf(views, nerf_config(self.config), self.device, progress)[0]

    def _refine(self, query: QueryImage, start: Float64) -> Refined:
        c, field = self.config, self.field
        rows, columns = np.nonzero(interest_region(query.image, query.mask, c.dilations))
        if len(rows) == 0:
            raise PoseError("the photo has no pixels to compare")
        pixels = torch.from_numpy(np.stack([columns, rows], axis=1)).to(self.device)
        photo = torch.as_tensor(query.image, device=self.device)
        loss = ray_loss(field.colours, photo, query.camera, pixels, c.pose_rays, c.seed)
        schedule = replace(Descent(), steps=c.pose_steps, rate=c.pose_rate)
        return descend(start, loss, schedule, field.centre, field.distance / PAPER_DISTANCE, c.seed, self.device)

    def _draw(self, cam_from_world: Float64, camera: Camera) -> Float32:
        drawn: Float32 = self.field.draw(cam_from_world, camera)
        return drawn

    def _pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        field: NerfField = self.field
        tensors = pack_module(field.nerf, "nerf")
        if field.hull is not None:
            tensors["hull.solid"] = field.hull.solid.cpu().numpy().astype(np.uint8)
            tensors["hull.low"] = field.hull.low.cpu().numpy()
        return tensors, {
            "near": field.near,
            "far": field.far,
            "background": field.background.tolist(),
            "centre": field.centre.tolist(),
            "radius": field.radius,
            "bounded": field.bounded,
            "cut_out": field.cut_out,
            "camera": asdict(field.camera),
            "distance": field.distance,
            "cell": None if field.hull is None else field.hull.size,
        }

    def _unpack(self, tensors: dict[str, NDArray[Any]], about: dict[str, Any]) -> NerfField:
        about = dict(about)
        cell, camera, device = about.pop("cell"), Camera(**about.pop("camera")), self.device
        background, centre = np.array(about.pop("background"), np.float32), np.array(about.pop("centre"))
        centre32 = torch.as_tensor(centre, dtype=torch.float32)
        nerf = Nerf(nerf_config(self.config), centre32, about["radius"], torch.from_numpy(background))
        unpack_module(nerf, "nerf", tensors)
        nerf.requires_grad_(False).eval().to(device)
        hull = None
        if cell is not None:
            solid = torch.from_numpy(tensors["hull.solid"] > 0)
            hull = Hull(solid, torch.from_numpy(tensors["hull.low"]), cell).to(device)
        return NerfField(
            nerf=nerf, hull=hull, background=background, centre=centre, camera=camera, device=device, **about
        )
