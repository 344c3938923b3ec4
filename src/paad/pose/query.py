"""A query made ready for the pose search: its object, over the field's background, at several resolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from paad.data.masks import coloured_as, cut_out, estimate_mask
from paad.fields.framing import composite
from paad.geometry.camera import Camera, Lens
from paad.types import Float32, UInt8

_PLAIN_ENOUGH = 0.5
_SAME_BACKGROUND = 0.04
_PLAIN_SPREAD = 4.0 / 255.0
"""Of the border: paper and painted walls stay below, tables and their grain above."""


@dataclass(frozen=True)
class QueryImage:
    """A photo without a pose.

    Attributes:
        image: RGB float32 [H, W, 3] over ``background`` (where the object is told from it).
        mask: float32 [H, W], the object; None where nothing tells it from its surroundings.
        camera: the assumed intrinsics of ``image``.
        background: RGB [3], what the field is to be drawn over, beside this photo.
        photo: RGB [H, W, 3] as it was taken, where the object had to be told from its surroundings without a mask of
            the photo's own; None where they are plain and the field's, or unknown.
    """

    image: Float32
    mask: Float32 | None
    camera: Camera
    background: Float32
    photo: Float32 | None = None

    def resized(self, width: int, height: int) -> QueryImage:
        """The same photo at another size."""
        if (width, height) == (self.camera.width, self.camera.height):
            return self
        smaller = width < self.camera.width
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        mask = None if self.mask is None else cv2.resize(self.mask, (width, height), interpolation=how)
        image = cv2.resize(self.image, (width, height), interpolation=how)
        photo = None if self.photo is None else cv2.resize(self.photo, (width, height), interpolation=how)
        return QueryImage(image, mask, self.camera.resized(width, height), self.background, photo)

    def through(self, lens: Lens) -> QueryImage:
        """The same photo taken for one through another lens."""
        return replace(self, camera=self.camera.through(lens))

    def scaled(self, factor: float) -> QueryImage:
        """The same photo at ``factor`` times the resolution."""
        camera = self.camera.scaled(factor)
        return self.resized(camera.width, camera.height)


def cut_by_colour(query: QueryImage, colours: UInt8) -> QueryImage | None:
    """The photo with its object told from its surroundings by the object's own ``colours`` [N, 3] alone.

    None where the photo is not of an object before unknown surroundings, or shows none of the colours.
    """
    if query.photo is None or not len(colours):
        return None
    mask = coloured_as(np.clip(query.photo * 255.0 + 0.5, 0, 255).astype(np.uint8), colours)
    if not (mask > 0.5).any():
        return None
    return replace(query, image=composite(query.photo, mask, query.background), mask=mask)


def cameras_of_photo(trained: Camera, width: int, height: int) -> list[Camera]:
    """Intrinsics that a photo of ``width`` x ``height`` pixels may have, if the training views' camera took it.

    A photo of the same shape is the training picture at another resolution; one turned to portrait keeps the focal
    length along its longer side. A smaller one may also be cut out of a picture of full size, and one that shares a
    side with it may show more to both sides: these keep the focal length in pixels. The principal point of another
    shape is taken to be its middle.
    """
    if (width, height) == (trained.width, trained.height):
        return [trained]
    f = 0.5 * (trained.fx + trained.fy)
    cut = Camera(width, height, f, f, 0.5 * width, 0.5 * height)
    if abs(width * trained.height - height * trained.width) <= 0.01 * width * trained.height:
        whole = trained.resized(width, height)
    else:
        factor = max(width, height) / max(trained.width, trained.height)
        whole = Camera(width, height, f * factor, f * factor, 0.5 * width, 0.5 * height)
    smaller = max(width, height) < max(trained.width, trained.height)
    wider = (width == trained.width) != (height == trained.height) and cut != whole
    return [whole, cut] if smaller or wider else [whole]


def prepare_query(
    image: Float32, alpha: Float32 | None, camera: Camera, background: Float32, bounded: bool
) -> QueryImage:
    """Tell the object from its surroundings.

    With a mask of the photo's own, and on a table, it is put over the field's background. On plain paper of another
    colour the photo stays as it is, since every pixel of the outline holds some of that colour, and the field is drawn
    over the paper's.

    Args:
        image: RGB float32 [H, W, 3].
        alpha: object mask [H, W] if the photo came with one.
        camera: intrinsics of the photo.
        background: RGB [3] that the field is rendered over.
        bounded: whether the field is an object that was cut out; a field of a whole scene takes the photo as it is.
    """
    if not bounded:
        return QueryImage(image, None, camera, background)
    if alpha is not None:
        return QueryImage(composite(image, alpha, background), alpha, camera, background)
    bytes_ = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    estimate = estimate_mask(bytes_)
    plain = estimate.confidence >= _PLAIN_ENOUGH
    if np.abs(estimate.background - background).max() <= _SAME_BACKGROUND:
        return QueryImage(image, estimate.mask if plain else None, camera, background)
    if plain and estimate.spread < _PLAIN_SPREAD:
        return QueryImage(image, estimate.mask, camera, estimate.background.astype(np.float32))
    mask = cut_out(bytes_)
    if not mask.any():
        return QueryImage(image, None, camera, background, image)
    return QueryImage(composite(image, mask, background), mask, camera, background, image)
