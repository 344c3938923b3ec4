"""Light that differs from photo to photo: what the object's picture under the usual light becomes under a photo's own.

A photo is explained as the field's picture times a factor plus a summand, each a sum of terms that are the same for
all channels and photos, with coefficients by robust least squares; what a defect changes is too small a share of the
picture to bend them. The factor's terms are the normal's polynomials of degree 2, which is what diffuse light is on a
surface that nothing shades (Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps",
SIGGRAPH 2001), and the light that reaches each place past the object itself, relative to even light from everywhere
(:mod:`paad.fields.shading`). The summand's are the normal's polynomials again, for haze, and for gloss those of the
direction that a mirror would show, as they are and by Schlick's law ("An inexpensive BRDF model for physically-based
rendering", 1994), where the place is open to light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paad.fields.field import Field
from paad.fields.glints import lamps_of
from paad.fields.shading import NORMAL, OPEN, TRANSFER
from paad.geometry.camera import Camera
from paad.geometry.depth import surface_normals
from paad.render.splats import Picture
from paad.types import Bool, Float32, Float64

TERMS = 9
_OFFSET = 0.3
"""Unit of the added part: as dear as a gain of one third."""
_STIFFNESS = 0.003
_GRAZING = 3.0
"""Unit of the gloss that grows towards grazing views: of most places it is small."""
_LEAST_OPEN = 0.06
SOLID = 0.95
"""Coverage from which on a pixel shows the object alone."""
_DRAWN = 1 / 255
_MOST_PIXELS, _LEAST_PIXELS = 3000, 100
_ROUNDS = 3
_LEAST_SCALE = 0.004
_RANGE = (0.2, 5.0)


@dataclass(frozen=True)
class Terms:
    """What the factor and the summand of a light are sums of at M pixels: ``gain`` [G, M], ``offset`` [O, M]."""

    gain: Float32
    offset: Float32


@dataclass(frozen=True)
class Light:
    """A photo's light, relative to the one that the field shows.

    Attributes:
        gain: float32 [G, 3], coefficients of what each channel is multiplied by.
        offset: float32 [O, 3], of what is added.
    """

    gain: Float32
    offset: Float32

    def maps(self, terms: Terms) -> tuple[Float32, Float32]:
        """Factor and summand [M, 3] at each pixel of ``terms``."""
        # not by matrix products: a BLAS adds as memory lies
        gain, offset = (np.einsum("tm,tc->mc", t, c) for t, c in ((terms.gain, self.gain), (terms.offset, self.offset)))
        return np.clip(gain, *_RANGE).astype(np.float32), offset.astype(np.float32)


def normal_terms(normals: Float32) -> Float32:
    """The nine monomials [9, ...] of degree 2 in unit normals [..., 3]."""
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    terms: Float32 = np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1])
    return terms


def plain_terms(normals: Float32) -> Terms:
    """The terms of a light that knows normals [M, 3] alone."""
    terms = normal_terms(normals)
    return Terms(terms, terms)


class Surface(NamedTuple):
    """What M pixels show of an object's surface.

    ``normals`` [M, 3]; ``cosine`` [M] between them and the direction towards the camera; ``mirrored`` [M, 3], the
    direction that a mirror would show; ``unshaded`` [M], in [0, 1], how open to light it is; ``reaching`` [15, M], the
    transfer of light of degree 1 to 3, relative to that of even light.
    """

    normals: Float32
    cosine: Float32
    mirrored: Float32
    unshaded: Float32
    reaching: Float32

    def terms(self) -> Terms:
        """The terms of a light that knows all of it."""
        diffuse, mirrored = normal_terms(self.normals), self.unshaded * normal_terms(self.mirrored)
        grazing = _GRAZING * np.clip(1.0 - self.cosine, 0.0, 1.0) ** 5
        return Terms(np.concatenate([diffuse, self.reaching]), np.concatenate([diffuse, mirrored, grazing * mirrored]))


def surface_shown(shading: Float32, alpha: Float32, camera: Camera, cam_from_world: Float64) -> Surface:
    """The surface in the pixels that show any of it, ``alpha`` [H, W] above ``_DRAWN``.

    ``shading`` [COLUMNS, H, W] is blended over zero, see :func:`paad.fields.shading.shading_of` for the columns.
    """
    ys, xs = np.nonzero(alpha > _DRAWN)
    rays = camera.rays(np.stack([xs + 0.5, ys + 0.5], axis=1))
    towards = -(rays[:, :, None] * cam_from_world[None, :3, :3]).sum(axis=1).astype(np.float32)
    shown = shading[:, ys, xs] / alpha[ys, xs]
    normals = shown[NORMAL].T / np.maximum(np.sqrt((shown[NORMAL] ** 2).sum(axis=0)), 1e-6)[:, None]
    transfer = shown[TRANSFER]
    cosine = (normals * towards).sum(axis=1)
    return Surface(
        normals,
        cosine,
        2.0 * cosine[:, None] * normals - towards,
        np.clip(transfer[0] / np.float32(OPEN), 0.0, 1.0),
        transfer[1:] / np.maximum(transfer[0], np.float32(_LEAST_OPEN)),
    )


def fit_light(colour: Float32, alpha: Float32, terms: Terms, photo: Float32) -> Light | None:
    """The light under which ``colour`` looks like ``photo``; None where too little of the object is seen.

    Args:
        colour, photo: RGB [M, 3] of M pixels.
        alpha: the field's coverage [M]; what is not solid does not count.
        terms: of these pixels.

    Ridge towards no change, weights by Cauchy's function of the residual (iteratively reweighted).
    """
    solid = np.flatnonzero(alpha > SOLID)
    if len(solid) < _LEAST_PIXELS:
        return None
    chosen = solid[:: max(1, len(solid) // _MOST_PIXELS)]
    gain, offset = terms.gain[:, chosen].T, np.float32(_OFFSET) * terms.offset[:, chosen].T
    drawn, seen = colour[chosen], photo[chosen]
    count = gain.shape[1]
    usual = np.zeros(count + offset.shape[1], np.float32)
    usual[0] = 1.0
    out = np.empty((len(usual), 3), np.float32)
    for channel in range(3):
        a = np.concatenate([gain * drawn[:, channel, None], offset], axis=1)
        x = usual
        for _ in range(_ROUNDS):
            off = seen[:, channel] - a @ x
            scale = np.float32(max(1.5 * float(np.median(np.abs(off))), _LEAST_SCALE))
            weighted = a / (1.0 + (off / scale) ** 2)[:, None]
            matrix = (weighted.T @ a).astype(np.float64)
            matrix += _STIFFNESS * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
            side = (weighted.T @ (seen[:, channel] - drawn[:, channel])).astype(np.float64)
            x = usual + np.linalg.solve(matrix, side).astype(np.float32)
        out[:, channel] = x
    return Light(out[:count], np.float32(_OFFSET) * out[count:])


def shown(picture: Picture) -> Bool:
    """Which pixels [H, W] show any of the object."""
    there: Bool = picture.alpha > _DRAWN
    return there


def light_maps(
    picture: Picture,
    shading: Float32 | None,
    photo: Float32,
    camera: Camera,
    cam_from_world: Float64,
    lamps: bool = False,
) -> tuple[Float32, Float32] | None:
    """What the field's ``picture`` is multiplied by under the light of ``photo``, and what is added: [H, W, 3] each.

    ``shading`` [COLUMNS, H, W] is blended over zero; without it a light knows the normals of the drawn depth alone.
    With ``lamps`` what faces mirror is added, see :mod:`paad.fields.glints`.
    None where too little of the object is seen.
    """
    there = shown(picture)
    colour, alpha = picture.colour[there], picture.alpha[there]
    surface = None if shading is None else surface_shown(shading, picture.alpha, camera, cam_from_world)
    if surface is None:
        terms = plain_terms(surface_normals(picture.depth, picture.alpha, camera, cam_from_world)[there])
    else:
        terms = surface.terms()
    light = fit_light(colour, alpha, terms, photo[there])
    if light is None:
        return None
    factor, summand = light.maps(terms)
    if lamps and surface is not None:
        solid = alpha > SOLID
        residual = photo[there] - (colour * factor + summand)
        found = lamps_of(residual[solid], *(a[solid] for a in (surface.cosine, surface.mirrored, surface.unshaded)))
        summand = summand + found.shown(surface.cosine, surface.mirrored, surface.unshaded)[:, None]
    gain, offset = np.ones_like(picture.colour), np.zeros_like(picture.colour)
    gain[there], offset[there] = factor, summand
    return gain, offset * picture.alpha[..., None]


def under(maps: tuple[Float32, Float32] | None, picture: Picture, background: Float32) -> Float32:
    """``picture`` over ``background`` [3] under the light of :func:`light_maps`, if it is known: RGB [H, W, 3]."""
    if maps is None:
        return picture.colour
    ground = (1.0 - picture.alpha)[..., None] * background
    return ((picture.colour - ground) * maps[0] + maps[1] + ground).astype(np.float32)


def relit(
    picture: Picture,
    shading: Float32 | None,
    photo: Float32,
    camera: Camera,
    cam_from_world: Float64,
    background: Float32,
) -> Float32:
    """``picture`` over ``background`` [3] under the light of ``photo`` [H, W, 3], with its lamps: RGB [H, W, 3]."""
    return under(light_maps(picture, shading, photo, camera, cam_from_world, lamps=True), picture, background)


def drawn_beside(
    field: Field,
    photo: Float32,
    cam_from_world: Float64,
    camera: Camera,
    gain: Float32 | None = None,
) -> Picture:
    """The field at a pose [4, 4], as ``photo`` [H, W, 3] would show it, over the field's background.

    Where light moves under the photo's, with its lamps in the faces that mirror them; otherwise brighter by
    ``gain`` [3] if there is one.
    """
    nothing = np.zeros((len(field.splats), 0), np.float32)
    return drawn_beside_with(nothing, field, photo, cam_from_world, camera, gain)[0]


def drawn_beside_with(
    values: Float32,
    field: Field,
    photo: Float32,
    cam_from_world: Float64,
    camera: Camera,
    gain: Float32 | None = None,
) -> tuple[Picture, Float32]:
    """:func:`drawn_beside`, and numbers ``values`` [N, C] of the Gaussians blended over 0: [C, H, W]."""
    if field.shading is None:
        picture, shown = field.draw_with(values, cam_from_world, camera)
        if gain is not None:
            ground = (1.0 - picture.alpha)[..., None] * field.background
            picture = picture._replace(colour=(picture.colour - ground) * gain + ground)
        return picture, shown
    picture, shown = field.draw_with(np.concatenate([values, field.shading], axis=1), cam_from_world, camera)
    shown, shading = np.split(shown, [values.shape[1]])
    lit = relit(picture, shading, photo, camera, cam_from_world, field.background)
    return picture._replace(colour=lit), shown
