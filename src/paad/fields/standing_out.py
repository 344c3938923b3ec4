"""What stands out from its ground in a scene that keeps still, by depth where colours do not tell it.

A rough field of all of the scene is fitted. The plane that most of what the cameras see lies in, and beneath which
little is seen, is the ground (RANSAC: Fischler and Bolles, Communications of the ACM 24, 1981), and the Gaussians above
it that hang together around the point that the cameras turn around are the object's. Outlines that were cut by that are
lifted to a finer field, whose Gaussians are the object's where most of what they show lies within (as in Cen et al.,
"Segment Anything in 3D with NeRFs", NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from paad.errors import DataError
from paad.fields.config import FieldConfig
from paad.fields.field import Field
from paad.geometry.se3 import camera_centre
from paad.types import Bool, Float32, Float64, PosedView

_SIDE_PX, _FINE_PX = 240, 400
_ROUGH = FieldConfig(
    steps=800, max_side=_SIDE_PX, sh_degree=0, moving_light=False, initial_gaussians=20000, max_gaussians=20000
)
_FINE = replace(_ROUGH, max_side=_FINE_PX, initial_gaussians=40000, max_gaussians=40000)
_WITHIN, _CORE, _AROUND = 1.5, 0.6, (0.6, 1.5)
"""Radii about the point that is looked at, as shares of what most cameras see around it: of what may be of the object,
and of what the object has most of."""
_THICK, _CLEAR, _CELL = 0.06, 0.03, 0.05
"""As shares of the same radius: how far points of the ground may lie from its plane, how far above it the object's
Gaussians begin, and how far apart those of one object may be."""
_TRIALS, _POINTS, _ROUNDS = 3000, 15000, 5
_BENEATH, _ABOVE = 0.3, 0.98
"""Weight of the points that are seen beneath a plane, and the share of the cameras that are above the ground."""
_LEAST_GROUND = 0.05
"""Share of the points that lie in the ground, if there is one."""
_LEAST_OPAQUE = 0.1


def standing_out(views: Sequence[PosedView], centre: Float64, reach: float) -> list[Float32] | None:
    """How far each pixel is covered by what stands out around ``centre`` [3], one map [h, w] a view, at most
    240 px.

    None where nothing can be fitted, or nothing is there.

    Args:
        views: posed photos of a scene that keeps still; masks that they have are not looked at.
        centre, reach: the ball that most views see whole, see :func:`paad.geometry.views.view_volume`.
    """
    from paad.fields.build import build_field

    small = [reduced(v, _SIDE_PX) for v in views]
    try:
        field = build_field(small, _ROUGH)[0]
    except DataError:
        return None
    own = _standing(field, _ground(field, small, centre, reach), centre, reach)
    if not own.any():
        return None
    return _alone(field, own, small)


def lifted(views: Sequence[PosedView], masks: Sequence[Float32]) -> tuple[list[Float32], float]:
    """How far each pixel is covered by what most ``masks`` [H, W] hold, one map [h, w] a view, at most 400 px; and how
    freely it stands, from 0 to 1: nothing is before an object, but haze is before and behind a piece of the ground.

    What is cut off in one photo and not in others comes back, and so goes a piece of the ground that few masks hold.
    """
    from paad.fields.build import build_field
    from paad.render.draw import collected

    small = [reduced(v, _FINE_PX) for v in views]
    field = build_field(small, _FINE)[0]
    within, weight = np.zeros((2, len(field.splats)))
    for view, mask in zip(small, masks, strict=True):
        shape = view.image.shape[:2]
        share = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA)
        drawn = field.splats.drawn(view.cam_from_world, view.camera, field.background)
        added = collected(drawn, np.stack([share, np.ones(shape, np.float32)]))
        within, weight = within + added[:, 0], weight + added[:, 1]
    own = within > 0.5 * weight
    covered = _alone(field, own, small)
    shares = [field.draw_with(own.astype(np.float32)[:, None], v.cam_from_world, v.camera)[1][0] for v in small]
    free = [float((s > 0.5).sum() / max(1, (c > 0.5).sum())) for s, c in zip(shares, covered, strict=True)]
    return covered, float(np.median(free))


def _alone(field: Field, own: Bool, views: Sequence[PosedView]) -> list[Float32]:
    """How far each pixel is covered by the Gaussians that are ``own`` [N], drawn without the others: a rough field
    holds haze before the cameras, and an object without texture is half hidden in it.
    """
    only = replace(field, splats=field.splats.chosen(np.flatnonzero(own)))
    return [only.draw(v.cam_from_world, v.camera).alpha for v in views]


def _ground(field: Field, views: Sequence[PosedView], centre: Float64, reach: float) -> tuple[Float64, float] | None:
    """Unit normal [3] and height of the plane that things stand on, the cameras above it; None where there is none."""
    points = _seen(field, views)
    away = np.linalg.norm(points - centre, axis=1)
    points = points[(away > _AROUND[0] * reach) & (away < _AROUND[1] * reach)]
    if len(points) < 3:
        return None
    rng = np.random.default_rng(0)
    points = points[rng.permutation(len(points))[:_POINTS]]
    eyes = np.stack([camera_centre(v.cam_from_world) for v in views])
    thick, most = _THICK * reach, -np.inf
    best: tuple[Float64, float] | None = None
    for corners in points[rng.integers(len(points), size=(_TRIALS, 3))]:
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        length = float(np.linalg.norm(normal))
        if length < 1e-12 * reach * reach:
            continue
        normal = normal / length * np.sign((centre - corners[0]) @ normal)  # the object is above, too
        height = float(normal @ corners[0])
        if (eyes @ normal > height).mean() < _ABOVE:
            continue
        off = points @ normal - height
        on = float((np.abs(off) < thick).mean())
        worth = on - _BENEATH * float((off < -2.0 * thick).mean())
        if worth > most and on > _LEAST_GROUND:
            most, best = worth, (normal, height)
    return None if best is None else _refined(points, *best, thick)


def _refined(points: Float64, normal: Float64, height: float, thick: float) -> tuple[Float64, float]:
    """The plane through its points [N, 3] by least squares."""
    for _ in range(_ROUNDS):
        near = points[np.abs(points @ normal - height) < 1.5 * thick]
        middle = near.mean(axis=0)
        across = np.linalg.eigh((near - middle).T @ (near - middle))[1][:, 0]
        normal = across * np.sign(across @ normal)
        height = float(normal @ middle)
    return normal, height


def _standing(field: Field, ground: tuple[Float64, float] | None, centre: Float64, reach: float) -> Bool:
    """The Gaussians [N] that hang together around ``centre`` above the ground."""
    from scipy import ndimage  # only a fit waits for it

    splats = field.splats
    means = splats.means.astype(np.float64)
    away = np.linalg.norm(means - centre, axis=1)
    may = (away < _WITHIN * reach) & (splats.logit_opacities > np.log(_LEAST_OPAQUE / (1.0 - _LEAST_OPAQUE)))
    if ground is not None:
        may &= means @ ground[0] - ground[1] > _CLEAR * reach
    out = np.zeros(len(means), np.bool_)
    if not may.any():
        return out
    cells = np.floor((means[may] - centre) / (_CELL * reach)).astype(np.int64)
    cells += 1 - cells.min(axis=0)
    there = np.zeros(cells.max(axis=0) + 2, np.bool_)
    there[tuple(cells.T)] = True
    pieces, count = ndimage.label(ndimage.binary_dilation(there), np.ones((3, 3, 3)))
    of = pieces[tuple(cells.T)]
    out[may] = of == int(np.bincount(of, away[may] < _CORE * reach, count + 1).argmax())
    return out


def _seen(field: Field, views: Sequence[PosedView]) -> Float64:
    """Points [N, 3] of the surface that the views show, every third pixel."""
    out = []
    for view in views:
        camera, drawn = view.camera, field.draw(view.cam_from_world, view.camera)
        y, x = np.mgrid[1 : camera.height : 3, 1 : camera.width : 3]
        z = drawn.depth[y, x] / np.maximum(drawn.alpha[y, x], 1e-6)
        rays = np.stack(
            [(x + 0.5 - camera.cx) / camera.fx, (y + 0.5 - camera.cy) / camera.fy, np.ones(x.shape)], axis=-1
        )
        turn = view.cam_from_world[:3, :3]
        out.append((rays * z[..., None]).reshape(-1, 3) @ turn + camera_centre(view.cam_from_world))
    return np.concatenate(out).astype(np.float64)


def reduced(view: PosedView, side: int) -> PosedView:
    """``view`` without its mask, at most ``side`` pixels long."""
    camera = view.camera.scaled(min(1.0, side / max(view.camera.width, view.camera.height)))
    image = cv2.resize(view.image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return PosedView(view.name, image.astype(np.uint8), None, camera, view.cam_from_world)
