"""The CPU rasterizer over numpy arrays: project, sort into tiles, blend; and the gradients of all of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paad.geometry.camera import Camera
from paad.render import kernels_blend as blending
from paad.render import kernels_project as projecting
from paad.types import Float32

Bodies = tuple[Float32, Float32, Float32, Float32, Float32]
"""means [N, 3], quats [N, 4], scales [N, 3], opacities [N], sh [N, K, 3], contiguous."""


class Drawn(NamedTuple):
    """Colour [H, W, 3], alpha [H, W], depth sum [H, W], and what the backward pass needs besides."""

    colour: Float32
    alpha: Float32
    depth: Float32
    projected: Float32
    starts: NDArray[np.int64]
    ids: NDArray[np.int32]
    slots: NDArray[np.int32]
    first: NDArray[np.int64]
    used: NDArray[np.int64]


def _intrinsics(camera: Camera) -> Float32:
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)


def forward(bodies: Bodies, matrix: Float32, camera: Camera, background: Float32) -> Drawn:
    """Draw ``bodies`` seen by ``matrix`` (cam_from_world but its last row) over a colour [3] or picture [H, W, 3]."""
    size = (camera.width, camera.height)
    projected = projecting.project(*bodies, matrix, _intrinsics(camera), *size)
    order = blending.depth_order(projected)
    starts, ids, slots, first = blending.bin_tiles(projected, order, *blending.tiles_of(*size))
    ground = np.ascontiguousarray(np.broadcast_to(background, (1, 1, 3)) if background.ndim == 1 else background)
    colour, alpha, depth, used = blending.blend(projected, starts, ids, ground, *size)
    return Drawn(colour, alpha, depth, projected, starts, ids, slots, first, used)


def blended(drawn: Drawn, values: Float32) -> Float32:
    """Numbers ``values`` [N, C] of the bodies, blended as their colours were, over zero: [C, H, W]."""
    d, (height, width) = drawn, drawn.alpha.shape
    out: Float32 = blending.blend_values(
        d.projected, d.starts, d.ids, d.used, np.ascontiguousarray(values, np.float32), width, height
    )
    return out


def collected(drawn: Drawn, pictures: Float32) -> Float32:
    """Sums over the pixels of ``pictures`` [C, H, W] times the blending weight of each body there: [N, C]."""
    d = drawn
    out: Float32 = blending.collect(
        d.projected, d.starts, d.ids, d.slots, d.first, d.used, np.ascontiguousarray(pictures, np.float32)
    )
    return out


def backward(
    bodies: Bodies, matrix: Float32, camera: Camera, drawn: Drawn, d_colour: Float32, d_alpha: Float32, d_depth: Float32
) -> tuple[list[Any], Float32]:
    """Gradients of the five ``bodies``, and of ``matrix`` [3, 4], from those of the three pictures."""
    d = drawn
    pairs = blending.blend_backward(
        d.projected, d.starts, d.ids, d.slots, d.used, d.colour, d.alpha, d.depth, d_colour, d_alpha, d_depth
    )
    grads = blending.gather_gradients(d.projected, d.first, pairs)
    size = (camera.width, camera.height)
    *d_bodies, d_matrix = projecting.project_backward(*bodies, matrix, _intrinsics(camera), *size, d.projected, grads)
    return d_bodies, d_matrix
