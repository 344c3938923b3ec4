"""What residual a good specimen shows where: learned from how the training views are missed, scaled on held-out ones.

Each Gaussian remembers how badly the views it appears in were reproduced around it, and from which side; rendered,
this is a map of the places that are hard from here (edges, glints, what few views saw). A held-out view's squared
residual is then explained as a sum of few such maps with weights >= 0: its square root is the unit of anomaly maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paad.compare.residual import SCALES_PX, blur, gradient_magnitude
from paad.fields.field import Field
from paad.geometry.se3 import camera_centre
from paad.render.constants import SH_C0, SH_C1, SH_C2
from paad.types import Float32, Float64

FEATURES = ("noise", "edges", "outline", "near edges", "near outline", "usual", "worst", "from here")
_FLOOR = 0.004
"""Least expected residual: a step of 8-bit colour."""
_NEAR_PX = 1.5
BASES = 9


def remembered_from(field: Field, remembered: Float32, cam_from_world: Float64) -> Float32:
    """What each Gaussian remembers, seen from a pose: at each scale from here, usually, at worst: [N, 3 S]."""
    towards = field.splats.means - camera_centre(cam_from_world).astype(np.float32)
    towards /= np.sqrt((towards**2).sum(axis=1, keepdims=True))
    here = np.einsum("bn,nbs->ns", harmonics(towards), remembered[:, :BASES])
    values = np.stack([here, *np.moveaxis(remembered[:, BASES:], 1, 0)], axis=2)  # [N, S, 3]
    out: Float32 = np.maximum(values, 0.0).reshape(len(values), -1).astype(np.float32)
    return out


def expectation_features(shown: Float32, reference: Float32, alpha: Float32) -> Float32:
    """Maps [S, F, H, W] that explain residuals at a pose: see FEATURES.

    Args:
        shown: [3 S, H, W], :func:`remembered_from` that pose, blended over 0.
        reference: RGB [H, W, 3].
        alpha: the field's coverage [H, W].
    """
    edges, outline = gradient_magnitude(reference), gradient_magnitude(alpha)
    common = [np.ones_like(alpha), edges, outline, blur(edges, _NEAR_PX), blur(outline, _NEAR_PX)]
    out = []
    for here, usual, worst in shown.reshape(len(SCALES_PX), 3, *alpha.shape):
        here = blur(np.maximum(here, 0.15 * usual), SCALES_PX[0])
        out.append(np.stack([*common, np.sqrt(usual), np.sqrt(worst), np.sqrt(here)]))
    return np.stack(out).astype(np.float32)


def harmonics(directions: Float32) -> Float32:
    """Real spherical harmonics [9, N] of unit ``directions`` [N, 3], in the rasterizer's order and signs."""
    x, y, z = directions.T
    out: Float32 = np.stack(
        [
            np.full_like(x, SH_C0),
            -SH_C1 * y,
            SH_C1 * z,
            -SH_C1 * x,
            SH_C2[0] * x * y,
            -SH_C2[0] * y * z,
            SH_C2[1] * (2 * z * z - x * x - y * y),
            -SH_C2[0] * x * z,
            SH_C2[2] * (x * x - y * y),
        ]
    ).astype(np.float32)
    return out


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
