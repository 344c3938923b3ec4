"""Training views as the optimizer wants them: cropped to the object, over a known background, at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from paad.fields.framing import box_window, composite
from paad.geometry.camera import Camera
from paad.types import Float32, Float64, PosedView


@dataclass(frozen=True)
class Target:
    """One view to reproduce.

    ``colour`` [H, W, 3] over the background; ``mask`` [H, W], the alpha to reach, below 0 where it is not known, or
    None; the ``camera`` of the crop.
    """

    colour: Tensor
    mask: Tensor | None
    camera: Camera
    cam_from_world: Tensor

    def to(self, device: str) -> Target:
        """A copy on ``device``."""
        mask = None if self.mask is None else self.mask.to(device)
        return Target(self.colour.to(device), mask, self.camera, self.cam_from_world.to(device))

    def halved(self) -> Target:
        """The same at half the resolution, by averaging 2 x 2 pixels."""
        return self.reduced(2)

    def reduced(self, factor: int) -> Target:
        """The same at 1 / ``factor`` of the resolution, by averaging blocks; odd rims are cut off."""
        h, w = self.camera.height // factor, self.camera.width // factor
        if factor == 1 or h < 8 or w < 8:
            return self
        camera = self.camera.cropped(0, 0, w * factor, h * factor).resized(w, h)
        colour = _averaged(self.colour[: h * factor, : w * factor], w, h)
        mask = self.mask
        if mask is not None:
            mask = _averaged(mask[: h * factor, : w * factor], w, h)
        return Target(colour, mask, camera, self.cam_from_world)


def _averaged(picture: Tensor, width: int, height: int) -> Tensor:
    """``picture`` [H, W] or [H, W, C] reduced by whole blocks; OpenCV does it in a tenth of torch's time."""
    small = cv2.resize(picture.cpu().numpy(), (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).to(picture.device)


def only_outside(mask: Float32, rim_px: int = 2) -> Float32:
    """The alpha that an estimated ``mask`` [H, W] vouches for: 0 well outside of it, elsewhere not known (-1)."""
    near = cv2.dilate((mask > 0.01).astype(np.uint8), np.ones((2 * rim_px + 1, 2 * rim_px + 1), np.uint8))
    out: Float32 = -near.astype(np.float32)
    return out


def targets_of(
    views: Sequence[PosedView],
    background: Float32,
    box: tuple[Float64, Float64] | None,
    over_background: bool,
    masks: Literal["none", "outside", "exact"],
    max_side: int,
) -> list[Target]:
    """One :class:`Target` a view.

    Args:
        views: the posed views.
        background: RGB [3] that the field is rendered over.
        box: corners of the object's box; each view is cropped to it. None keeps whole pictures.
        over_background: whether the pictures are composited over ``background`` by their masks.
        masks: whether and where the views' masks are kept as targets of the field's alpha.
        max_side: longer pictures are reduced to about this many pixels.
    """
    out = []
    for view in views:
        x0, y0, w, h = (
            (0, 0, view.camera.width, view.camera.height)
            if box is None
            else box_window(view.camera, view.cam_from_world, *box)
        )
        camera = view.camera.cropped(x0, y0, w, h)
        window = (slice(y0, y0 + h), slice(x0, x0 + w))
        image = view.image[window].astype(np.float32) / np.float32(255.0)
        mask = None if view.mask is None else np.ascontiguousarray(view.mask[window])
        colour = composite(image, mask, background) if over_background else image
        shrink = max_side / max(view.camera.width, view.camera.height)
        if shrink < 1.0:
            camera = camera.scaled(shrink)
            size = (camera.width, camera.height)
            colour = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
            mask = None if mask is None else cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        if mask is not None and masks == "outside":
            mask = only_outside(mask)
        out.append(
            Target(
                torch.from_numpy(np.ascontiguousarray(colour)),
                None if mask is None or masks == "none" else torch.from_numpy(mask),
                camera,
                torch.from_numpy(view.cam_from_world.astype(np.float32)),
            )
        )
    return out
