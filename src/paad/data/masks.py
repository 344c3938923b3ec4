"""Object masks: read from files, or estimated from a plain background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.data.images import PIXEL_LIMIT, load_image
from paad.errors import DataError
from paad.types import Bool, Float32, UInt8

_NOISE_FLOOR = np.float32(0.35)  # Lab units: an eighth of a just noticeable difference, one grey level of 8 bits
_CUT_PX = 320  # longer side of the picture that GrabCut sees
_ONE_COLOUR = 8  # levels of 255 that a picture spans at least if there is something to be told apart
BINS = 16
_BRIGHTNESSES = (0.6, 0.8, 1.0, 1.25)
"""Of the light that a photo may be under, beside the usual."""
_SIGMAS = 4.5  # a pixel of pure noise is farther away once in 5,000 (chi, 3 degrees of freedom)
_RINGING = np.float32(0.12)  # near a strong edge, less than this share of it may be JPEG's ringing
_SHADOW_DEEPEST = 0.35  # of the background's lightness; deeper shadows are rarely soft
_SHADOW_OPEN = 0.3  # share of a shadow's outline that borders on plain background
_SHADOW_SLOPE = 0.12  # share of its depth that a shadow falls in a pixel of 400; a sharp outline is twice as steep


@dataclass(frozen=True)
class MaskEstimate:
    """An object mask taken from the background's colour.

    Attributes:
        mask: float32 [H, W] in [0, 1], 1 on the object.
        confidence: in [0, 1]; below 0.5 the background is not plain enough to be trusted.
        background: RGB [3] in [0, 1], the median of the border.
        spread: standard deviation of the border in its most varied channel, in [0, 1].
    """

    mask: Float32
    confidence: float
    background: Float32
    spread: float


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
    surface, noise, plain = _background_surface(lab)
    lab = np.stack(cv2.split(lab))
    difference = lab - surface
    far = _length(difference, np.maximum(noise, _NOISE_FLOOR))
    found = far > _SIGMAS
    if float(noise.max()) > _NOISE_FLOOR:
        difference = np.stack([cv2.medianBlur(plane, 5) for plane in difference])
        noise = _spread(_border(difference.transpose(1, 2, 0)))
        found |= _length(difference, np.maximum(noise, _NOISE_FLOOR)) > _SIGMAS
    mask = np.zeros(found.shape, np.float32)
    confidence = 0.0
    x, y, w, h = cv2.boundingRect(found.view(np.uint8))
    if w and h:
        box = (slice(max(0, y - 2), y + h + 2), slice(max(0, x - 2), x + w + 2))
        found, far, difference = found[box], far[box], difference[:, box[0], box[1]]
        found &= ~_ringing(difference, far, found, np.maximum(noise, _NOISE_FLOOR))
        found &= ~_shadow(difference, lab[0][box] - difference[0], noise, found, min(mask.shape))
        found = _without_specks(found, far > 2.0 * _SIGMAS, mask.size)
        mask[box] = _soft_edge(found, far)
        confidence = _confidence(found, far, noise) * _ramp(plain, 0.5, 0.85) * _plausible_area(mask)
    border = _border(image).astype(np.float32) / np.float32(255.0)
    return MaskEstimate(mask, confidence, np.median(border, axis=0), float(border.std(axis=0).max()))


def cut_out(image: UInt8) -> Float32:
    """Object mask [H, W] in [0, 1] of a photo, uint8 [H, W, 3], whose background is not plain; zero where it fails.

    Colours of object and surroundings are told apart by GrabCut (Rother et al., SIGGRAPH 2004), which starts from
    :func:`estimate_mask` or, where that finds next to nothing or nearly all, from the middle of the picture. The border
    is taken for surroundings, and the largest connected piece for the object.

    Raises:
        DataError: the image is not uint8 [H, W, 3], or is smaller than 16x16 pixels.
    """
    guess = estimate_mask(image).mask > 0.5
    if not 0.01 < guess.mean() < 0.7:
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        h, w = image.shape[:2]
        guess = np.hypot((y - 0.5 * h) / (0.36 * h), (x - 0.5 * w) / (0.36 * w)) < 1.0
    return grab_cut(image, guess)


def grab_cut(image: UInt8, guess: Bool, within: Bool | None = None, surely: Bool | None = None) -> Float32:
    """Mask [H, W] in [0, 1] of the largest connected piece that GrabCut makes of a ``guess`` [H, W].

    The border of the photo, uint8 [H, W, 3], is taken for surroundings, or what is not ``within`` [H, W]; what is
    ``surely`` [H, W] of the object stays so, and each piece that holds some of it.
    """
    scale = min(1.0, _CUT_PX / max(image.shape[:2]))
    height, width = (max(16, round(n * scale)) for n in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if np.ptp(small.reshape(-1, 3), axis=0).max() < _ONE_COLOUR:  # GrabCut takes minutes to cut what is all alike
        return np.zeros(image.shape[:2], np.float32)

    def reduced(which: Bool) -> Bool:
        return np.asarray(cv2.resize(which.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0)

    marks = np.where(reduced(guess), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if within is not None:
        marks[~reduced(within)] = cv2.GC_BGD
    else:
        edge = max(2, round(0.04 * min(height, width)))
        for side in (np.s_[:edge], np.s_[-edge:], np.s_[:, :edge], np.s_[:, -edge:]):
            marks[side] = cv2.GC_BGD
    if surely is not None:
        marks[reduced(surely)] = cv2.GC_FGD
    if not (marks == cv2.GC_PR_FGD).any() or (marks == cv2.GC_PR_FGD).all():
        return np.zeros(image.shape[:2], np.float32)
    cv2.setRNGSeed(0)  # of the clustering of colours
    cv2.grabCut(small, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    if count < 2:
        return np.zeros(image.shape[:2], np.float32)
    kept = np.arange(count) == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    if surely is not None:
        kept[labels[reduced(surely)]] = True
    kept[0] = False
    found = kept[labels].astype(np.float32)
    out: Float32 = cv2.resize(cv2.GaussianBlur(found, (0, 0), 0.7), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return out


def coloured_as(image: UInt8, own: UInt8) -> Float32:
    """Mask [H, W] in [0, 1] of where a photo, uint8 [H, W, 3], shows colours that are likelier the object's ``own``.

    Histograms of ``own`` [N, 3], at a few brightnesses, and of the picture's border; a Bayes decision at each pixel
    from its neighbourhood. Where object and surroundings share colours it is speckled, but unlike :func:`cut_out` it
    neither loses a thin part nor takes one stripe of a table for the object.
    """
    factors = np.array(_BRIGHTNESSES, np.float32)[:, None, None]
    lit = np.clip(own.astype(np.float32)[None] * factors, 0, 255).astype(np.uint8).reshape(-1, 3)
    h, w = image.shape[:2]
    rim = max(2, round(0.1 * min(h, w)))
    inner = np.zeros((h, w), np.bool_)
    inner[rim : h - rim, rim : w - rim] = True
    ratio = colour_densities(lit) / colour_densities(image[~inner])
    small = image // np.uint8(256 // BINS)
    log = np.log(ratio)[small[..., 0], small[..., 1], small[..., 2]]
    smooth = cv2.GaussianBlur(log.astype(np.float32), (0, 0), max(1.0, 0.01 * min(h, w)))
    out: Float32 = cv2.GaussianBlur(((smooth > 0.0) & inner).astype(np.float32), (0, 0), 0.7)
    return out


def colour_densities(colours: UInt8) -> Float32:
    """Densities [BINS, BINS, BINS] of RGB colours [N, 3], smoothed, never zero."""
    cells = (colours.reshape(-1, 3) // np.uint8(256 // BINS)).astype(np.int64)
    flat = np.bincount((cells[:, 0] * BINS + cells[:, 1]) * BINS + cells[:, 2], minlength=BINS**3)
    counts: Float32 = (flat.reshape((BINS,) * 3) / max(1, len(cells))).astype(np.float32)
    for axis in range(3):
        counts = _smoothed(counts, axis)
    out: Float32 = counts + np.float32(0.1 / BINS**3)
    return out


def _smoothed(counts: Float32, axis: int) -> Float32:
    """Neighbours along ``axis`` weighed 1, 2, 1."""
    pad = [(0, 0)] * 3
    pad[axis] = (1, 1)
    padded = np.moveaxis(np.pad(counts, pad, mode="edge"), axis, 0)
    out: Float32 = np.moveaxis(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:], 0, axis)
    return out


def _border(array: NDArray[Any]) -> NDArray[Any]:
    """About 2,000 pixels [N, C] of the outermost 2 % of [H, W, C], at least 2 pixels wide."""
    m = max(2, round(0.02 * min(array.shape[:2])))
    parts = (array[:m], array[-m:], array[m:-m, :m], array[m:-m, -m:])
    border = np.concatenate([part.reshape(-1, array.shape[2]) for part in parts])
    return border[:: max(1, len(border) // 2000)]


def _square(side: int) -> UInt8:
    return np.ones((side, side), np.uint8)


def _spread(values: Float32) -> Float32:
    """Robust standard deviation of each column of [N, C] about zero."""
    return np.asarray(1.4826 * np.median(np.abs(values), axis=0), np.float32)


def _length(difference: Float32, noise: Float32) -> Float32:
    """Length [H, W] of ``difference`` [3, H, W] in units of ``noise`` [3]."""
    # not cv2.magnitude: its last digit depends on where in memory the planes happen to lie
    square = np.zeros(difference.shape[1:], np.float32)
    for plane, n in zip(difference, noise, strict=True):
        scaled = plane * np.float32(1.0 / float(n))
        square += np.multiply(scaled, scaled, out=scaled)
    return np.sqrt(square, out=square)


def _background_surface(lab: Float32) -> tuple[Float32, Float32, float]:
    """The background's Lab colour ([3, 1, 1], or [3, H, W] where it is not constant), its noise [3], and the share of
    the border that belongs to it. Outliers (an object that crosses the border) are left out of the fit."""
    samples = _border(lab)
    colour = np.median(samples, axis=0).astype(np.float32)
    noise = _spread(samples - colour)
    if float(noise.max()) <= 2 * _NOISE_FLOOR:
        inside = np.linalg.norm((samples - colour) / np.maximum(noise, _NOISE_FLOOR), axis=1) < _SIGMAS
        return colour[:, None, None], _heavier(noise, samples[inside] - colour), float(inside.mean())
    height, width = lab.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    grid = np.stack(np.broadcast_arrays(y[:, None], x[None]), axis=-1)
    v, u = _border(grid).T
    basis = np.stack([np.ones_like(u), u, u * u, v, v * v, u * v], axis=-1)
    inside = np.ones(len(samples), bool)
    for _ in range(4):
        # Normal equations: six well-scaled unknowns.
        some = basis[inside]
        weights = np.linalg.solve(some.T @ some + 1e-3 * np.eye(6, dtype=np.float32), some.T @ samples[inside])
        residual = samples - basis @ weights
        noise = _spread(residual)
        inside = np.linalg.norm(residual / np.maximum(noise, _NOISE_FLOOR), axis=1) < _SIGMAS
    # In the middle of the picture the fit extrapolates: keep it near what the border shows.
    low, high = samples[inside].min(axis=0) - 5.0, samples[inside].max(axis=0) + 5.0
    planes = []
    for c, (one, u1, u2, v1, v2, uv) in enumerate(weights.T):
        plane = (one + u1 * x + u2 * x * x)[None] + (v1 * y + v2 * y * y)[:, None] + (uv * y)[:, None] * x
        planes.append(cv2.min(cv2.max(plane.astype(np.float32), float(low[c])), float(high[c])))
    return np.stack(planes), _heavier(noise, residual[inside]), float(inside.mean())


def _heavier(noise: Float32, residual: Float32) -> Float32:
    """The robust noise [3], or the standard deviation of what lies inside where its tails are heavier (JPEG)."""
    return np.maximum(noise, residual.std(axis=0)).astype(np.float32) if len(residual) else noise


def _ringing(difference: Float32, far: Float32, found: Bool, noise: Float32) -> Bool:
    """Pixels of ``found`` that are JPEG's ringing beside a strong edge: weak, and without a colour of their own, for
    ringing swings about the background while a pale part of the object differs from it in one direction."""
    weak = far < _RINGING * cv2.dilate(far, _square(17))
    if not (weak & found).any():
        return np.zeros_like(found)
    share = weak.astype(np.float32)
    count = np.maximum(cv2.blur(share, (7, 7)), 1e-6)
    mean = np.stack([cv2.blur(plane * share, (7, 7)) / count for plane in difference])
    return np.asarray(weak & (_length(mean, noise) < _SIGMAS))


def _shadow(difference: Float32, background: Float32, noise: Float32, found: Bool, side: int) -> Bool:
    """Pixels of ``found`` that are a soft cast shadow; bool [H, W]. ``side``: the whole picture's shorter side.

    A shadow is the background with less light: darker, not more colourful, nowhere steep, and it borders on plain
    background along a good part of its outline without a step. ``background`` is the background's lightness.
    """
    fall = -difference[0]
    shift = cv2.max(np.abs(difference[1]), np.abs(difference[2]))
    neutral = found & (fall > 0) & (fall < _SHADOW_DEEPEST * background) & (shift < 2.0 + 3.0 * noise[1:].max())
    nothing = np.zeros_like(found)
    smallest = 2e-4 * side * side
    if neutral.sum() < smallest:
        return nothing
    blur = 1.5 * side / 400.0
    smooth = cv2.GaussianBlur(fall, (0, 0), blur)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *axes, scale=0.125) for axes in ((1, 0), (0, 1)))
    slope = np.sqrt(across * across + down * down)
    depth = cv2.dilate(smooth, _square(2 * round(3.0 * blur) + 1))
    gentle = neutral & (slope < _SHADOW_SLOPE * 400.0 / side * depth + noise[0] / 6.0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(gentle.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= smallest
    large[0] = False
    if not large.any():
        return nothing
    labels = labels.astype(np.float32)
    around = np.where(gentle, np.float32(0.0), cv2.dilate(labels, _square(3)))
    outline = np.bincount(around[around > 0].astype(np.int32), minlength=count)
    open_ground = np.bincount(around[(around > 0) & ~found].astype(np.int32), minlength=count)
    shadow = (large & (open_ground > _SHADOW_OPEN * outline))[labels.astype(np.int32)]
    if not shadow.any():
        return nothing
    # The slope was measured on a blurred image: take back the strip of shadow along the object, where it is as dark.
    near = cv2.blur(shadow.astype(np.float32), (9, 9))
    level = cv2.blur(np.where(shadow, fall, np.float32(0.0)), (9, 9)) / np.maximum(near, 1e-6)
    return np.asarray(shadow | (neutral & (near > 0) & (np.abs(fall - level) < 3.0 + 3.0 * noise[0])))


def _without_specks(found: Bool, strong: Bool, picture: int) -> Bool:
    """Drop pieces and close holes of a few pixels, and larger pieces that are weak all over: noise makes such.

    ``picture``: the number of pixels of the whole picture; 4 pixels are few in one of 400x400.
    """
    few = max(4, round(2.5e-5 * picture))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found.view(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    has_strong = np.zeros(count, bool)
    has_strong[labels[found & strong]] = True
    keep = (area >= few) & (has_strong | (area >= 40 * few))
    keep[0] = False
    found = keep[labels]
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~found).view(np.uint8), connectivity=4)
    hole = stats[:, cv2.CC_STAT_AREA] < few
    hole[0] = False
    return np.asarray(found | hole[labels])


def _soft_edge(found: Bool, far: Float32) -> Float32:
    """1 inside; at the outline the pixel's distance from the background as a share of its neighbourhood's."""
    core = cv2.erode(found.astype(np.uint8), _square(3)) > 0
    share = cv2.min(far / np.maximum(cv2.dilate(far, _square(3)), 1e-6), 1.0)
    return np.where(core, np.float32(1.0), np.where(found, share, np.float32(0.0))).astype(np.float32)


def _confidence(found: Bool, far: Float32, noise: Float32) -> float:
    """In [0, 1]: falls with the noise, and with the share of the outline that hardly differs from the background."""
    outline = found & (cv2.erode(found.astype(np.uint8), _square(3)) == 0)
    if not outline.any():
        return 0.0
    contrast = cv2.dilate(far, _square(5))[outline]
    return _ramp(float(np.linalg.norm(noise)), 9.0, 4.0) * float((contrast > 2.0 * _SIGMAS).mean())


def _plausible_area(mask: Float32) -> float:
    area = float(mask.mean())
    return _ramp(area, 0.95, 0.8) * _ramp(area, 0.0, 4e-4)


def _ramp(value: float, zero: float, one: float) -> float:
    """0 at ``zero`` and beyond, 1 at ``one`` and beyond, linear between."""
    return min(1.0, max(0.0, (value - zero) / (one - zero)))
