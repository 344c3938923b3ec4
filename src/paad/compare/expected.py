"""What residual a good specimen shows where: learned from how the training views are missed, scaled on held-out ones.

Each Gaussian remembers how badly the views it appears in were reproduced around it; rendered, this is a map of the
places that are hard (edges, glints, what few views saw). A held-out view's squared residual is then explained as a
sum of few such maps with weights >= 0: its square root is the unit that anomaly maps are measured in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls

from paad.compare.residual import SCALES_PX, gradient_magnitude, residual_maps
from paad.fields.field import Field
from paad.fields.targets import Target
from paad.geometry.camera import Camera
from paad.render import rasterize
from paad.render.constants import SH_C0
from paad.types import Float32, Float64

FEATURES = ("noise", "edges", "outline", "usual", "worst")
_FLOOR = 0.004
"""Least expected residual: a step of 8-bit colour."""


def remembered_residuals(field: Field, targets: Sequence[Target]) -> Float32:
    """For each Gaussian the mean, and the second largest, residual over the views it shows in: float32 [N, 2].

    The residual is that of the finest scale; a Gaussian shows in a view when its weights there add up to a pixel's
    tenth. The largest is left out, since one view may be spoilt.
    """
    g = field.gaussians
    n, device = len(g), g.means.device
    total, views = np.zeros(n, np.float32), np.zeros(n, np.float32)
    largest = np.zeros((2, n), np.float32)
    ground = torch.as_tensor(field.background, device=device)
    for target in targets:
        flat = torch.zeros(n, 1, 3, device=device, requires_grad=True)
        drawn = field.render(target.cam_from_world.cpu().numpy().astype(np.float64), target.camera)
        off = residual_maps(target.colour.cpu().numpy(), drawn.colour.cpu().numpy())[0]
        weights = torch.zeros(*off.shape, 3, device=device)
        weights[..., 0], weights[..., 1] = torch.from_numpy(off).to(device), 1.0
        out = rasterize(g.means, g.quats, g.scales, g.opacities, flat, target.cam_from_world, target.camera, ground)
        (gradient,) = torch.autograd.grad((out.colour * weights).sum(), [flat])
        sums = (gradient[:, 0] / SH_C0).cpu().numpy()
        shown = sums[:, 1] > 0.1
        mean = np.where(shown, sums[:, 0] / np.maximum(sums[:, 1], 1e-6), 0.0)
        total += mean
        views += shown
        largest[1] = np.maximum(largest[1], np.minimum(mean, largest[0]))
        largest[0] = np.maximum(largest[0], mean)
    usual = total / np.maximum(views, 1)
    never = views == 0
    if never.any() and not never.all():
        usual[never], largest[1][never] = np.quantile(usual[~never], 0.9), np.quantile(largest[1][~never], 0.9)
    return np.stack([usual, largest[1]], axis=1)


def expectation_features(
    field: Field, remembered: Float32, cam_from_world: Float64, camera: Camera, reference: Float32, alpha: Float32
) -> Float32:
    """Maps [5, H, W] that explain residuals at a pose: see FEATURES."""
    g = field.gaussians
    device = g.means.device
    values = np.zeros((len(g), 1, 3), np.float32)
    values[:, 0, :2] = (remembered - 0.5) / SH_C0
    with torch.no_grad():
        drawn = (
            rasterize(
                g.means,
                g.quats,
                g.scales,
                g.opacities,
                torch.from_numpy(values).to(device),
                torch.as_tensor(cam_from_world.astype(np.float32), device=device),
                camera,
                torch.zeros(3, device=device),
            )
            .colour.cpu()
            .numpy()
        )
    return np.stack(
        [
            np.ones_like(alpha),
            gradient_magnitude(reference),
            gradient_magnitude(alpha),
            drawn[..., 0],
            drawn[..., 1],
        ]
    ).astype(np.float32)


@dataclass(frozen=True)
class ExpectedResidual:
    """Weights float64 [S, F] of the squared features in the expected squared residual of each scale."""

    weights: Float64

    def __call__(self, features: Float32) -> Float32:
        """Expected residual [S, H, W] from features [F, H, W]."""
        square = np.tensordot(self.weights.astype(np.float32), features**2, axes=1)
        out: Float32 = np.sqrt(square + np.float32(_FLOOR**2))
        return out


def fit_expected(residuals: Sequence[Float32], features: Sequence[Float32], seed: int = 0) -> ExpectedResidual:
    """Weights >= 0 by which squared features best explain squared residuals of held-out good views.

    Args:
        residuals: of each view, [S, H, W].
        features: of each view, [F, H, W].
        seed: chooses the pixels; those where every feature but the first vanishes are taken sparsely.

    A residual's spread grows with its size, hence two rounds of non-negative least squares weighted by the last
    round's expectation (Lawson and Hanson, 1974).
    """
    rng = np.random.default_rng(seed)
    rows, values = [], []
    for r, f in zip(residuals, features, strict=True):
        flat = f.reshape(len(f), -1)
        busy = flat[1:].max(axis=0) > 0.01
        chosen = np.concatenate(
            [
                rng.permutation(np.flatnonzero(busy))[:6000],
                rng.permutation(np.flatnonzero(~busy))[:1500],
            ]
        )
        rows.append(flat[:, chosen].T.astype(np.float64) ** 2)
        values.append(r.reshape(len(r), -1)[:, chosen].T.astype(np.float64) ** 2)
    a, b = np.concatenate(rows), np.concatenate(values)
    weights = np.zeros((len(SCALES_PX), a.shape[1]))
    for s in range(len(SCALES_PX)):
        expected = np.full(len(a), b[:, s].mean())
        for _ in range(3):
            scale = 1.0 / (expected + _FLOOR**2)
            weights[s] = nnls(a * scale[:, None], b[:, s] * scale)[0]
            expected = a @ weights[s]
    return ExpectedResidual(weights)
