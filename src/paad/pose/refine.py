"""Direct image alignment: turn and shift the camera until the rendered field looks like the query.

Gauss-Newton on SE(3) with Cauchy weights. The derivative of the picture comes from its own gradient and the rendered
depth, so that one step costs one rendering; the rotation turns about the object's centre, since about the camera's
rotation and translation are nearly the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass

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
_DRAWN = 0.02
"""From the background; what is nearer to it counts as not drawn."""


@dataclass(frozen=True)
class Alignment:
    """A refined pose: ``cam_from_world`` [4, 4], robust ``cost`` (smaller is better), brightness ``gain`` [3]."""

    cam_from_world: Float64
    cost: float
    gain: Float32


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
    start: Float64,
    steps: int,
    gain_stiffness: float,
    blur_px: float = 0.0,
    least_scale: float = 0.3,
    tolerance_px: float = 0.01,
) -> Alignment | None:
    """Refine ``start`` [4, 4] at the query's resolution in at most ``steps`` steps.

    Both pictures are blurred by ``blur_px`` (standard deviation, pixels) first: edges a pixel wide pull only from a
    pixel away, and without it the steps are a tenth as long.
    ``least_scale``: the colour difference at which a pixel counts half, if most differ by less.
    The step that moves the object by less than ``tolerance_px`` pixels is the last. Returns None where the field leaves
    the picture or the equations are singular: there is then no pose to be had from this start.
    """
    pose = np.asarray(start, np.float64)
    image = blurred(query.image, blur_px)
    best: Alignment | None = None
    for step in range(steps + 1):
        centre = pose[:3, :3] @ field.centre + pose[:3, 3]
        if not centre[2] > 0.2 * field.radius:
            return best
        x0, y0, w, h = box_window(query.camera, pose, field.low, field.high)
        if w < 8 or h < 8:
            return best
        camera = query.camera.cropped(x0, y0, w, h)
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
        now = Alignment(pose, robust_cost(query, sharp, (x0, y0), field.background), gain)
        if best is None or now.cost < best.cost:
            best = now
        if step == steps:
            break
        stepped = gauss_newton_step(colour, seen, depth, camera, pose, field, least_scale, _ALIKE)
        if stepped is None:
            return best
        pose, moved = stepped
        if moved < tolerance_px:
            return Alignment(pose, now.cost, gain) if now is best else best
    return best


def gauss_newton_step(
    drawn: Float32,
    seen: Float32,
    depth: Float32,
    camera: Camera,
    cam_from_world: Float64,
    field: Field,
    least_scale: float,
    alike: float,
) -> tuple[Float64, float] | None:
    """The next pose [4, 4] and by how many pixels it moves the object; None where the equations are singular.

    Args:
        drawn, seen: RGB [H, W, 3], rendered at ``cam_from_world`` and photographed.
        depth: [H, W], distance along the optical axis; pixels of 0 do not count, and at least one must.
        camera: intrinsics of both.
        cam_from_world: the pose [4, 4].
        field: whose centre the pose turns about.
        least_scale: the least colour difference at which a pixel counts half.
        alike: share of the pixels that differ by less than a quarter of it, where it is larger.
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
    twist = _solve(sums, _DAMPING, float(centre[2]))
    if twist is None:
        return None
    about, back = np.eye(4), np.eye(4)
    about[:3, 3], back[:3, 3] = centre, -centre
    moved = camera.fx / centre[2] * (field.radius * np.linalg.norm(twist[:3]) + np.linalg.norm(twist[3:]))
    return about @ se3_exp(twist) @ back @ cam_from_world, float(moved)


def blurred(image: Float32, sigma: float) -> Float32:
    """``image`` [H, W, C] blurred by a Gaussian of ``sigma`` pixels; unchanged for 0."""
    if sigma <= 0.0:
        return image
    out: Float32 = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return out


def _solve(sums: Float64, damping: float, distance: float) -> Float64 | None:
    """The twist [6] of a damped Gauss-Newton step, limited to 15 degrees and a fifth of the distance."""
    matrix = np.zeros((6, 6))
    matrix[np.triu_indices(6)] = sums[:21]
    matrix += np.triu(matrix, 1).T
    diagonal = np.diag(matrix)
    if not np.isfinite(sums).all() or diagonal.min() <= 0:
        return None
    try:
        twist = np.linalg.solve(matrix + damping * np.diag(diagonal), sums[21:27]).astype(np.float64)
    except np.linalg.LinAlgError:
        return None
    turn, shift = float(np.linalg.norm(twist[:3])), float(np.linalg.norm(twist[3:]))
    return twist * min(1.0, 0.26 / max(turn, 1e-12), 0.2 * distance / max(shift, 1e-12))


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
