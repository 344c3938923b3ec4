"""Starts for a photo on a table, whatever was taken for its outline: every template is laid everywhere.

On stripes, grain and shadows what GrabCut tells apart is often not the object, and then its middle, size and outline
lead nowhere. Here nothing is told apart: small pictures of the object from all around, in a few sizes and rolls, are
compared with the photo as it is at all places at once, by correlations. What counts is how well the colours under a
picture agree (normalized correlation under its mask, so that any light will do), and how well the directions of edges
do, as in LINEMOD (Hinterstoisser et al., "Gradient response maps", PAMI 2012): colours find what is unlike the table,
edges what has its colour. Turns about the line of sight are limited to those of the training views around, since on a
table nothing stands on its head.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.pose.descriptors import rotation_between
from paad.pose.query import QueryImage
from paad.pose.templates import Templates
from paad.render.threads import threads
from paad.types import Float32, Float64

_FINER = ((20.0, 2500), (28.0, 600), (40.0, None))
"""Size of the object, pixels, and how many of its pictures are then looked at more closely; all of them at first."""
_DRAWN_PX = 72
_GAUSSIANS = 8000
_ROLLS_DEG = (-12.0, 0.0, 12.0)
_LARGER = (0.8, 0.9, 1.0, 1.12, 1.26)
_EDGES = np.float32(3.0)
"""Weight of the edges' agreement beside that of the colours."""
BEST_AGREEMENT = 1.0 + float(_EDGES)
_CLEAR_EDGE, _FAINT_EDGE = np.float32(0.04), np.float32(0.01)
"""Slopes of colour, a pixel, from which on an edge counts fully and below which not at all."""
_DARK = 0.4
_AT_ONCE = 64
_OF_EACH = 2


@dataclass(frozen=True)
class _Layer:
    """A template, turned by ``roll`` radians and drawn ``larger`` than from the usual distance."""

    template: int
    roll: float
    larger: float


def poses_anywhere(field: Field, templates: Templates, query: QueryImage, count: int) -> list[Float64]:
    """The ``count`` best starts [4, 4], best first, at most two of each template.

    Args:
        field: the object.
        templates: its views from all around.
        query: whose object had to be told from its surroundings; none are found for others.
        count: how many to return.
    """
    if query.photo is None:
        return []
    drawn, focal = _drawn(field, templates)
    layers = [
        _Layer(i, float(roll) + math.radians(aside), larger)
        for i, roll in enumerate(templates.rolls)
        for aside in _ROLLS_DEG
        for larger in _LARGER
    ]
    places = np.zeros((0, 2))
    for object_px, kept in _FINER:
        scores, places = _laid(field, query, drawn, focal, layers, object_px)
        best = np.argsort(-scores, kind="stable")[:kept]
        layers, places = [layers[k] for k in best], places[best]
    used: Counter[int] = Counter()
    out: list[Float64] = []
    for layer, place in zip(layers, places, strict=True):
        used[layer.template] += 1
        if used[layer.template] <= _OF_EACH and len(out) < count:
            out.append(_pose(field, templates.poses[layer.template], layer, place, query.camera))
    return out


def _drawn(field: Field, templates: Templates) -> tuple[Float32, float]:
    """Pictures [N, S, S, 4] of the templates, premultiplied colour and alpha, and their focal length in pixels."""
    field = field.decimated(_GAUSSIANS)
    focal = 0.5 * _DRAWN_PX / math.tan(math.asin(min(0.95, field.radius / field.distance)))
    camera = Camera(_DRAWN_PX, _DRAWN_PX, focal, focal, 0.5 * _DRAWN_PX, 0.5 * _DRAWN_PX)
    out = np.empty((len(templates.poses), _DRAWN_PX, _DRAWN_PX, 4), np.float32)
    for picture, pose in zip(out, templates.poses, strict=True):
        colour, alpha, _ = field.draw(pose, camera)
        picture[..., :3] = np.clip(colour - (1.0 - alpha)[..., None] * field.background, 0.0, alpha[..., None])
        picture[..., 3] = alpha
    return out, focal


def _laid(
    field: Field, query: QueryImage, drawn: Float32, focal: float, layers: Sequence[_Layer], object_px: float
) -> tuple[Float32, Float64]:
    """How well each of N layers agrees with the photo at best [N], and where its middle then is, pixels [N, 2]."""
    assert query.photo is not None
    unit = object_px * field.distance / (2.0 * field.radius)  # focal length at which the object is so large
    shrink = unit / query.camera.fx
    width, height = (max(8, round(shrink * side)) for side in (query.camera.width, query.camera.height))
    photo = cv2.resize(query.photo, (width, height), interpolation=cv2.INTER_AREA)
    side = 2 * math.ceil(0.5 * object_px * max(_LARGER) + 2)
    size = cv2.getOptimalDFTSize(max(width, height) + side)
    before = side // 2
    photo = cv2.copyMakeBorder(
        photo, before, size - before - height, before, size - before - width, cv2.BORDER_REFLECT_101
    )
    seen = Spectra.of(photo)
    # the window's first pixel, for middles that lie in the photo
    inside = np.zeros((size, size), np.bool_)
    inside[:height, :width] = True
    scores, places = np.empty(len(layers), np.float32), np.empty((len(layers), 2))
    for first in range(0, len(layers), _AT_ONCE):
        some = layers[first : first + _AT_ONCE]
        agreement = np.where(inside, seen.agreement(_pictures(drawn, some, unit / focal, side)), -np.inf)
        best = agreement.reshape(len(some), -1).argmax(axis=1)
        scores[first : first + len(some)] = agreement.reshape(len(some), -1)[np.arange(len(some)), best]
        row, column = np.divmod(best, size)
        places[first : first + len(some)] = np.stack([column, row], axis=1) / [width, height]
    return scores, places * [query.camera.width, query.camera.height]


def _pictures(drawn: Float32, layers: Sequence[_Layer], scale: float, side: int) -> Float32:
    """Pictures [N, side, side, 4] of the layers."""
    out = np.empty((len(layers), side, side, 4), np.float32)
    middle = 0.5 * _DRAWN_PX - 0.5
    for picture, layer in zip(out, layers, strict=True):
        turn = cv2.getRotationMatrix2D((middle, middle), -math.degrees(layer.roll), scale * layer.larger)
        turn[:, 2] += 0.5 * side - 0.5 - middle
        cv2.warpAffine(drawn[layer.template], turn, (side, side), dst=picture, flags=cv2.INTER_LINEAR)
    return out


@dataclass(frozen=True)
class Spectra:
    """A photo [S, S, 3] as spectra: of its colours [3, S, K], of their squares [S, K], of its edges [2, S, K]."""

    colours: NDArray[np.complex64]
    squares: NDArray[np.complex64]
    edges: NDArray[np.complex64]

    @staticmethod
    def of(photo: Float32) -> Spectra:
        planes = np.ascontiguousarray(photo.transpose(2, 0, 1))
        return Spectra(_forward(planes), _forward((planes**2).sum(axis=0)), _forward(edge_directions(photo[None])[0]))

    def agreement(self, pictures: Float32) -> Float32:
        """Of pictures [N, s, s, 4] with the photo, their first pixel at each of its places [N, S, S]."""
        size = len(self.squares)
        shown = Shown.of(pictures)
        area = shown.area[:, None, None]
        colours = np.ascontiguousarray(shown.colours.transpose(0, 3, 1, 2))
        covered = _forward(pictures[..., 3], size).conj()
        alike = _backward(np.einsum("nchk,chk->nhk", _forward(colours, size).conj(), self.colours), size)
        spread = _backward(covered * self.squares, size)
        for plane in self.colours:
            spread -= _backward(covered * plane, size) ** 2 / area
        along = _backward(np.einsum("nchk,chk->nhk", _forward(shown.edges, size).conj(), self.edges), size)
        return shown.agreement(alike, spread, along)


@dataclass(frozen=True)
class Shown:
    """What counts of N pictures [N, s, s, 4] of the object, premultiplied colour and alpha.

    ``colours`` [N, s, s, 3] less their mean, ``energy`` [N] of it; ``edges`` [N, 2, s, s], ``outlined`` [N], their
    lengths' sum; ``area`` [N] in pixels.
    """

    colours: Float32
    energy: Float32
    edges: Float32
    outlined: Float32
    area: Float32

    @staticmethod
    def of(pictures: Float32) -> Shown:
        alpha = pictures[..., 3]
        area = alpha.sum(axis=(1, 2)) + 1e-6
        mean = pictures[..., :3].sum(axis=(1, 2)) / area[:, None]
        off = pictures[..., :3] - mean[:, None, None] * alpha[..., None]
        energy = (off**2 / np.maximum(alpha, 1e-3)[..., None]).sum(axis=(1, 2, 3)) + 1e-6
        ground = np.where(mean.mean(axis=1) < _DARK, 1.0, 0.0).astype(np.float32)  # whatever makes the outline an edge
        edges = edge_directions(pictures[..., :3] + ((1.0 - alpha) * ground[:, None, None])[..., None])
        return Shown(off, energy, edges, np.sqrt((edges**2).sum(axis=1)).sum(axis=(1, 2)) + 1e-6, area)

    def agreement(self, alike: Float32, spread: Float32, along: Float32) -> Float32:
        """From sums over the pictures' pixels, each [N, ...], of ``colours`` times the photo's, of the squares of the
        photo's colours less their mean, and of ``edges`` times the photo's."""
        energy, area, outlined = (
            v.reshape(-1, *(1,) * (alike.ndim - 1)) for v in (self.energy, self.area, self.outlined)
        )
        correlation = alike / np.sqrt(energy * np.maximum(spread, 1e-3 * area))
        out: Float32 = correlation + _EDGES * along / outlined
        return out


def agreement(field: Field, query: QueryImage, cam_from_world: Float64) -> float:
    """How well the field at a pose agrees with the photo as it was taken: correlation of colours and three times edges.

    At most BEST_AGREEMENT. The field's background must be the query's.
    """
    photo = query.image if query.photo is None else query.photo
    colour, alpha, _ = field.draw(cam_from_world, query.camera)
    colour = np.clip(colour - (1.0 - alpha)[..., None] * field.background, 0.0, alpha[..., None])
    shown = Shown.of(np.concatenate([colour, alpha[..., None]], axis=2)[None])
    mean = (photo * alpha[..., None]).sum(axis=(0, 1)) / shown.area[0]
    spread = ((photo - mean) ** 2 * alpha[..., None]).sum()
    along = (shown.edges[0] * edge_directions(photo[None])[0]).sum()
    sums = (np.array([v], np.float32) for v in ((shown.colours[0] * photo).sum(), spread, along))
    return float(shown.agreement(*sums)[0])


def _forward(planes: Float32, size: int | None = None) -> NDArray[np.complex64]:
    from scipy import fft  # takes a tenth of a second to import, and most photos do without

    shape = planes.shape[-2:] if size is None else (size, size)
    out: NDArray[np.complex64] = fft.rfft2(planes, shape, workers=threads())
    return out


def _backward(spectra: NDArray[np.complex64], size: int) -> Float32:
    from scipy import fft

    out: Float32 = fft.irfft2(spectra, (size, size), workers=threads())
    return out


@njit(cache=True)
def edge_directions(pictures: Any) -> Any:
    """Directions of the edges in pictures [N, H, W, 3], modulo half a turn, as vectors [N, 2, H, W] of length 0 to 1.

    Of the channel that changes most; light to dark is as good as dark to light.
    """
    count, height, width = pictures.shape[:3]
    out = np.zeros((count, 2, height, width), np.float32)
    for n in range(count):
        p = pictures[n]
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                square, across, down = np.float32(0.0), np.float32(0.0), np.float32(0.0)
                for c in range(3):
                    right = p[y - 1, x + 1, c] + 2 * p[y, x + 1, c] + p[y + 1, x + 1, c]
                    left = p[y - 1, x - 1, c] + 2 * p[y, x - 1, c] + p[y + 1, x - 1, c]
                    below = p[y + 1, x - 1, c] + 2 * p[y + 1, x, c] + p[y + 1, x + 1, c]
                    above = p[y - 1, x - 1, c] + 2 * p[y - 1, x, c] + p[y - 1, x + 1, c]
                    dx, dy = np.float32(0.125) * (right - left), np.float32(0.125) * (below - above)
                    if dx * dx + dy * dy > square:
                        square, across, down = dx * dx + dy * dy, dx, dy
                slope = np.sqrt(square)
                if slope > _FAINT_EDGE:
                    length = min(np.float32(1.0), slope / _CLEAR_EDGE) / square
                    out[n, 0, y, x] = length * (across * across - down * down)
                    out[n, 1, y, x] = length * 2 * across * down
    return out


def _pose(field: Field, template_pose: Float64, layer: _Layer, place: Float64, camera: Camera) -> Float64:
    """The pose [4, 4] that puts the object's centre at a place of the photo, as large and as rolled as the layer."""
    ray = np.array([(place[0] - camera.cx) / camera.fx, (place[1] - camera.cy) / camera.fy, 1.0])
    ray /= np.linalg.norm(ray)
    c, s = math.cos(layer.roll), math.sin(layer.roll)
    rolled = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    out = np.eye(4)
    out[:3, :3] = rotation_between(np.array([0.0, 0.0, 1.0]), ray) @ rolled @ template_pose[:3, :3]
    out[:3, 3] = ray * field.distance / layer.larger - out[:3, :3] @ field.centre
    return out
