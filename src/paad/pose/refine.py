"""Direct image alignment: turn and shift the camera until the rendered field looks like the query.

Gauss-Newton on SE(3) with Cauchy weights. The derivative of the picture comes from its own gradient and the rendered
depth, so that one step costs one rendering; the rotation turns about the object's centre, since about the camera's
rotation and translation are nearly the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from paad.fields.field import Field
from paad.fields.framing import box_window
from paad.geometry.camera import Camera
from paad.geometry.depth import filled_depth
from paad.geometry.pixels import squared_distance
from paad.geometry.se3 import se3_exp
from paad.pose.kernels import normal_equations
from paad.pose.query import QueryImage
from paad.types import Float32, Float64

_GAIN_RANGE = (0.4, 2.5)
_ALIKE_SQUARE = 0.01
"""Squared colour difference from which on pixels do not look alike, however much they differ."""
_LEAST_PIXELS = 12
_SCALE = 4.0
_ALIKE = 0.25
"""What this share of the pixels looks like decides: a large missing part moves nothing then."""
_DAMPING = 1e-3
_FEW_STEPS, _CLEARLY_LESS = 4, 0.95
"""Steps after which a focal length of the photo's own must have lowered the cost, and to which share of it."""
_DRAWN = 0.02
"""From the background; what is nearer to it counts as not drawn."""


@dataclass(frozen=True)
class Alignment:
    """A refined pose: ``cam_from_world`` [4, 4], robust ``cost`` (smaller is better), brightness ``gain`` [3], and
    ``zoom``, the photo's focal length over that of the camera it was taken for."""

    cam_from_world: Float64
    cost: float
    gain: Float32
    zoom: float = 1.0

    @staticmethod
    def start(cam_from_world: Float64) -> Alignment:
        """A pose [4, 4] that nothing is known of yet."""
        return Alignment(np.asarray(cam_from_world, np.float64), np.inf, np.ones(3, np.float32))


class Step(NamedTuple):
    """The next pose [4, 4], by what the focal length grows, and by how many pixels both move the object."""

    cam_from_world: Float64
    zoom: float
    moved_px: float


def brightness_gain(render: Float32, query: Float32, alpha: Float32, stiffness: float) -> Float32:
    """Per-channel gain [3] that brings the rendered object to the query's brightness.

    ``stiffness`` pulls towards 1: it counts as that share of the object's energy. Pixels that differ wildly at equal
    brightness weigh little, and where more pixels look alike as they are, nothing is corrected: paint over most of the
    object is no lamp.
    """
    inside = alpha > 0.9
    if inside.sum() < _LEAST_PIXELS:
        return np.ones(3, np.float32)
    a, b = render[inside], query[inside]
    gain = np.ones(3, np.float32)
    for _ in range(2):
        off = squared_distance(b, a * gain)
        weight = 1.0 / (1.0 + off / max(1e-4, 4.0 * float(np.median(off))))
        energy = np.einsum("n,nc,nc->c", weight, a, a) + 1e-6
        gain = (np.einsum("n,nc,nc->c", weight, a, b) + stiffness * energy) / (energy * (1.0 + stiffness))
        gain = np.clip(gain, *_GAIN_RANGE).astype(np.float32)
    plain, corrected = (np.minimum(squared_distance(b, a * g), _ALIKE_SQUARE).sum() for g in (np.float32(1.0), gain))
    return gain if corrected < plain else np.ones(3, np.float32)


def align(
    field: Field,
    query: QueryImage,
    start: Alignment,
    steps: int,
    gain_stiffness: float,
    blur_px: float = 0.0,
    least_scale: float = 0.3,
    tolerance_px: float = 0.01,
    lens: bool = False,
) -> Alignment | None:
    """Refine pose and focal length of ``start`` at the query's resolution in at most ``steps`` steps.

    Both pictures are blurred by ``blur_px`` (standard deviation, pixels) first: edges a pixel wide pull only from a
    pixel away, and without it the steps are a tenth as long.
    ``least_scale``: the colour difference at which a pixel counts half, if most differ by less.
    The step that moves the object by less than ``tolerance_px`` pixels is the last. With ``lens`` the focal length is
    found, too. Returns None where the field leaves
    the picture or the equations are singular: there is then no pose to be had from this start.
    """
    pose, zoom = start.cam_from_world, start.zoom
    image = blurred(query.image, blur_px)
    best: Alignment | None = None
    for step in range(steps + 1):
        centre = pose[:3, :3] @ field.centre + pose[:3, 3]
        if not centre[2] > 0.2 * field.radius:
            return best
        zoomed = query.camera.zoomed(zoom)
        x0, y0, w, h = box_window(zoomed, pose, field.low, field.high)
        if w < 8 or h < 8:
            return best
        camera = zoomed.cropped(x0, y0, w, h)
        colour, alpha, distance = field.draw(pose, camera)
        seen = np.ascontiguousarray(image[y0 : y0 + h, x0 : x0 + w])
        sharp = colour
        colour = blurred(colour, blur_px)
        gain = brightness_gain(colour, seen, alpha, gain_stiffness)
        if np.abs(gain - 1.0).max() > 1e-3:
            ground = (1.0 - alpha)[..., None] * field.background
            sharp = ((sharp - ground) * gain + ground).astype(np.float32)
            colour = blurred(sharp, blur_px)
        depth = filled_depth(distance, alpha)
        if (depth > 0).sum() < _LEAST_PIXELS:
            return best
        now = Alignment(pose, robust_cost(query, sharp, (x0, y0), field.background), gain, zoom)
        if best is None or now.cost < best.cost:
            best = now
        if step == steps:
            break
        stepped = gauss_newton_step(colour, seen, depth, camera, pose, field, least_scale, _ALIKE, lens)
        if stepped is None:
            return best
        pose, zoom = stepped.cam_from_world, zoom * stepped.zoom
        if stepped.moved_px < tolerance_px:
            return Alignment(pose, now.cost, gain, zoom) if now is best else best
    return best


def with_lens(refined: Callable[[Alignment, int, bool], Alignment | None], found: Alignment, steps: int) -> Alignment:
    """``found`` with the photo's own focal length where the photo clearly tells it, else as it is.

    A longer lens from farther away shows an object of the same size, flatter. A photo that is enlarged, cut out of
    another or taken with another lens has another focal length than the training views, and at theirs a good specimen
    differs along all of its outline.

    Args:
        refined: an alignment from a start, in so many steps at most, with the focal length unknown or known.
        found: what it leads to where the focal length is known.
        steps: at most.
    """
    tried = refined(found, _FEW_STEPS, True)
    if tried is None or tried.cost > _CLEARLY_LESS * found.cost:
        return found
    return refined(tried, steps, True) or tried


def gauss_newton_step(
    drawn: Float32,
    seen: Float32,
    depth: Float32,
    camera: Camera,
    cam_from_world: Float64,
    field: Field,
    least_scale: float,
    alike: float,
    lens: bool = False,
) -> Step | None:
    """The next pose; None where the equations are singular.

    Args:
        drawn, seen: RGB [H, W, 3], rendered at ``cam_from_world`` and photographed.
        depth: [H, W], distance along the optical axis; pixels of 0 do not count, and at least one must.
        camera: intrinsics of both.
        cam_from_world: the pose [4, 4].
        field: whose centre the pose turns about.
        least_scale: the least colour difference at which a pixel counts half.
        alike: share of the pixels that differ by less than a quarter of it, where it is larger.
        lens: whether the focal length is unknown, too.
    """
    centre = cam_from_world[:3, :3] @ field.centre + cam_from_world[:3, 3]
    off = np.sqrt(squared_distance(seen, drawn))[depth > 0]
    sums = normal_equations(
        np.ascontiguousarray(drawn, dtype=np.float32),
        np.ascontiguousarray(seen, dtype=np.float32),
        depth,
        np.array([camera.fx, camera.fy], np.float32),
        np.array([camera.cx, camera.cy], np.float32),
        centre.astype(np.float32),
        np.float32(max(least_scale, _SCALE * float(np.quantile(off, alike)))),
    )
    solved = _solve(sums, _DAMPING, float(centre[2]), 7 if lens else 6)
    if solved is None:
        return None
    twist, longer = solved[:6], float(solved[6]) if lens else 0.0
    about, back, away = np.eye(4), np.eye(4), np.eye(4)
    about[:3, 3], back[:3, 3] = centre, -centre
    away[2, 3] = centre[2] * np.expm1(longer)
    size = camera.fx / centre[2] * field.radius
    moved = size * (np.linalg.norm(twist[:3]) + field.radius / centre[2] * abs(longer))
    moved += camera.fx / centre[2] * np.linalg.norm(twist[3:])
    return Step(away @ about @ se3_exp(twist) @ back @ cam_from_world, float(np.exp(longer)), float(moved))


def blurred(image: Float32, sigma: float) -> Float32:
    """``image`` [H, W, C] blurred by a Gaussian of ``sigma`` pixels; unchanged for 0."""
    if sigma <= 0.0:
        return image
    out: Float32 = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return out


def _solve(sums: Float64, damping: float, distance: float, unknowns: int) -> Float64 | None:
    """The first ``unknowns`` of a damped Gauss-Newton step, limited to 15 degrees, a fifth of the distance and of the
    focal length."""
    matrix = np.zeros((7, 7))
    matrix[np.triu_indices(7)] = sums[:28]
    matrix += np.triu(matrix, 1).T
    matrix, side = matrix[:unknowns, :unknowns], sums[28 : 28 + unknowns]
    diagonal = np.diag(matrix)
    if not np.isfinite(sums).all() or diagonal.min() <= 0:
        return None
    try:
        out = np.linalg.solve(matrix + damping * np.diag(diagonal), side).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    turn, shift, longer = (float(np.linalg.norm(some)) for some in (out[:3], out[3:6], out[6:]))
    return out * min(1.0, 0.26 / max(turn, 1e-12), 0.2 * distance / max(shift, 1e-12), 0.2 / max(longer, 1e-12))


def robust_cost(query: QueryImage, colour: Float32, corner: tuple[int, int], background: Float32) -> float:
    """Mean truncated squared difference over the object: where it is rendered, and where the query has one.

    ``colour`` [h, w, 3] is the rendered window whose first pixel is ``corner`` (x, y); around it the field is empty.
    """
    x0, y0 = corner
    h, w = colour.shape[:2]
    limit = 0.09
    square = np.minimum(squared_distance(query.image[y0 : y0 + h, x0 : x0 + w], colour), limit)
    drawn = squared_distance(colour, background) > _DRAWN**2
    if query.mask is None:
        return float(square.mean())
    there = query.mask[y0 : y0 + h, x0 : x0 + w] > 0.5
    outside = float((query.mask > 0.5).sum()) - float(there.sum())
    area = float((drawn | there).sum()) + outside
    return (float(square[drawn | there].sum()) + limit * outside) / max(area, 1.0)
