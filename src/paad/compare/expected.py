"""What residual a good specimen shows where: learned from how the training views are missed, scaled on held-out ones.

Each Gaussian remembers how badly the views it appears in were reproduced around it, and from which side; rendered,
this is a map of the places that are hard from here (edges, glints, what few views saw). A held-out view's squared
residual is then explained as a sum of few such maps with weights >= 0: its square root is the unit of anomaly maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from paad.compare.residual import SCALES_PX, blur, gradient_magnitude, residual_maps
from paad.fields.field import Field
from paad.fields.targets import Target
from paad.geometry.camera import Camera
from paad.render import rasterize
from paad.render.constants import SH_C0
from paad.render.twin import spherical_harmonics
from paad.types import Float32, Float64

FEATURES = ("noise", "edges", "outline", "near edges", "near outline", "usual", "worst", "from here")
_FLOOR = 0.004
"""Least expected residual: a step of 8-bit colour."""
_NEAR_PX = 1.5
_BASES = 9
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
    matrix = np.zeros((n, _BASES, _BASES), np.float32)
    side = np.zeros((n, _BASES, scales), np.float32)
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
    g = field.gaussians
    device = g.means.device
    drawn = field.render(target.cam_from_world.cpu().numpy().astype(np.float64), target.camera)
    off = residual_maps(target.colour.cpu().numpy(), drawn.colour.cpu().numpy())
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
    basis: Float32 = spherical_harmonics(directions, _BASES).cpu().numpy()
    return basis


def expectation_features(
    field: Field, remembered: Float32, cam_from_world: Float64, camera: Camera, reference: Float32, alpha: Float32
) -> Float32:
    """Maps [S, F, H, W] that explain residuals at a pose: see FEATURES."""
    g = field.gaussians
    device = g.means.device
    pose = torch.as_tensor(cam_from_world.astype(np.float32), device=device)
    edges, outline = gradient_magnitude(reference), gradient_magnitude(alpha)
    common = [np.ones_like(alpha), edges, outline, blur(edges, _NEAR_PX), blur(outline, _NEAR_PX)]
    out = []
    for s in range(len(SCALES_PX)):
        values = np.zeros((len(g), _BASES, 3), np.float32)
        values[:, :, 0] = remembered[:, :_BASES, s]
        values[:, 0, 1:] = remembered[:, _BASES:, s] / SH_C0
        values[:, 0] -= 0.5 / SH_C0  # the rasterizer adds a half
        harmonics = torch.from_numpy(values).to(device)
        black = torch.zeros(3, device=device)
        with torch.no_grad():
            drawn = rasterize(g.means, g.quats, g.scales, g.opacities, harmonics, pose, camera, black).colour
        here, usual, worst = np.moveaxis(drawn.cpu().numpy(), -1, 0)
        here = blur(np.maximum(here, 0.15 * usual), SCALES_PX[0])
        out.append(np.stack([*common, np.sqrt(usual), np.sqrt(worst), np.sqrt(here)]))
    return np.stack(out).astype(np.float32)


@dataclass(frozen=True)
class ExpectedResidual:
    """Weights float64 [S, F] of the squared features in the expected squared residual of each scale."""

    weights: Float64

    def __call__(self, features: Float32) -> Float32:
        """Expected residual [S, H, W] from features [S, F, H, W]."""
        square = np.einsum("sf,sfhw->shw", self.weights.astype(np.float32), features**2)
        out: Float32 = np.sqrt(square + np.float32(_FLOOR**2))
        return out


def fit_expected(residuals: Sequence[Float32], features: Sequence[Float32], seed: int = 0) -> ExpectedResidual:
    """Weights >= 0 by which squared features best explain squared residuals of held-out good views.

    Args:
        residuals: of each view, [S, H, W].
        features: of each view, [S, F, H, W].
        seed: chooses the pixels; those where every feature but the first vanishes are taken sparsely.

    A residual's spread grows with its size, hence two rounds of non-negative least squares weighted by the last
    round's expectation (Lawson and Hanson, 1974).
    """
    from scipy.optimize import nnls  # half a second that an inspection need not wait for

    weights = np.zeros((len(SCALES_PX), features[0].shape[1]))
    for s in range(len(SCALES_PX)):
        rng = np.random.default_rng(seed)
        rows, values = [], []
        for r, f in zip(residuals, features, strict=True):
            flat = f[s].reshape(len(f[s]), -1)
            busy = flat[1:].max(axis=0) > 0.01
            some = [rng.permutation(np.flatnonzero(busy))[:6000], rng.permutation(np.flatnonzero(~busy))[:1500]]
            chosen = np.concatenate(some)
            rows.append(flat[:, chosen].T.astype(np.float64) ** 2)
            values.append(r[s].ravel()[chosen].astype(np.float64) ** 2)
        a, b = np.concatenate(rows), np.concatenate(values)
        expected = np.full(len(a), b.mean())
        for _ in range(3):
            scale = 1.0 / (expected + _FLOOR**2)
            weights[s] = nnls(a * scale[:, None], b * scale)[0]
            expected = a @ weights[s]
    return ExpectedResidual(weights)
