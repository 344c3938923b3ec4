"""Training views that load on access, and the one decision of where their masks come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, overload

import numpy as np

from paad.data.colmap import Points, read_points
from paad.data.images import PIXEL_LIMIT, load_image
from paad.data.intrinsics import undistort
from paad.data.masks import estimate_mask, read_mask
from paad.errors import DataError
from paad.geometry.camera import Camera
from paad.types import Float32, Float64, PosedView, UInt8

MaskSource = Literal["alpha", "mask_path", "background", "none"]

_SAMPLE = 16
_SAMPLE_PIXELS = 400_000
_ENOUGH_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Photo:
    """A training image whose pose is not known. ``image`` is uint8 RGB [H, W, 3], ``mask`` as in ``PosedView``."""

    name: str
    image: UInt8
    mask: Float32 | None


@dataclass(frozen=True)
class PhotoFile:
    """Where a training image lies, and how its mask is found. ``upright``: the EXIF rotation is applied."""

    name: str
    path: Path
    mask_path: Path | None = None
    upright: bool = True


@dataclass(frozen=True)
class Frame:
    """A training image with its camera (pixels of the image as loaded) and ``cam_from_world`` [4, 4]."""

    photo: PhotoFile
    camera: Camera
    cam_from_world: Float64
    distortion: tuple[float, ...] = ()


@dataclass(frozen=True)
class MaskPolicy:
    """Where the masks of a whole training set come from.

    Attributes:
        source: "alpha", "mask_path", "background" (estimated from a plain background) or "none".
        confidence: in [0, 1]; 1 for masks that were given.
        background: RGB [3] in [0, 1] where the background was found to be plain, else None.
    """

    source: MaskSource
    confidence: float
    background: Float32 | None


def decide_masks(photos: Sequence[PhotoFile]) -> MaskPolicy:
    """Decide once for a training set: masks that are given win, then alpha, then a plain background.

    At most 16 photos, evenly spread, are decoded, large ones reduced. A background counts as plain when the median
    confidence of the estimates is at least 0.5.
    """
    if not photos:
        return MaskPolicy("none", 0.0, None)
    if any(photo.mask_path for photo in photos):
        return MaskPolicy("mask_path", 1.0, None)
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(_SAMPLE, len(photos))).round().astype(int))
    estimates = []
    for i in chosen:
        image = load_image(photos[i].path, max_pixels=_SAMPLE_PIXELS)
        if image.shape[2] == 4:
            return MaskPolicy("alpha", 1.0, None)
        estimates.append(estimate_mask(image))
    confidence = float(np.median([e.confidence for e in estimates]))
    if confidence < _ENOUGH_CONFIDENCE:
        return MaskPolicy("none", confidence, None)
    background = np.median([e.background for e in estimates], axis=0).astype(np.float32)
    return MaskPolicy("background", confidence, background)


def load_photo(photo: PhotoFile, policy: MaskPolicy, warp: Callable[[UInt8], UInt8] | None = None) -> Photo:
    """Decode one training image and its mask. ``warp`` is applied to the image and to a given mask.

    The colour of an RGBA image stays as it is stored (straight alpha): outside the mask it carries no information.

    Raises:
        DataError: the image or its mask is damaged, or they differ in size.
    """
    image = load_image(photo.path, max_pixels=PIXEL_LIMIT, upright=photo.upright)
    given = read_mask(photo.mask_path) if photo.mask_path else None
    if given is not None and given.shape != image.shape[:2]:
        raise DataError(
            f"{photo.mask_path}: the mask is {given.shape[1]}x{given.shape[0]}, its image "
            f"{image.shape[1]}x{image.shape[0]} pixels; they must be the same"
        )
    if given is not None:
        image = np.dstack([image[..., :3], given])
    if warp:
        image = warp(image)
    rgb = np.ascontiguousarray(image[..., :3])
    mask: Float32 | None = None
    if image.shape[2] == 4:
        mask = image[..., 3].astype(np.float32) / np.float32(255.0)
    elif policy.source == "background":
        mask = estimate_mask(rgb).mask
    return Photo(photo.name, rgb, mask)


class Photos(Sequence[Photo]):
    """Training images without poses; each access decodes the file."""

    def __init__(self, files: Sequence[PhotoFile], policy: Callable[[], MaskPolicy] | None = None) -> None:
        self.files = tuple(files)
        self._policy = policy or _once(lambda: decide_masks(self.files))

    @property
    def names(self) -> list[str]:
        """File names inside the object folder."""
        return [file.name for file in self.files]

    @property
    def mask_policy(self) -> MaskPolicy:
        """Where the masks come from; the first access decodes a few images."""
        return self._policy()

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Photo: ...
    @overload
    def __getitem__(self, index: slice) -> Photos: ...
    def __getitem__(self, index: int | slice) -> Photo | Photos:
        if isinstance(index, slice):
            return Photos(self.files[index], self._policy)
        return load_photo(self.files[index], self._policy())

    def subset(self, indices: Iterable[int]) -> Photos:
        """The photos at ``indices``, in that order; masks come from where those of the whole set come from."""
        return Photos([self.files[i] for i in indices], self._policy)


class PosedViews(Sequence[PosedView]):
    """Posed training views; each access decodes the file. Poses, cameras and names need no pixels.

    ``model_folder`` is the sparse COLMAP model that the poses come from, if they do.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        policy: Callable[[], MaskPolicy] | None = None,
        model_folder: Path | None = None,
    ) -> None:
        self.frames = tuple(frames)
        self.model_folder = model_folder
        self._policy = policy or _once(lambda: decide_masks([f.photo for f in self.frames]))

    @cached_property
    def poses(self) -> Float64:
        """``cam_from_world`` of all views, float64 [N, 4, 4]."""
        return np.array([frame.cam_from_world for frame in self.frames]).reshape(-1, 4, 4)

    @property
    def cameras(self) -> list[Camera]:
        """The intrinsics of each view."""
        return [frame.camera for frame in self.frames]

    @property
    def names(self) -> list[str]:
        """File names inside the object folder."""
        return [frame.photo.name for frame in self.frames]

    @cached_property
    def points(self) -> Points | None:
        """The points of the COLMAP model that the poses come from, in their frame, else None.

        Raises:
            DataError: the points file is broken.
        """
        return read_points(self.model_folder) if self.model_folder else None

    @property
    def mask_policy(self) -> MaskPolicy:
        """Where the masks come from; the first access decodes a few images."""
        return self._policy()

    @property
    def mask_source(self) -> MaskSource:
        """ "alpha", "mask_path", "background" or "none", for all views alike."""
        return self._policy().source

    @property
    def mask_confidence(self) -> float:
        """In [0, 1]: how much the masks can be trusted."""
        return self._policy().confidence

    @property
    def background(self) -> Float32 | None:
        """RGB [3] in [0, 1] of a plain background, or None."""
        return self._policy().background

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> PosedView: ...
    @overload
    def __getitem__(self, index: slice) -> PosedViews: ...
    def __getitem__(self, index: int | slice) -> PosedView | PosedViews:
        if isinstance(index, slice):
            return PosedViews(self.frames[index], self._policy, self.model_folder)
        frame = self.frames[index]

        def warp(image: UInt8) -> UInt8:
            return undistort(image, frame.camera, frame.distortion)

        photo = load_photo(frame.photo, self._policy(), warp if frame.distortion else None)
        return PosedView(photo.name, photo.image, photo.mask, frame.camera, frame.cam_from_world)

    def subset(self, indices: Iterable[int]) -> PosedViews:
        """The views at ``indices``, in that order; masks come from where those of the whole set come from."""
        return PosedViews([self.frames[i] for i in indices], self._policy, self.model_folder)


def _once(compute: Callable[[], MaskPolicy]) -> Callable[[], MaskPolicy]:
    """``compute`` that runs at its first call only; subsets share it with the whole set."""
    known: list[MaskPolicy] = []

    def policy() -> MaskPolicy:
        if not known:
            known.append(compute())
        return known[0]

    return policy
