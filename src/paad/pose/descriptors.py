"""Silhouette-centred polar descriptors: shape and colour of a view, apart from its position, distance and roll.

A view is sampled on rings around its silhouette's centroid, at radii in units of the square root of its area, on the
plane through the centroid's viewing ray. A roll of the camera shifts the descriptor along its angle, so that the
correlation over all rolls is one product of Fourier transforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.errors import PoseError
from paad.geometry.camera import Camera
from paad.types import Float32, Float64

RINGS = 9
ANGLES = 64
_REACH = 1.15
"""Radius of the outermost ring over the square root of the silhouette's area."""
_RADII = (np.arange(RINGS) + 0.5) / RINGS * _REACH
_THETA = 2.0 * np.pi * np.arange(ANGLES) / ANGLES


@dataclass(frozen=True)
class PolarView:
    """A described view.

    Attributes:
        rings: float32 [RINGS, ANGLES, 4], premultiplied RGB
            and mask.
        ray: unit viewing direction [3] through the silhouette's centroid, camera coordinates.
        size: square root of the silhouette's area over the focal length (tangent of an angle, about).
    """

    rings: Float32
    ray: Float64
    size: float


def rotation_between(a: NDArray[np.floating], b: NDArray[np.floating]) -> Float64:
    """The smallest rotation [3, 3] that takes the unit vector ``a`` to ``b`` (not defined for opposite vectors)."""
    v, c = np.cross(a, b), float(np.dot(a, b))
    k = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    out: Float64 = np.eye(3) + k + k @ k / (1.0 + c)
    return out


def describe(
    image: Float32, mask: Float32, camera: Camera, shift: tuple[float, float] = (0.0, 0.0), larger: float = 1.0
) -> PolarView:
    """Describe a view: RGB [H, W, 3] and mask [H, W] in [0, 1], float32, seen by ``camera``.

    ``shift``, ``larger``: as if the whole silhouette, of which a part is missing, had its centroid aside by so much, in
    units of the mask's size, and were so much larger than the mask.

    Raises:
        PoseError: the mask is empty.
    """
    weight = np.clip(mask, 0.0, 1.0)
    area = float(weight.sum())
    if area < 4.0:
        raise PoseError("no object to be seen: the mask is empty")
    columns, rows = np.arange(mask.shape[1]) + 0.5, np.arange(mask.shape[0]) + 0.5
    centroid = np.array([[weight.sum(axis=0) @ columns, weight.sum(axis=1) @ rows]]) / area
    centroid += np.sqrt(area) * np.array(shift)
    ray = camera.rays(centroid)[0]
    focal = float(np.sqrt(camera.fx * camera.fy))
    # the area as seen by a camera that looks along the ray: off-axis, a picture stretches by 1 / cos³
    size = larger * float(np.sqrt(area * ray[2] ** 3)) / focal
    layers = np.dstack([image * weight[..., None], weight])
    # one ring is this many pixels wide; shrink so that sampling does not alias
    shrink = min(1.0, 1.5 / max(1e-6, size * focal * _REACH / RINGS))
    if shrink < 0.7:
        small = (max(1, round(mask.shape[1] * shrink)), max(1, round(mask.shape[0] * shrink)))
        layers = cv2.resize(layers, small, interpolation=cv2.INTER_AREA)
        camera = camera.resized(*small)
    radii = _RADII[:, None] * size
    plane = (
        np.stack([radii * np.cos(_THETA), radii * np.sin(_THETA), np.ones((RINGS, ANGLES))], axis=-1)
        @ rotation_between(np.array([0.0, 0.0, 1.0]), ray).T
    )
    z = np.maximum(plane[..., 2], 1e-6)
    u = (camera.fx * plane[..., 0] / z + camera.cx - 0.5).astype(np.float32)
    v = (camera.fy * plane[..., 1] / z + camera.cy - 0.5).astype(np.float32)
    rings = cv2.remap(layers, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return PolarView(rings.astype(np.float32), ray, size)


@dataclass(frozen=True)
class Hypothesis:
    """A guess: which template, rolled by ``roll`` radians, and the mean squared difference of the descriptors."""

    template: int
    roll: float
    distance: float


RING_WEIGHTS = (_RADII / _RADII.sum()).astype(np.float32)[:, None, None]


@dataclass(frozen=True)
class Spectra:
    """Descriptors as :func:`match` needs them.

    Attributes:
        conjugate: complex64 [N, RINGS, ANGLES // 2 + 1, 4], their Fourier transforms along the angle.
        conjugate_squares: complex64 [N, RINGS, ANGLES // 2 + 1], those of each place's square.
        squares: float32 [N], their weighted squares.
    """

    conjugate: NDArray[np.complex64]
    conjugate_squares: NDArray[np.complex64]
    squares: Float32


def spectra_of(rings: NDArray[np.uint8]) -> Spectra:
    """Spectra of descriptors times 255, uint8 [N, RINGS, ANGLES, 4]."""
    t = rings.astype(np.float32) / np.float32(255.0)
    # einsum's own loops: a BLAS adds in an order that depends on its threads, and so would the pose's last digits
    squares = np.einsum("nrac,nrac->nra", t, t)
    spectra, of_squares = (np.fft.rfft(values, axis=2).conj().astype(np.complex64) for values in (t, squares))
    return Spectra(spectra, of_squares, (np.einsum("nra->nr", squares) * RING_WEIGHTS[:, 0, 0]).sum(axis=1))


def match(query: Float32, templates: Spectra, count: int, missing: float = 1.0) -> list[Hypothesis]:
    """The ``count`` best pairs of template and roll, at most two rolls to a template, best first.

    Args:
        query: rings [RINGS, ANGLES, 4].
        templates: what is compared with.
        count: how many to return.
        missing: how much it counts where a template shows the object and the query does not.
    """
    fq = np.fft.rfft(query * RING_WEIGHTS, axis=1).astype(np.complex64)
    correlation = np.fft.irfft(np.einsum("rkc,nrkc->nk", fq, templates.conjugate), n=ANGLES, axis=1)
    distance = float((query * query * RING_WEIGHTS).sum()) + missing * templates.squares[:, None] - 2.0 * correlation
    if missing != 1.0:
        shown = np.fft.rfft(query[..., 3] * RING_WEIGHTS[..., 0], axis=1).astype(np.complex64)
        under = np.einsum("rk,nrk->nk", shown, templates.conjugate_squares)
        distance += (1.0 - missing) * np.fft.irfft(under, n=ANGLES, axis=1)
    distance = distance / ANGLES
    lower = (distance <= np.roll(distance, 1, axis=1)) & (distance <= np.roll(distance, -1, axis=1))
    ranked = np.where(lower, distance, np.inf)
    out: list[Hypothesis] = []
    used: dict[int, int] = {}
    for flat in np.argsort(ranked, axis=None):
        if len(out) == count:
            break
        n, shift = divmod(int(flat), ANGLES)
        if used.get(n, 0) < 2 and np.isfinite(ranked[n, shift]):
            used[n] = used.get(n, 0) + 1
            # a parabola through the neighbours gives the roll to a fraction of a step
            left, mid, right = distance[n, shift - 1], distance[n, shift], distance[n, (shift + 1) % ANGLES]
            bend = left - 2 * mid + right
            offset = 0.5 * (left - right) / bend if bend > 1e-12 else 0.0
            out.append(Hypothesis(n, float(2 * np.pi * (shift + offset) / ANGLES), float(mid)))
    return out
