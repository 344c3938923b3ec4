"""Starts for a photo whose object could only be guessed: a shadow or a stripe of the table was taken for a part of it.

Templates are laid over the photo as it was taken, at many places and sizes around the guessed outline. Only what lies
under a template is compared in colour; what the guess says beside it counts as much as what it says under it. That
tells less than a known outline does, and turns about the line of sight are therefore limited to those of the training
views around: on a table nothing stands on its head. The full search tries all.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.pose.descriptors import ANGLES, RING_WEIGHTS, Hypothesis, PolarView, describe
from paad.pose.query import QueryImage
from paad.pose.templates import Templates, pose_of_hypothesis
from paad.types import Float32, Float64

_ASIDE = [(0.0, 0.0)] + [
    (aside * math.cos(2 * math.pi * k / around), aside * math.sin(2 * math.pi * k / around))
    for aside, around in ((0.17, 6), (0.34, 10))
    for k in range(around)
]
_LARGER = (0.8, 0.9, 1.0, 1.12)
_GUESSED = np.float32(0.1)
"""Squared colour difference that a pixel counts at which template and guessed outline disagree."""
_ROLLED_DEG = 30.0
_OF_EACH_VIEW = 200


@dataclass(frozen=True)
class Layers:
    """N templates as spectra along the angle, complex64, conjugate; and sums over their rings.

    ``shown`` [N, RINGS, K] where the object is, ``colours`` [N, RINGS, K, 3]; ``squares`` and ``areas`` [N];
    ``usual`` [N, ANGLES], whether a roll is one of training views.
    """

    shown: NDArray[np.complex64]
    colours: NDArray[np.complex64]
    squares: Float32
    areas: Float32
    usual: NDArray[np.bool_]

    @staticmethod
    def of(templates: Templates) -> Layers:
        rings = templates.rings.astype(np.float32) / np.float32(255.0)
        colours, alpha = rings[..., :3], rings[..., 3]
        shown, coloured = (np.fft.rfft(v, axis=2).conj().astype(np.complex64) for v in (alpha, colours))
        squares = np.einsum("nra,nr->n", (colours**2).sum(axis=-1) / np.maximum(alpha, 1e-3), _weights(rings))
        rolls = 2 * np.pi * np.arange(ANGLES) / ANGLES - templates.rolls[:, None]
        usual = np.cos(rolls) > math.cos(math.radians(_ROLLED_DEG))
        return Layers(shown, coloured, squares, np.einsum("nra,nr->n", alpha, _weights(rings)), usual)

    def differences(self, photo: Float32) -> Float32:
        """Mean squared difference [N, ANGLES] of a photo's rings [RINGS, ANGLES, 4] and each template in each roll."""
        weighed = photo * RING_WEIGHTS
        colours, guess = weighed[..., :3], weighed[..., 3]
        square = (colours * photo[..., :3]).sum(axis=-1)
        under = np.fft.rfft(square - 2 * _GUESSED * guess, axis=1).astype(np.complex64)
        alike = np.fft.rfft(colours, axis=1).astype(np.complex64)
        sums = np.einsum("rk,nrk->nk", under, self.shown) - 2 * np.einsum("rkc,nrkc->nk", alike, self.colours)
        constant = self.squares + _GUESSED * self.areas + _GUESSED * float(guess.sum())
        out: Float32 = ((np.fft.irfft(sums, n=ANGLES, axis=1) + constant[:, None]) / ANGLES).astype(np.float32)
        return out


def _weights(rings: Float32) -> Float32:
    out: Float32 = np.broadcast_to(RING_WEIGHTS[None, :, 0, 0], rings.shape[:2])
    return out


def upright_poses(templates: Templates, query: QueryImage, centre: Float64, count: int) -> list[Float64]:
    """The ``count`` best starts [4, 4] that are rolled as training views are; at most two of each template.

    Args:
        templates: the object from all around.
        query: whose object had to be told from its surroundings; none are found for others.
        centre: of the object [3].
        count: how many to return.
    """
    if query.photo is None or query.mask is None:
        return []
    layers = Layers.of(templates)
    found: list[tuple[Hypothesis, PolarView]] = []
    for aside in _ASIDE:
        for larger in _LARGER:
            view = describe(query.photo, query.mask, query.camera, aside, larger, beyond=True)
            off = np.where(layers.usual, layers.differences(view.rings), np.inf)
            for k in np.argpartition(off, min(_OF_EACH_VIEW, off.size - 1), axis=None)[:_OF_EACH_VIEW]:
                template, angle = divmod(int(k), ANGLES)
                hypothesis = Hypothesis(template, 2 * math.pi * angle / ANGLES, float(off[template, angle]))
                found.append((hypothesis, view))
    used: Counter[int] = Counter()
    out: list[Float64] = []
    for guess, view in sorted(found, key=lambda f: f[0].distance):
        used[guess.template] += 1
        if used[guess.template] <= 2 and len(out) < count and math.isfinite(guess.distance):
            out.append(pose_of_hypothesis(guess, view, templates, centre))
    return out
