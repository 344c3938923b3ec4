"""Object masks: read from files, or estimated from a plain background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from paad.data.images import PIXEL_LIMIT, load_image
from paad.errors import DataError
from paad.types import Bool, Float32, Float64, UInt8

_NOISE_FLOOR = np.float32(0.35)  # Lab units: an eighth of a just noticeable difference, one grey level of 8 bits
_SIGMAS = 4.5  # a pixel of pure noise is farther away once in 5,000 (chi, 3 degrees of freedom)
_RINGING = np.float32(0.04)  # within a JPEG block of a strong edge, less than this share of it is ringing
_SHADOW_DEEPEST = 0.35  # of the background's lightness; deeper shadows are rarely soft
_SHADOW_OPEN = 0.3  # share of a shadow's outline that borders on plain background
_SHADOW_SLOPE = 1.2  # Lab lightness a pixel in an image of 400 pixels; the outline of an object is steeper


@dataclass(frozen=True)
class MaskEstimate:
    """An object mask taken from the background's colour.

    Attributes:
        mask: float32 [H, W] in [0, 1], 1 on the object.
        confidence: in [0, 1]; below 0.5 the background is not plain enough to be trusted.
        background: RGB [3] in [0, 1], the median of the border.
    """

    mask: Float32
    confidence: float
    background: Float32


def read_mask(path: Path) -> UInt8:
    """A mask file as uint8 [H, W], 255 on the object. Values of at most 127 all over are class numbers: 0 or not.

    Raises:
        DataError: the file is missing or damaged.
    """
    image = load_image(path, max_pixels=PIXEL_LIMIT)
    values = image[..., :3].max(axis=2)
    if image.shape[2] == 4:
        # A drawing tool's mask may be opaque on a transparent ground, in any colour, black included.
        values = image[..., 3] if int(values.max()) == 0 else np.minimum(values, image[..., 3])
    if int(values.max(initial=0)) <= 127:
        return np.where(values > 0, 255, 0).astype(np.uint8)
    return np.ascontiguousarray(values)


def estimate_mask(image: UInt8) -> MaskEstimate:
    """Object mask of a photo, uint8 [H, W, 3], whose background is plain.

    The background is a constant, or a surface of second order (vignetting, uneven light), fitted robustly to a ring
    along the border, in CIE Lab. A pixel is of the object where it is farther from that surface than the ring's own
    noise allows, raw (thin parts) or after a median (pale parts). What shows the background's colour is background,
    holes too, so parts in exactly that colour are lost. Neutral, soft-edged darkening that runs out into the
    background is taken for a cast shadow and left out; grey parts stay because their outline is steep. Pieces and
    holes of a few pixels are dropped. At the outline the mask is the share of the pixel that the object covers.

    ``confidence`` falls with noise, with the share of the border that is not background, with a mask that is empty
    or fills the picture, and with the share of the outline that hardly differs from the background.

    Raises:
        DataError: the image is not uint8 [H, W, 3], or is smaller than 16x16 pixels.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or min(image.shape[:2]) < 16:
        raise DataError(
            f"image is {image.dtype} {list(image.shape)}; it must be uint8 [H, W, 3], at least 16x16 pixels"
        )
    lab = cv2.cvtColor(image.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2Lab)
    ring = _border_ring(*image.shape[:2])
    surface, noise, plain = _background_surface(lab, ring)
    difference = lab - surface
    far = _distance(difference, np.maximum(noise, _NOISE_FLOOR))
    found = far > _SIGMAS
    if float(noise.max()) > _NOISE_FLOOR:
        calm = cv2.medianBlur(difference, 5)
        calm_noise = _spread(calm[ring])
        found |= _distance(calm, np.maximum(calm_noise, _NOISE_FLOOR)) > _SIGMAS
    found &= far > _RINGING * cv2.dilate(far, np.ones((9, 9), np.uint8))
    found &= ~_shadow(difference, lab[..., 0] - difference[..., 0], noise, found)
    found = _without_specks(found)
    background = np.median(image[ring], axis=0).astype(np.float32) / np.float32(255.0)
    return MaskEstimate(_soft_edge(found, far), _confidence(found, far, noise, plain), background)


def _border_ring(height: int, width: int) -> Bool:
    """The outermost 2 % of the picture, at least 2 pixels wide; bool [H, W]."""
    ring = np.ones((height, width), bool)
    margin = max(2, round(0.02 * min(height, width)))
    ring[margin:-margin, margin:-margin] = False
    return ring


def _spread(values: Float32) -> Float32:
    """Robust standard deviation of each column of [N, C] about zero."""
    return np.asarray(1.4826 * np.median(np.abs(values), axis=0), np.float32)


def _distance(difference: Float32, noise: Float32) -> Float32:
    """Length of ``difference`` [..., 3] in units of ``noise`` [3]."""
    scaled = difference * (np.float32(1.0) / noise)
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", scaled, scaled)), np.float32)


def _background_surface(lab: Float32, ring: Bool) -> tuple[Float32, Float32, float]:
    """The background's Lab colour ([3], or [H, W, 3] where it is not constant), its noise [3], and the share of the
    ring that belongs to it. Outliers (an object that crosses the border) are left out of the fit."""
    height, width = ring.shape
    rows, columns = np.nonzero(ring)
    step = max(1, len(rows) // 4000)
    rows, columns = rows[::step], columns[::step]
    samples = lab[rows, columns]
    colour = np.median(samples, axis=0).astype(np.float32)
    noise = _spread(samples - colour)
    if float(noise.max()) > 2 * _NOISE_FLOOR:
        basis = _quadratic(rows / height, columns / width)
        inside = np.ones(len(rows), bool)
        for _ in range(5):
            weights, *_ = np.linalg.lstsq(basis[inside], samples[inside], rcond=None)
            residual = (samples - basis @ weights).astype(np.float32)
            noise = _spread(residual)
            inside = _distance(residual, np.maximum(noise, _NOISE_FLOOR)) < _SIGMAS
            if inside.sum() < 100:
                break
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        surface = (_quadratic(y / height, x / width) @ weights).astype(np.float32)
        low, high = samples.min(axis=0) - 5.0, samples.max(axis=0) + 5.0
        return np.clip(surface, low, high), noise, float(inside.mean())
    inside = _distance(samples - colour, np.maximum(noise, _NOISE_FLOOR)) < _SIGMAS
    return colour, noise, float(inside.mean())


def _quadratic(y: Float64, x: Float64) -> Float64:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _shadow(difference: Float32, background: Float32, noise: Float32, found: Bool) -> Bool:
    """Pixels of ``found`` that are a soft cast shadow; bool [H, W].

    A shadow is the background with less light: darker, not more colourful, nowhere steep, and it borders on plain
    background along a good part of its outline without a step. ``background`` is the background's lightness.
    """
    height, width = found.shape
    fall = -difference[..., 0]
    shift = np.abs(difference[..., 1:]).max(axis=2)
    neutral = found & (fall > 0) & (fall < _SHADOW_DEEPEST * background) & (shift < 2.0 + 3.0 * noise[1:].max())
    if not neutral.any():
        return np.asarray(neutral)
    smooth = cv2.GaussianBlur(fall, (0, 0), 1.5)
    slope = np.hypot(cv2.Sobel(smooth, -1, 1, 0, scale=0.125), cv2.Sobel(smooth, -1, 0, 1, scale=0.125))
    gentle = neutral & (slope < _SHADOW_SLOPE * 400.0 / min(height, width) + noise[0] / 3.0)
    count, labels = cv2.connectedComponents(gentle.astype(np.uint8), connectivity=4)
    around = cv2.dilate(labels.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
    rim = (around > 0) & (labels == 0)
    outline = np.bincount(around[rim], minlength=count)
    open_ground = np.bincount(around[rim & ~found], minlength=count)
    area = np.bincount(labels.ravel(), minlength=count)
    is_shadow = (open_ground > _SHADOW_OPEN * outline) & (area > 2e-4 * height * width)
    is_shadow[0] = False
    shadow = is_shadow[labels]
    if not shadow.any():
        return np.asarray(shadow)
    # The slope was measured on a blurred image: take back the strip of shadow along the object, where it is as dark.
    near = cv2.blur(shadow.astype(np.float32), (9, 9))
    level = cv2.blur(np.where(shadow, fall, np.float32(0.0)), (9, 9)) / np.maximum(near, 1e-6)
    return np.asarray(shadow | (neutral & (near > 0) & (np.abs(fall - level) < 3.0 + 3.0 * noise[0])))


def _without_specks(found: Bool) -> Bool:
    """Drop pieces and close holes that are smaller than noise makes them (4 pixels of a 400x400 picture)."""
    smallest = max(4, round(2.5e-5 * found.size))
    for value, connectivity in ((True, 8), (False, 4)):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            (found == value).astype(np.uint8), connectivity=connectivity, ltype=cv2.CV_32S
        )
        small = stats[:, cv2.CC_STAT_AREA] < smallest
        small[0] = False
        if small.any():
            found = np.where(small[labels], not value, found)
    return found


def _soft_edge(found: Bool, far: Float32) -> Float32:
    """1 inside; at the outline the pixel's distance from the background as a share of its neighbourhood's."""
    square = np.ones((3, 3), np.uint8)
    core = cv2.erode(found.astype(np.uint8), square, borderType=cv2.BORDER_REPLICATE) > 0
    share = np.clip(far / np.maximum(cv2.dilate(far, square), 1e-6), 0.0, 1.0)
    return np.where(core, np.float32(1.0), np.where(found, share, np.float32(0.0))).astype(np.float32)


def _confidence(found: Bool, far: Float32, noise: Float32, plain: float) -> float:
    """Product of what speaks for the mask, each in [0, 1]."""
    area = float(found.mean())
    if area == 0.0:
        return 0.0
    square = np.ones((3, 3), np.uint8)
    outline = found & (cv2.erode(found.astype(np.uint8), square) == 0)
    contrast = cv2.dilate(far, np.ones((5, 5), np.uint8))[outline]
    weak = float((contrast < 2.0 * _SIGMAS).mean())
    quiet = _ramp(float(np.linalg.norm(noise)), 9.0, 4.0)
    return quiet * _ramp(plain, 0.5, 0.85) * _ramp(area, 0.95, 0.8) * _ramp(area, 0.0, 4e-4) * (1.0 - weak)


def _ramp(value: float, zero: float, one: float) -> float:
    """0 at ``zero`` and beyond, 1 at ``one`` and beyond, linear between."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))
