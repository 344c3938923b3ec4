"""Whether the light differed from photo to photo, asked of a field that was fitted as if it had not.

A photo's own light explains some of what the field misses under any light: gloss differs from side to side, and
normals tell the sides. But gloss changes slowly from one camera to the next. So the light of the nearest other photo is
tried, too: where the light stands still it does about nothing, and where it moves it does harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from paad.fields.light import SOLID, Light, Terms, fit_light, plain_terms, shown
from paad.geometry.camera import Camera
from paad.geometry.depth import surface_normals
from paad.geometry.se3 import camera_centre
from paad.render.splats import Picture
from paad.types import Float32, Float64

OWN, NEIGHBOURS = 0.3, -0.12
"""The least share of the error that a photo's own light explains where light moves, and the most that its neighbour's
does.

In training views of seven objects under a moving light 0.36 to 0.81 and -0.88 to -0.21, of six under one light 0.16 to
0.44 and -0.04 to 0.06; of two with 12 and 21 views, whose neighbours are far, the own light explained 0.06 and 0.14.
"""
_VIEWS = 24


class View(NamedTuple):
    """A field's picture beside the photo [H, W, 3] at the same pose [4, 4]."""

    picture: Picture
    photo: Float32
    camera: Camera
    cam_from_world: Float64


class Explained(NamedTuple):
    """Median shares of the object's error that lights explain: a photo's ``own``, and its nearest ``neighbours``'."""

    own: float
    neighbours: float

    @property
    def moves(self) -> bool:
        """Whether the light moves."""
        return self.own > OWN and self.neighbours < NEIGHBOURS


def explained_by_lights(poses: Float64, view: Callable[[int], View], background: Float32) -> Explained:
    """What the lights of views with ``poses`` [V, 4, 4] explain, asked of some of them.

    Args:
        poses: of all views.
        view: draws one of them by its number.
        background: RGB [3] that the field is drawn over.
    """
    eyes = np.stack([camera_centre(pose) for pose in poses])
    eyes = eyes - eyes.mean(axis=0)
    towards = eyes / np.maximum(np.linalg.norm(eyes, axis=1, keepdims=True), 1e-9)
    alike = towards @ towards.T - 3.0 * np.eye(len(eyes))
    known: dict[int, tuple[View, Terms, Light | None]] = {}

    def lit(number: int) -> tuple[View, Terms, Light | None]:
        if number not in known:
            seen = view(number)
            normals = surface_normals(seen.picture.depth, seen.picture.alpha, seen.camera, seen.cam_from_world)
            there = shown(seen.picture)
            terms = plain_terms(normals[there])
            light = fit_light(seen.picture.colour[there], seen.picture.alpha[there], terms, seen.photo[there])
            known[number] = seen, terms, light
        return known[number]

    shares = []
    for number in range(0, len(eyes), max(1, len(eyes) // _VIEWS)):
        seen, terms, own = lit(number)
        _, _, other = lit(int(alike[number].argmax()))
        if own is not None and other is not None:
            shares.append([_explained(seen, terms, light, background) for light in (own, other)])
    return Explained(*(float(m) for m in np.median(shares, axis=0))) if shares else Explained(0.0, 0.0)


def _explained(view: View, terms: Terms, light: Light, background: Float32) -> float:
    """The share of the squared error; errors are blurred first, since no light explains noise."""
    picture, there = view.picture, shown(view.picture)
    gain, offset = light.maps(terms)
    ground = (1.0 - picture.alpha[there])[:, None] * background
    lit = picture.colour.copy()
    lit[there] = (lit[there] - ground) * gain + offset * picture.alpha[there][:, None] + ground
    solid = picture.alpha > SOLID
    before, after = (
        float((cv2.GaussianBlur(view.photo - p, (0, 0), 1.5)[solid] ** 2).sum()) for p in (picture.colour, lit)
    )
    return 1.0 - after / max(before, 1e-12)
