"""Light that differs from photo to photo: what the object's picture under the usual light becomes under a photo's own.

Diffuse light on a surface is a polynomial of degree 2 in its normal (Ramamoorthi and Hanrahan, "An efficient
representation for irradiance environment maps", SIGGRAPH 2001). So a photo is explained as the field's picture times
such a polynomial, plus another for what gloss and haze add; eighteen numbers a channel, by robust least squares. What
a defect changes is too small a share of the picture to bend them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.geometry.depth import surface_normals
from paad.render.splats import Picture
from paad.types import Float32, Float64

TERMS = 9
_OFFSET = 0.3
"""Unit of the added part: as dear as a gain of one third."""
_STIFFNESS = 0.003
_SOLID = 0.95
_MOST_PIXELS, _LEAST_PIXELS = 6000, 100
_ROUNDS = 3
_LEAST_SCALE = 0.004
_RANGE = (0.2, 5.0)


@dataclass(frozen=True)
class Light:
    """A photo's light, relative to the one that the field shows.

    Attributes:
        gain, offset: float32 [9, 3], coefficients in :func:`normal_terms` of what each channel is multiplied by, and
            of what is added.
    """

    gain: Float32
    offset: Float32

    def maps(self, normals: Float32, alpha: Float32) -> tuple[Float32, Float32]:
        """Factor and summand [H, W, 3] at each pixel, from normals [H, W, 3] and coverage [H, W]."""
        gain, offset = np.zeros_like(normals), np.zeros_like(normals)
        for term, a, b in zip(normal_terms(normals), self.gain, self.offset, strict=True):
            gain += term[..., None] * a
            offset += term[..., None] * b
        return np.clip(gain, *_RANGE), offset * alpha[..., None]


def normal_terms(normals: Float32) -> Float32:
    """The nine monomials [9, ...] of degree 2 in unit normals [..., 3]."""
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    terms: Float32 = np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1])
    return terms


def fit_light(colour: Float32, alpha: Float32, normals: Float32, photo: Float32) -> Light | None:
    """The light under which ``colour`` looks like ``photo``; None where too little of the object is seen.

    Args:
        colour, photo: RGB [H, W, 3].
        alpha: the field's coverage [H, W]; what is not solid does not count.
        normals: [H, W, 3], see :func:`paad.geometry.depth.surface_normals`.

    Ridge towards no change, weights by Cauchy's function of the residual (iteratively reweighted).
    """
    solid = np.flatnonzero(alpha.ravel() > _SOLID)
    if len(solid) < _LEAST_PIXELS:
        return None
    chosen = solid[:: max(1, len(solid) // _MOST_PIXELS)]
    terms = normal_terms(normals.reshape(-1, 3)[chosen].astype(np.float64)).T
    drawn, seen = (picture.reshape(-1, 3)[chosen].astype(np.float64) for picture in (colour, photo))
    usual = np.zeros(2 * TERMS)
    usual[0] = 1.0
    columns = []
    for channel in range(3):
        a = np.concatenate([terms * drawn[:, channel, None], _OFFSET * terms], axis=1)
        x = usual
        for _ in range(_ROUNDS):
            off = seen[:, channel] - a @ x
            scale = max(1.5 * float(np.median(np.abs(off))), _LEAST_SCALE)
            weighted = a / (1.0 + (off / scale) ** 2)[:, None]
            matrix = weighted.T @ a
            matrix += _STIFFNESS * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
            x = usual + np.linalg.solve(matrix, weighted.T @ (seen[:, channel] - drawn[:, channel]))
        columns.append(x)
    found = np.stack(columns, axis=1)
    return Light(found[:TERMS].astype(np.float32), (_OFFSET * found[TERMS:]).astype(np.float32))


def light_maps(
    picture: Picture, photo: Float32, camera: Camera, cam_from_world: Float64
) -> tuple[Float32, Float32] | None:
    """What the field's ``picture`` is multiplied by under the light of ``photo``, and what is added: [H, W, 3] each.

    None where too little of the object is seen.
    """
    normals = surface_normals(picture.depth, picture.alpha, camera, cam_from_world)
    light = fit_light(picture.colour, picture.alpha, normals, photo)
    return None if light is None else light.maps(normals, picture.alpha)


def relit(picture: Picture, photo: Float32, camera: Camera, cam_from_world: Float64, background: Float32) -> Float32:
    """The field's ``picture`` over ``background`` [3] under the light of ``photo`` [H, W, 3]: RGB [H, W, 3]."""
    maps = light_maps(picture, photo, camera, cam_from_world)
    if maps is None:
        return picture.colour
    ground = (1.0 - picture.alpha)[..., None] * background
    return ((picture.colour - ground) * maps[0] + maps[1] + ground).astype(np.float32)


def drawn_beside(field: Field, photo: Float32, cam_from_world: Float64, camera: Camera) -> Picture:
    """The field at a pose [4, 4]; where its light moves, under the light of ``photo`` [H, W, 3]."""
    picture = field.draw(cam_from_world, camera)
    if not field.moving_light:
        return picture
    return picture._replace(colour=relit(picture, photo, camera, cam_from_world, field.background))


def explained_by_light(
    picture: Picture, photo: Float32, camera: Camera, cam_from_world: Float64, background: Float32
) -> float | None:
    """Share of the object's squared error in ``picture`` that another light explains; None: too little is seen.

    Errors are blurred first, since no light explains noise.
    """
    solid = picture.alpha > _SOLID
    if solid.sum() < _LEAST_PIXELS:
        return None
    lit = relit(picture, photo, camera, cam_from_world, background)
    before, after = (float((cv2.GaussianBlur(photo - p, (0, 0), 1.5)[solid] ** 2).sum()) for p in (picture.colour, lit))
    return 1.0 - after / max(before, 1e-12)
