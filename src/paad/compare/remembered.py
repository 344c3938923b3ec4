"""What the Gaussians of a fitted field remember: how badly the training views were reproduced around each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from paad.compare.expected import BASES
from paad.compare.residual import SCALES_PX, residual_maps
from paad.fields.field import Field
from paad.fields.light import drawn_beside
from paad.fields.targets import Target
from paad.render import rasterize
from paad.render.constants import SH_C0
from paad.render.draw import collected
from paad.render.twin import spherical_harmonics
from paad.types import Float32

_STIFFNESS = (1e-3, 1.0, 2.0)
"""Ridge by degree, in views: a Gaussian that few views saw is taken to be missed alike from everywhere."""


def remembered_residuals(field: Field, targets: Sequence[Target]) -> Float32:
    """What each Gaussian remembers of the views it shows in: squared residuals, float32 [N, 9 + 2, S].

    The first nine are spherical harmonics of degree 2, the squared residual as a function of the direction from which
    the Gaussian is seen, fitted by ridge regression; then its mean, and its second largest value (the largest is left
    out, since one view may be spoilt). A Gaussian shows in a view when its blending weights add up to a tenth of a
    pixel; its residual there is their weighted mean.
    """
    n, scales = len(field.gaussians), len(SCALES_PX)
    total, views = np.zeros((n, scales), np.float32), np.zeros((n, 1), np.float32)
    largest = np.zeros((2, n, scales), np.float32)
    matrix = np.zeros((n, BASES, BASES), np.float32)
    side = np.zeros((n, BASES, scales), np.float32)
    weighted, weight_sum = np.zeros((n, scales), np.float32), np.zeros((n, 1), np.float32)
    for target in targets:
        square, weight = _missed(field, target)
        shown = weight > 0.1
        square[~shown] = 0.0
        total += square
        views += shown[:, None]
        largest[1] = np.maximum(largest[1], np.minimum(square, largest[0]))
        largest[0] = np.maximum(largest[0], square)
        rows = np.flatnonzero(shown)
        w = np.minimum(weight[rows], 3.0)[:, None]
        basis = _directions_basis(field, target)[rows]
        matrix[rows] += (w * basis)[:, :, None] * basis[:, None, :]
        side[rows] += (w * basis)[:, :, None] * square[rows][:, None, :]
        weighted[rows] += w * square[rows]
        weight_sum[rows] += w
    mean = weighted / np.maximum(weight_sum, 1e-6)
    side -= matrix[:, :, :1] / SH_C0 * mean[:, None, :]
    ridge = np.repeat(np.array(_STIFFNESS, np.float32), (1, 3, 5))
    harmonics = np.linalg.solve(matrix + np.diag(ridge), side)
    harmonics[:, 0] += mean / SH_C0
    out = np.concatenate([harmonics, (total / np.maximum(views, 1))[:, None], largest[1][:, None]], axis=1)
    never = views[:, 0] == 0
    if never.any() and not never.all():
        out[never] = np.quantile(out[~never], 0.9, axis=0)
    return out.astype(np.float32)


def _missed(field: Field, target: Target) -> tuple[Float32, Float32]:
    """Each Gaussian's mean squared residual in a view [N, S], and the sum of its blending weights there [N]."""
    photo, pose = target.colour.cpu().numpy(), target.cam_from_world.cpu().numpy().astype(np.float64)
    off = residual_maps(photo, drawn_beside(field, photo, pose, target.camera).colour)
    if field.device == "cpu":
        drawn = field.splats.drawn(pose, target.camera, field.background)
        added = collected(drawn, np.concatenate([off**2, np.ones_like(off[:1])]))
        return (added[:, :-1] / np.maximum(added[:, -1:], 1e-6)).astype(np.float32), added[:, -1]
    g = field.gaussians
    device = g.means.device
    weights = torch.ones(*off.shape[1:], 3, device=device)
    weights[..., : len(off)] = torch.from_numpy(np.moveaxis(off**2, 0, -1)).to(device)
    flat = torch.zeros(len(g), 1, 3, device=device, requires_grad=True)
    black = torch.zeros(3, device=device)
    out = rasterize(g.means, g.quats, g.scales, g.opacities, flat, target.cam_from_world, target.camera, black)
    # the derivative with respect to a Gaussian's flat colour is the sum of its weights times those of the pixels
    (gradient,) = torch.autograd.grad((out.colour * weights).sum(), [flat])
    sums = (gradient[:, 0] / SH_C0).cpu().numpy()
    return sums[:, : len(off)] / np.maximum(sums[:, 2:], 1e-6), sums[:, 2]


def _directions_basis(field: Field, target: Target) -> Float32:
    """Spherical harmonics [N, 9] of the directions in which the Gaussians are seen, as the rasterizer takes them."""
    pose = target.cam_from_world
    eye = -pose[:3, :3].T @ pose[:3, 3]
    directions = torch.nn.functional.normalize(field.gaussians.means - eye, dim=-1)
    basis: Float32 = spherical_harmonics(directions, BASES).cpu().numpy()
    return basis
