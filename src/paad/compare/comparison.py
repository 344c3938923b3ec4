"""Query against reference: render the good object at the query's pose and say where they differ more than expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from paad.compare.comparator import comparator_channels, object_window, trained_comparator
from paad.compare.expected import ExpectedResidual, expectation_features, fit_expected, remembered_from
from paad.compare.residual import residual_maps
from paad.compare.support import Support, beside_no_view, learn_support, log_support
from paad.compare.surroundings import surroundings_of
from paad.fields.field import Field
from paad.fields.light import drawn_beside_with
from paad.geometry.camera import Camera
from paad.geometry.pixels import largest_difference
from paad.geometry.se3 import camera_centre
from paad.pose.query import QueryImage
from paad.pose.refine import Alignment
from paad.render.splats import Picture
from paad.types import Bool, Float32, Float64

_LIKE_BACKGROUND = 0.06
_AS_EXPECTED, _MOST_EXPECTED = 2.0, 1.25
"""Residuals, in those expected, that a good specimen may show, and expected ones, in usual errors, that count. Without
the second other toys explained 0.66 to 0.87 of a real toy's model, with it 0.40 to 0.78; right photos of it and of four
other objects lose 0.07 at most."""
_DIM = 0.8
"""Brightness, relative to the usual, below which a photo counts as dim."""
_ROUGH = 0.045
"""Error of good views, see :attr:`Expectation.error`, from which on a field is rough."""
_CLEARLY_MORE = 0.03
"""Of the object, than a wrong pose explains."""
_LOGITS = np.float32(2.0)
"""Logits by which a pixel's anomaly grows e times; a residual ratio's logarithm weighs about as much in a logit."""


@dataclass(frozen=True)
class Comparison:
    """A query beside the field at its pose.

    Attributes:
        query: at the compared resolution [H, W].
        reference: the field at the query's pose and brightness, RGB [H, W, 3]; over its own background, or over what
            surrounds the object in a photo that came without a mask.
        alpha, depth: the field's coverage and depth [H, W], as it draws them.
        cam_from_world: the pose [4, 4].
        residuals: [S, H, W], see :func:`paad.compare.residual.residual_maps`.
        features: [S, F, H, W], see :func:`paad.compare.expected.expectation_features`.
        support: by training views around the viewing direction, see :func:`paad.compare.support.log_support`.
        dimmed: 1, or how much darker the photo shows the object than light somewhat below the usual.
        unseen: whether no training view is near it, see :func:`paad.compare.support.beside_no_view`.
    """

    query: QueryImage
    reference: Float32
    alpha: Float32
    depth: Float32
    cam_from_world: Float64
    residuals: Float32
    features: Float32
    support: float
    unseen: bool
    dimmed: float = 1.0


@dataclass(frozen=True)
class Expectation:
    """What good specimens show.

    Attributes:
        remembered: by each Gaussian [N, 11, S].
        expected: residuals as features explain them.
        unit: [S], the ratio of residual and expected residual at which a good view usually peaks.
        peak: the comparator's logit at which a good view usually peaks.
        support: how much higher it peaks where few training views are near.
        error: by how much good views are usually missed: root of the mean squared difference over the object.
        trusted: the share of the object that must be explained, see :meth:`explained`, for a pose to be believed; 0
            where poses are found as they should be.
        agreeing: how well colours and edges must agree for a verdict where the object had to be told from its
            surroundings, see :func:`paad.pose.estimate.agreement_at`.
    """

    remembered: Float32
    expected: ExpectedResidual
    unit: Float64
    peak: float
    support: Support
    error: float
    trusted: float = 0.0
    agreeing: float = 0.0

    @property
    def rough(self) -> bool:
        """Whether good views are missed by much: photos on tables, real photos, few views."""
        return self.error > _ROUGH

    def anomaly_map(self, compared: Comparison) -> Float32:
        """How anomalous each pixel is [H, W]; 1 is where a good view from that direction usually peaks."""
        peak = self.peak + self.support.excess(compared.support)
        return _in_peaks(_logits(compared, self.expected, self.unit), peak)

    def explained(self, compared: Comparison) -> float:
        """Share of the object, in either picture, that looks as a good specimen may: residual below twice the expected.

        Where more than the usual error is expected, as at rough outlines or on a side that no view shows, little more
        than that counts: there anything would be as expected. In a dark photo as much less is: dark is like dark.
        From 0.6 with a large part missing to 1; a few per cent for other objects, where the field is good.
        """
        query = compared.query
        there = compared.alpha > 0.5
        if query.photo is None and query.mask is not None:
            there |= query.mask > 0.5
        expected = np.minimum(self.expected(compared.features)[0], np.float32(_MOST_EXPECTED * self.error))
        usual = compared.residuals[0] < np.float32(_AS_EXPECTED * compared.dimmed) * expected
        return float(usual[there].mean()) if there.any() else 0.0


def outlines_agree(compared: Comparison) -> float:
    """Overlap of the photo's outline and the field's, intersection over union; 0 where the photo's is guessed."""
    query = compared.query
    if query.photo is not None or query.mask is None:
        return 0.0
    shown, drawn = query.mask > 0.5, compared.alpha > 0.5
    return float((shown & drawn).sum() / max(1, int((shown | drawn).sum())))


def compare(field: Field, remembered: Float32, query: QueryImage, found: Alignment, longest: int) -> Comparison:
    """Compare ``query`` with ``field`` at the pose and through the lens ``found``.

    Photos longer than ``longest`` pixels are reduced.
    """
    field = field.over(query.background)
    level = query.scaled(min(1.0, longest / max(query.camera.width, query.camera.height))).through(found.lens)
    photo = level.image if level.photo is None else level.photo
    remembered = remembered_from(field, remembered, found.cam_from_world)
    picture, shown = drawn_beside_with(remembered, field, photo, found.cam_from_world, level.camera, found.gain)
    reference, alpha, depth = picture
    features = expectation_features(shown, reference, alpha)
    if level.photo is not None:
        around = surroundings_of(level.photo, alpha) - field.background
        reference = (reference + (1.0 - alpha)[..., None] * around).astype(np.float32)
        level = replace(level, image=level.photo)
    dimmed = _dimmed(field, picture, found, level.camera)
    residuals = residual_maps(level.image, reference)
    support, unseen, towards = 0.0, False, _towards(field, found.cam_from_world)
    if field.bounded:  # what else is in a room is seen from within
        support, unseen = log_support(field.directions, towards), beside_no_view(field.directions, towards)
    return Comparison(
        level, reference, alpha, depth, found.cam_from_world, residuals, features, support, unseen, dimmed
    )


def _dimmed(field: Field, lit: Picture, found: Alignment, camera: Camera) -> float:
    there = lit.alpha > 0.5
    if field.shading is None or not there.any():
        brightness = float(found.gain.mean())
    else:
        usual = float(field.draw(found.cam_from_world, camera).colour[there].mean())
        brightness = float(lit.colour[there].mean()) / max(usual, 1e-3)
    return min(1.0, brightness / _DIM)


def _towards(field: Field, cam_from_world: Float64) -> Float64:
    """The unit vector [3] from the object's centre to a camera."""
    eye = camera_centre(cam_from_world) - field.centre
    towards: Float64 = eye / max(float(np.linalg.norm(eye)), 1e-9)
    return towards


def learn_expectation(remembered: Float32, good: Sequence[Comparison]) -> tuple[Expectation, list[Float32]]:
    """The expectation that explains good views which the field was not fitted to, at least one; and their maps."""
    expected = fit_expected([c.residuals for c in good], [c.features for c in good])
    ratios = np.stack([(c.residuals / expected(c.features)).max(axis=(1, 2)) for c in good])
    unit = np.median(ratios, axis=0)
    error = float(np.median([_error(c) for c in good]))
    logits = [_logits(c, expected, unit) for c in good]
    peaks = [float(found.max()) for found in logits]
    support = learn_support([c.support for c in good], peaks)
    excess = [support.excess(c.support) for c in good]
    peak = float(np.median(np.subtract(peaks, excess)))
    maps = [_in_peaks(found, peak + more) for found, more in zip(logits, excess, strict=True)]
    return Expectation(remembered, expected, unit, peak, support, error), maps


def least_trusted(right: Sequence[float], wrong: Sequence[float]) -> float:
    """The share of the object from which on at most a third of the poses that explain so much are wrong.

    ``right``, ``wrong``: shares that were explained, see :meth:`Expectation.explained`, by poses that a search found
    for views whose pose is known. 0 where the wrong ones are few at any share.
    """
    return next(  # above the largest of the wrong ones there is none
        least
        for least in sorted([0.0, *(share + _CLEARLY_MORE for share in wrong)])
        if 2 * sum(s >= least for s in wrong) <= sum(s >= least for s in right)
    )


def _in_peaks(logits: Float32, peak: float) -> Float32:
    """Logits as how anomalous a pixel is, in units of a good view's usual peak."""
    out: Float32 = np.exp((logits - np.float32(peak)) / _LOGITS)
    return out


def _error(compared: Comparison) -> float:
    """Root of the mean squared difference over the object and the channels."""
    off = (compared.query.image - compared.reference)[compared.alpha > 0.5]
    return float(np.sqrt((off**2).mean())) if len(off) else 0.0


def _logits(compared: Comparison, expected: ExpectedResidual, unit: Float64) -> Float32:
    """The comparator's logits [H, W]; where neither picture shows the object, the least of them."""
    image, reference = compared.query.image, compared.reference
    window = object_window(compared.alpha, image, reference)
    channels = comparator_channels(
        image[window],
        reference[window],
        compared.alpha[window],
        expected(compared.features[(slice(None), slice(None), *window)]),
        compared.residuals[(slice(None), *window)],
        unit,
    )
    found = trained_comparator().logits(channels)
    out = np.full(compared.alpha.shape, found.min(), np.float32)
    out[window] = found
    return out


def shows_background(field: Field, compared: Comparison) -> Bool | None:
    """Where the query shows the field's background [H, W]; None in open scenes, which have none."""
    if not field.bounded:
        return None
    photo = compared.query.photo
    ground = compared.query.background if photo is None else surroundings_of(photo, compared.alpha)
    near: Bool = largest_difference(compared.query.image, ground) < _LIKE_BACKGROUND
    if photo is None and compared.query.mask is not None:
        near |= compared.query.mask < 0.5
    return near


def enlarged(picture: Float32, width: int, height: int) -> Float32:
    """``picture`` [h, w] or [h, w, C] at another size, bilinear."""
    if picture.shape[:2] == (height, width):
        return picture
    out: Float32 = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return out
