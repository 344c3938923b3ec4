"""Pictures for reports: thumbnails, heat overlays, outlines of masks, crops; all uint8 RGB [H, W, 3] at the end."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from paad.types import Bool, Float32, UInt8

_HEAT = np.array([(59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191)], np.float32)
"""Colours at 0, 1/4, 1/2, 3/4 and 1: dark violet, purple, rose, orange, pale yellow (also told apart without hue)."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last two exclusive."""

_WHITE = 255
_JPEG = "data:image/jpeg;base64,"


def rgb8(image: NDArray[Any]) -> UInt8:
    """uint8 RGB [H, W, 3] of uint8 or float [0, 1] pixels [H, W, 3|4]; what is transparent becomes white."""
    array = np.asarray(image)
    if array.dtype != np.uint8:
        array = np.rint(np.clip(np.nan_to_num(array), 0.0, 1.0) * 255.0).astype(np.uint8)
    if array.shape[2] == 4:
        alpha = array[..., 3:].astype(np.float32) / 255.0
        array = np.rint(array[..., :3] * alpha + _WHITE * (1.0 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(array)


def thumbnail(image: UInt8, side: int) -> UInt8:
    """``image`` [H, W, 3] reduced so that its longer side is at most ``side`` pixels."""
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(picture)


def shrink_map(values: Float32, side: int) -> Float32:
    """Anomaly map [H, W] reduced by a whole factor to at most ``side`` pixels; the largest value of a block stays."""
    factor = -(-max(values.shape) // side)
    if factor <= 1:
        return values
    height, width = (-(-n // factor) for n in values.shape)
    padded = np.full((height * factor, width * factor), -np.inf, np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks: Float32 = padded.reshape(height, factor, width, factor).max(axis=(1, 3))
    return blocks


def half_precision(values: Float32) -> NDArray[np.float16]:
    """``values`` as float16, at most its largest finite number; what is not a number becomes 0."""
    limit = float(np.finfo(np.float16).max)
    return np.clip(np.nan_to_num(values), -limit, limit).astype(np.float16)


def resized(image: UInt8, size: tuple[int, int]) -> UInt8:
    """``image`` [H, W, 3] at ``size`` (width, height)."""
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def heat_overlay(photo: UInt8, values: NDArray[np.floating[Any]], scale: float) -> UInt8:
    """``photo`` [H, W, 3] in grey with the map [h, w] over it: nothing at 0, half-covered at ``scale``, full at twice.

    The map is stretched to the photo's size.
    """
    height, width = photo.shape[:2]
    if values.shape != (height, width):
        values = np.asarray(
            Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        )
    level = np.clip(np.nan_to_num(values) / (2.0 * scale if scale > 0 else 1.0), 0.0, 1.0).astype(np.float32)
    position = level * (len(_HEAT) - 1)
    below = np.minimum(position.astype(np.intp), len(_HEAT) - 2)
    share = (position - below)[..., None]
    colour = _HEAT[below] * (1.0 - share) + _HEAT[below + 1] * share
    # A grey, slightly lightened photo keeps the shapes readable without competing with the colours.
    grey = (0.25 * 255.0 + 0.75 * photo.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    cover = np.clip(2.0 * level, 0.0, 1.0)[..., None] ** 0.75
    blended: UInt8 = np.rint(grey * (1.0 - cover) + colour * cover).astype(np.uint8)
    return blended


def outline(photo: UInt8, mask: Bool, colour: tuple[int, int, int] = (0, 170, 255)) -> UInt8:
    """``photo`` [h, w, 3] with the border of ``mask`` [H, W] (any size) painted one pixel wide outside of it."""
    height, width = photo.shape[:2]
    reduced = shrink_map(mask.astype(np.float32), max(height, width))
    fitted = np.asarray(Image.fromarray(reduced).resize((width, height), Image.Resampling.BILINEAR)) > 0.5
    grown = np.pad(fitted, 1)
    around = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
    painted = photo.copy()
    painted[around & ~fitted] = colour
    return painted


def content_box(images: Sequence[UInt8], keep: Sequence[Box] = (), tolerance: int = 10, room: float = 0.06) -> Box:
    """The box around what stands out from a plain margin in any of ``images`` (all of one size [H, W, 3]).

    It holds the boxes ``keep``, has the photo's proportions and some room, and is the whole photo where the margin
    is not plain.
    """
    height, width = images[0].shape[:2]
    step = max(1, max(height, width) // 1000)  # a coarse look is enough, and large photos are many bytes
    busy = np.zeros((-(-height // step), -(-width // step)), bool)
    for image in (image[::step, ::step] for image in images):
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        middle = np.median(border, axis=0).astype(np.int16)
        busy |= (np.abs(image.astype(np.int16) - middle) > tolerance).any(axis=2)
    for x0, y0, x1, y1 in keep:
        busy[y0 // step : -(-y1 // step), x0 // step : -(-x1 // step)] = True
    rows, columns = step * np.flatnonzero(busy.any(axis=1)), step * np.flatnonzero(busy.any(axis=0))
    if not rows.size:
        return 0, 0, width, height
    share = max((rows[-1] + step - rows[0]) / height, (columns[-1] + step - columns[0]) / width) + 2 * room
    box_height, box_width = round(min(share, 1.0) * height), round(min(share, 1.0) * width)
    top = int(np.clip((rows[0] + rows[-1] + step - box_height) // 2, 0, height - box_height))
    left = int(np.clip((columns[0] + columns[-1] + step - box_width) // 2, 0, width - box_width))
    return left, top, left + box_width, top + box_height


def crop_square(image: UInt8, bbox: Box, side: int, least: int = 48) -> UInt8:
    """The square around ``bbox`` (x0, y0, x1, y1), twice its size and at least ``least`` px, resized to ``side`` px."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = bbox
    size = min(max(2 * (x1 - x0), 2 * (y1 - y0), least), height, width)
    left = int(np.clip((x0 + x1 - size) // 2, 0, width - size))
    top = int(np.clip((y0 + y1 - size) // 2, 0, height - size))
    part = Image.fromarray(image[top : top + size, left : left + size])
    return np.asarray(part.resize((side, side), Image.Resampling.LANCZOS))


def data_uri(image: UInt8, most: int = 20_000) -> str:
    """``image`` [H, W, 3] as a JPEG ``data:`` address; its quality falls, in steps, until it has ``most`` bytes."""
    for quality in (85, 70, 50, 30, 10):
        memory = io.BytesIO()
        Image.fromarray(image).save(memory, format="JPEG", quality=quality, optimize=True)
        if memory.tell() <= most:
            break
    return _JPEG + base64.b64encode(memory.getvalue()).decode("ascii")


def from_data_uri(address: str) -> UInt8:
    """The picture [H, W, 3] of an address that :func:`data_uri` made."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.removeprefix(_JPEG)))))
