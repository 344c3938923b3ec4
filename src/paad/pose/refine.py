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
from paad.geometry.camera import SAME_LENS, Camera, Lens
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
POSE, FOCAL, LENS = 6, 7, 9
"""Unknowns of an alignment: a pose, and the focal length, and the principal point."""
_FEW_STEPS = 2
_CLEARLY_LESS = {FOCAL: 0.95, LENS: 0.92}
"""To which share of the cost a lens of the photo's own must have led after so few steps."""
_DRAWN = 0.02
"""From the background; what is nearer to it counts as not drawn."""


@dataclass(frozen=True)
class Alignment:
    """A refined pose: ``cam_from_world`` [4, 4], robust ``cost`` (smaller is better), brightness ``gain`` [3], and
    ``lens``, the photo's beside that of the camera it was taken for."""

    cam_from_world: Float64
    cost: float
    gain: Float32
    lens: Lens = SAME_LENS

    @staticmethod
    def start(cam_from_world: Float64) -> Alignment:
        """A pose [4, 4] that nothing is known of yet."""
        return Alignment(np.asarray(cam_from_world, np.float64), np.inf, np.ones(3, np.float32))


class Step(NamedTuple):
    """The next pose [4, 4], how the lens changes, and by how many pixels both move the object."""

    cam_from_world: Float64
    lens: Lens
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
    unknowns: int = POSE,
) -> Alignment | None:
    """Refine pose and lens of ``start`` at the query's resolution in at most ``steps`` steps.

    Both pictures are blurred by ``blur_px`` (standard deviation, pixels) first: edges a pixel wide pull only from a
    pixel away, and without it the steps are a tenth as long.
    ``least_scale``: the colour difference at which a pixel counts half, if most differ by less.
    The step that moves the object by less than ``tolerance_px`` pixels is the last. ``unknowns`` are those of ``POSE``,
    ``FOCAL`` or ``LENS``. Returns None where the field leaves the picture or the equations are singular: there is then
    no pose to be had from this start.
    """
    pose, lens = start.cam_from_world, start.lens
    image = blurred(query.image, blur_px)
    best: Alignment | None = None
    for step in range(steps + 1):
        centre = pose[:3, :3] @ field.centre + pose[:3, 3]
        if not centre[2] > 0.2 * field.radius:
            return best
        whole = query.camera.through(lens)
        x0, y0, w, h = box_window(whole, pose, field.low, field.high)
        if w < 8 or h < 8:
            return best
        camera = whole.cropped(x0, y0, w, h)
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
        now = Alignment(pose, robust_cost(query, sharp, (x0, y0), field.background), gain, lens)
        if best is None or now.cost < best.cost:
            best = now
        if step == steps:
            break
        stepped = gauss_newton_step(colour, seen, depth, camera, pose, field, least_scale, _ALIKE, unknowns)
        if stepped is None:
            return best
        pose, lens = stepped.cam_from_world, lens.changed(stepped.lens)
        if stepped.moved_px < tolerance_px:
            return Alignment(pose, now.cost, gain, lens) if now is best else best
    return best


def with_lens(refined: Callable[[Alignment, int, int], Alignment | None], found: Alignment, steps: int) -> Alignment:
    """``found`` with a lens of the photo's own where the photo clearly tells it, else as it is.

    A longer lens from farther away shows an object of the same size, flatter; beside the middle of its picture it shows
    it sheared. A photo that is enlarged, cut out of another or taken with another lens differs from the field at the
    training views' lens along all of a good specimen's outline.

    Args:
        refined: an alignment from a start, in so many steps at most, of so many unknowns.
        found: what it leads to where the lens is known.
        steps: at most.
    """
    for unknowns, share in _CLEARLY_LESS.items():
        tried = refined(found, _FEW_STEPS, unknowns)
        if tried is not None and tried.cost < share * found.cost:
            found = refined(tried, steps, unknowns) or tried
    return found


def gauss_newton_step(
    drawn: Float32,
    seen: Float32,
    depth: Float32,
    camera: Camera,
    cam_from_world: Float64,
    field: Field,
    least_scale: float,
    alike: float,
    unknowns: int = POSE,
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
        unknowns: ``POSE``, ``FOCAL`` or ``LENS``.
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
    solved = _solve(sums, _DAMPING, float(centre[2]), unknowns)
    if solved is None:
        return None
    twist, (longer, *aside) = solved[:6], np.concatenate([solved[6:], np.zeros(LENS - unknowns)])
    about, back, away = np.eye(4), np.eye(4), np.eye(4)
    about[:3, 3], back[:3, 3] = centre, -centre
    away[:3, 3] = centre[2] * np.array([-aside[0], -aside[1], np.expm1(longer)])
    deep = field.radius / centre[2]
    moved = deep * (np.linalg.norm(twist[:3]) + deep * abs(longer) + np.linalg.norm(aside))
    moved = camera.fx * (moved + np.linalg.norm(twist[3:6]) / centre[2])
    lens = Lens(float(np.exp(longer)), float(aside[0]), float(aside[1]))
    return Step(away @ about @ se3_exp(twist) @ back @ cam_from_world, lens, float(moved))


def blurred(image: Float32, sigma: float) -> Float32:
    """``image`` [H, W, C] blurred by a Gaussian of ``sigma`` pixels; unchanged for 0."""
    if sigma <= 0.0:
        return image
    out: Float32 = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return out


def _solve(sums: Float64, damping: float, distance: float, unknowns: int) -> Float64 | None:
    """The first ``unknowns`` of a damped Gauss-Newton step, limited to 15 degrees, a fifth of the distance and of the
    focal length."""
    matrix = np.zeros((LENS, LENS))
    matrix[np.triu_indices(LENS)] = sums[:45]
    matrix += np.triu(matrix, 1).T
    matrix, side = matrix[:unknowns, :unknowns], sums[45 : 45 + unknowns]
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
