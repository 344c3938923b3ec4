"""What detectors of plain images share: photos as batches of one size, maps at the photo's size, networks as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paad.detectors.base import float_image
from paad.errors import DataError, ModelFileError
from paad.types import Float32

_ONE_COLOUR = 0.02
"""Spread of a colour, as a share of white, that is still one: files are scaled and compressed."""


def on_white(image: NDArray[Any]) -> Float32:
    """RGB float32 [H, W, 3] in [0, 1] of what ``predict`` accepts; a transparent ground becomes white, as in MAD.

    Raises:
        DataError: another shape or type, or values that are not finite.
    """
    rgb, alpha = float_image(image)
    return rgb if alpha is None else rgb * alpha[..., None] + (1.0 - alpha[..., None])


def to_square(image: NDArray[Any], side: int) -> Tensor:
    """A photo as float32 [3, side, side] in [0, 1], stretched to a square as the published baselines do.

    Raises:
        DataError: not a photo that ``predict`` accepts.
    """
    rgb = on_white(image)
    shrinks = rgb.shape[0] > side or rgb.shape[1] > side
    resized = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))


def training_photo(view: Any) -> NDArray[Any]:
    """The photo of a view, uint8 or float32 [H, W, 3]; over white where nothing is kept of what was around the object.

    Files whose object was cut out hold one colour under a mask of zero, often black, which no photo to inspect shows.
    """
    image: NDArray[Any] = np.asarray(view.image)
    mask = getattr(view, "mask", None)
    if mask is None or not (mask <= 0.0).any():
        return image
    void, white = image[mask <= 0.0], 255 if image.dtype == np.uint8 else 1.0
    if np.ptp(void, axis=0).max() > _ONE_COLOUR * white or np.median(void) > (1.0 - _ONE_COLOUR) * white:
        return image
    cover = mask[..., None].astype(np.float32)
    out: Float32 = (image / np.float32(white) * cover + (1.0 - cover)).astype(np.float32)
    return out


def training_batch(views: Sequence[Any], side: int, least: int = 1) -> Tensor:
    """The photos of ``views`` as float32 [N, 3, side, side] in [0, 1]; photos may differ in size.

    Raises:
        DataError: fewer than ``least`` photos, or one that cannot be used (the message names it).
    """
    if len(views) < least:
        raise DataError(f"{len(views)} training photos; this method needs at least {least}")
    out = torch.empty(len(views), 3, side, side)
    for i, view in enumerate(views):
        try:
            out[i] = to_square(training_photo(view), side)
        except DataError as error:
            raise DataError(f"{getattr(view, 'name', i)}: {error}") from error
    return out


def full_size(values: Tensor | Float32, height: int, width: int, sigma_px: float = 0.0) -> Float32:
    """An anomaly map [h, w] at the photo's size [height, width], bilinear, then blurred by ``sigma_px``."""
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    out = cv2.resize(np.ascontiguousarray(array, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    if sigma_px > 0:
        out = cv2.GaussianBlur(out, (0, 0), sigma_px)
    return np.ascontiguousarray(out, np.float32)


def pack_module(module: nn.Module, prefix: str) -> dict[str, NDArray[Any]]:
    """The parameters and buffers of a network as arrays named ``prefix.<name>``."""
    return {f"{prefix}.{k}": v.detach().cpu().numpy() for k, v in module.state_dict().items()}


def unpack_module(module: nn.Module, prefix: str, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Load what :func:`pack_module` packed.

    Raises:
        ModelFileError: parts are missing, or of another shape.
    """
    own = {k.removeprefix(prefix + "."): torch.from_numpy(v) for k, v in tensors.items() if k.startswith(prefix + ".")}
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise ModelFileError(f"the model's part {prefix!r} does not fit ({error}); fit it again") from error
