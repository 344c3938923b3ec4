"""Retinex: a photo as reflectance times a smooth illumination, by weighted least squares; nothing is learned.

Land and McCann, "Lightness and retinex theory" (1971): light varies slowly over a picture, paint abruptly. In the
logarithm the two add up, so that small differences between neighbouring pixels are the light's and large ones the
paint's. Horn, "Determining lightness from an image" (1974), integrates the small ones; here the integral is the
solution of a sparse weighted least-squares problem, so that no difference is cut off by a hard threshold.
"""

from __future__ import annotations

import cv2
import numpy as np

from paad.errors import DataError, UsageError
from paad.types import Bool, Float32, Float64

_DARKEST = 1.0 / 64.0
"""Added to a picture before its logarithm: below about this value a photo's noise says more than its light."""
_ACROSS_PAINT = 0.02
"""Least weight, of 'the light does not change' where the paint does: it ties patches of paint together."""
_ANCHOR = 1e-6
"""Weight that keeps the mean of the light's logarithm at zero, which nothing else determines."""


def reflectance(
    image: Float32, mask: Float32 | None = None, contrast: float = 0.12, side: int = 96
) -> tuple[Float32, Float32]:
    """Reflectance [H, W, 3] and illumination [H, W] of a photo; their product is the photo.

    The illumination is the same for the three channels, and its geometric mean over the object is 1: how bright the
    light was and how bright the paint is, a photo alone cannot tell. It is estimated at ``side`` pixels and enlarged,
    so that fine texture always counts as paint.

    Args:
        image: RGB float32 [H, W, 3] in [0, 1].
        mask: object [H, W] in [0, 1]; outside of it the illumination is 1 and the photo is left as it is.
        contrast: difference of logarithms between neighbours (at the reduced size) that is half light, half paint.
        side: longer side, in pixels, at which the illumination is estimated.

    Raises:
        DataError: the image is not RGB, or the mask is of another size.
        UsageError: ``contrast`` or ``side`` is not positive.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"retinex needs an RGB image [H, W, 3], not {image.shape}")
    if mask is not None and mask.shape != image.shape[:2]:
        raise DataError(f"retinex: the mask's size {mask.shape} is not the image's {image.shape[:2]}")
    if contrast <= 0 or side < 2:
        raise UsageError(f"retinex: contrast is {contrast} and side {side}; allowed are > 0 and >= 2")
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    inside = np.ones((height, width), np.float32) if mask is None else mask.astype(np.float32)
    small, there = _reduced(image, inside, size)
    log_light = np.zeros((size[1], size[0]))
    if there.any():
        log_light[there] = _log_illumination(np.log(small.clip(0) + _DARKEST), there, contrast)
    smooth = _enlarged(log_light, there, (width, height))
    smooth = smooth - np.float32((smooth * inside).sum() / max(float(inside.sum()), 1e-6))
    light = np.exp(smooth)
    lit = light if mask is None else 1.0 + inside * (light - 1.0)
    # the same offset as in the logarithm, so that black stays black and dark noise is not blown up
    paint = (image + _DARKEST) / lit[..., None] - _DARKEST
    return np.clip(paint, 0.0, None).astype(np.float32), lit.astype(np.float32)


def _reduced(image: Float32, inside: Float32, size: tuple[int, int]) -> tuple[Float32, Bool]:
    """The object's mean colours at ``size`` (width, height), and which pixels show mostly the object."""
    if (image.shape[1], image.shape[0]) == size:
        return image, inside > 0.5
    weighted = cv2.resize(image * inside[..., None], size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
    return weighted / np.maximum(weight, 1e-6)[..., None], weight > 0.5


def _log_illumination(log_image: Float32, there: Bool, contrast: float) -> Float64:
    """Logarithm of the illumination at the pixels ``there`` [N], up to a constant, of log colours [H, W, 3].

    Minimizes over l the sum over neighbours p, q of max(s, c) (l_q - l_p - s d)², where d is the difference of the
    mean logarithms of the channels and s, the light's share in it, falls from 1 to 0 as the largest difference of a
    channel grows past ``contrast``.
    """
    from scipy.sparse import coo_matrix, identity
    from scipy.sparse.linalg import splu

    number = np.full(there.shape, -1, np.int64)
    number[there] = np.arange(int(there.sum()))
    grey = log_image.mean(axis=2)
    first, second, target, weight = [], [], [], []
    for p, q in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        both = there[p] & there[q]
        difference = np.abs(log_image[q] - log_image[p]).max(axis=2)[both].astype(np.float64)
        share = 1.0 / (1.0 + (difference / contrast) ** 4)
        first.append(number[p][both])
        second.append(number[q][both])
        weight.append(np.maximum(share, _ACROSS_PAINT))
        target.append(share * (grey[q] - grey[p])[both])
    a, b = np.concatenate(first), np.concatenate(second)
    w, d = np.concatenate(weight), np.concatenate(target)
    n = int(there.sum())
    side = np.bincount(b, w * d, n) - np.bincount(a, w * d, n)
    diagonal = np.bincount(a, w, n) + np.bincount(b, w, n)
    rows, columns = np.concatenate([a, b, np.arange(n)]), np.concatenate([b, a, np.arange(n)])
    matrix = coo_matrix((np.concatenate([-w, -w, diagonal]), (rows, columns)), (n, n)).tocsc()
    solved: Float64 = splu(
        (matrix + _ANCHOR * identity(n, format="csc")).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    ).solve(side)
    return solved


def _enlarged(log_light: Float64, there: Bool, size: tuple[int, int]) -> Float32:
    """``log_light`` [h, w] at ``size`` (width, height); pixels outside of the object take their neighbours' mean."""
    values = np.where(there, log_light, 0.0).astype(np.float32)
    known = there.astype(np.float32)
    spread, weight = cv2.blur(values, (5, 5)), cv2.blur(known, (5, 5))
    filled = np.where(there, values, spread / np.maximum(weight, 1e-3))
    out: Float32 = cv2.resize(filled.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return out
