"""What a fit of the ``paad`` method makes of views: a field, how a pose is found in it, and what good views show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paad.compare.calibration import Calibration, calibrate
from paad.compare.comparison import Comparison, Expectation, compare, learn_expectation, least_trusted
from paad.compare.specimen import GoodSurface
from paad.compare.surface import on_surface, surface_of
from paad.detectors.paad_find import is_guessed
from paad.detectors.paad_state import as_stored, remembered_as_stored
from paad.errors import DataError, PoseError
from paad.fields.config import FieldConfig, FitLog, Quality, mean_quality
from paad.fields.field import Field
from paad.geometry.camera import Camera
from paad.geometry.pixels import squared_distance
from paad.geometry.se3 import rotation_error_deg
from paad.pose.estimate import (
    ANYWHERE,
    SURELY_AGREEING,
    Guide,
    PoseConfig,
    agreement_at,
    search,
    settled_at,
)
from paad.pose.landmarks import find_landmarks
from paad.pose.query import QueryImage, prepare_query
from paad.pose.refine import Alignment
from paad.pose.templates import render_templates
from paad.types import Float32, Float64, PosedView, Progress

SAME_POSE_DEG = 5.0
"""A held-out view that is found farther from its pose than this tells nothing of what good views show."""
_SAME_COLOUR, _SAME_LOOK = 0.1, 0.95
"""Largest distance of two colours that are the same, and the share of the object that has to have the same."""
_REMEMBERED_VIEWS = 240
_SHORTER = 3
"""Share of the steps, as a divisor, that a fit gets which only serves to calibrate."""
_FOLDS = 5
_AGREEING, _LESS_AGREEING = (1.0, 1.5), 1.5
"""Agreement of colours and edges, see :func:`paad.pose.estimate.agreement_at`, below which an object that had to be
told from its surroundings is somewhere else: between these two, and so much less than good views usually agree by.
Photos with defects of six random assemblies on tables, two of them learned without masks, too, agree at right poses by
0.5 to 1.4 less than the median of the good views in the worst case, and at wrong ones by 0.2 to 1.0 in all; photos
of others agree by up to 1.6, with a nearly white toy by up to 2.0."""
_LANDMARK_VIEWS = 24
"""Of an object that has silhouettes: landmarks are then needed only for photos whose object cannot be cut out."""


@dataclass(frozen=True)
class Refound:
    """A view of known pose beside the field at the pose that a search found, and whether that is a ``right`` one."""

    compared: Comparison
    right: bool


@dataclass(frozen=True)
class Base:
    """A field, what a search in it starts from, and what its Gaussians remember of the training views."""

    field: Field
    guide: Guide
    remembered: Float32


def base_of(
    views: Sequence[PosedView],
    config: FieldConfig,
    points: tuple[Float64, Float32] | None,
    template_spacing_deg: float,
    device: str,
    progress: Progress | None = None,
    watched: Sequence[PosedView] = (),
) -> tuple[Base, FitLog]:
    """The field of ``views``, as it is stored, and what is made of it.

    Raises:
        DataError: as :func:`paad.fields.build.build_field`.
    """
    from paad.fields.build import build_field

    field, log = build_field(views, config, points, device, progress, watched)
    field = as_stored(field)
    poses = [v.cam_from_world for v in views]
    templates = render_templates(field, poses, template_spacing_deg) if field.bounded else None
    shown = views if not field.bounded else views[:: max(1, len(views) // _LANDMARK_VIEWS)]
    guide = Guide(templates, find_landmarks(field, shown))
    return Base(field, guide, _remembered(field, views, config)), log


def with_all_views(
    base: Base, views: Sequence[PosedView], config: FieldConfig, progress: Progress | None = None
) -> Base:
    """``base`` after its field was fitted on to all ``views``, those that calibrated it among them; see
    :func:`paad.fields.build.fit_also`.

    What its good views showed before stays an honest measure, and a little too large: photos to inspect come between
    more views now. By how much is foreseen where scores allow for the number of views around (``compare/support.py``).
    """
    from paad.fields.build import fit_also

    field = as_stored(fit_also(base.field, views, config, _told(progress, "with views kept aside")))
    return replace(base, field=field, remembered=_remembered(field, views, config))


def _remembered(field: Field, views: Sequence[PosedView], config: FieldConfig) -> Float32:
    from paad.compare.remembered import remembered_residuals
    from paad.fields.targets import targets_of

    box = (field.low, field.high) if field.bounded else None
    sample = [views[i] for i in _evenly(len(views), _REMEMBERED_VIEWS)]
    targets = targets_of(sample, field.background, box, field.cut_out, "none", config.max_side)
    return remembered_as_stored(remembered_residuals(field, [t.to(field.device) for t in targets]))


def _evenly(count: int, at_most: int) -> list[int]:
    """Indices below ``count``, at most so many, evenly spread."""
    chosen = min(count, at_most)
    return [k * count // chosen for k in range(chosen)]


def good_views(base: Base, views: Sequence[PosedView], masked: bool, longest: int) -> list[Comparison]:
    """Comparisons of good views, each of which is a query; those that are found where they are.

    Where the object has to be told from its surroundings all count, the others at their own poses: by chance a table
    may mislead most of so few views, and photos whose pose is not found get no verdict.

    ``masked``: whether they are cut out by their masks, as photos are that bring one; ``longest``: the longer side, in
    pixels, of what is compared.

    Raises:
        DataError: none of them is found.
    """
    field, good = base.field, []
    for view in views:
        query = _as_query(field, view, masked)
        found = _found(base, query, view.cam_from_world)
        if found is not None:
            good.append(compare(field, base.remembered, query, found, longest))
    if not good and field.cut_out and not masked:
        return good_views(base, views, True, longest)  # then photos that bring masks can be judged
    if not good:
        raise DataError(
            f"none of {len(views)} views kept aside was found again by the fitted field; "
            "check the poses and masks with 'paad data check'"
        )
    return good


def _found(base: Base, query: QueryImage, truth: Float64) -> Alignment | None:
    guessed = query.photo is not None
    for config in (PoseConfig(), ANYWHERE)[: 1 + guessed]:
        try:
            found = search(base.field, base.guide, query, config)[0]
        except PoseError:
            continue
        right = rotation_error_deg(found.cam_from_world, truth) < SAME_POSE_DEG
        if right and (
            not guessed or agreement_at(base.field, query, found.cam_from_world, found.lens) > SURELY_AGREEING
        ):
            return found
    return settled_at(base.field, query, truth, PoseConfig()) if guessed else None


def left_out_in_turn(
    views: Sequence[PosedView],
    config: FieldConfig,
    points: tuple[Float64, Float32] | None,
    template_spacing_deg: float,
    device: str,
    masked: bool,
    progress: Progress | None = None,
) -> tuple[list[Comparison], list[Refound], Quality | None]:
    """Views too few to keep any aside, each beside a shorter fit of others.

    Returns comparisons at their own poses, what a search finds instead (so poor a field is not always found again),
    and how well the views are drawn.
    """
    from paad.fields.build import measure_quality

    shorter = replace(config, steps=max(1, config.steps // _SHORTER))
    good, refound = list[Comparison](), list[Refound]()
    qualities = list[Quality]()
    folds = min(len(views), _FOLDS)
    for fold in range(folds):
        rest = [v for i, v in enumerate(views) if i % folds != fold]
        base, _ = base_of(
            rest, shorter, points, template_spacing_deg, device, _told(progress, f"calibration {fold + 1} of {folds}")
        )
        aside, longest = views[fold::folds], longest_side(base.field, config)
        qualities += [q for q in (measure_quality(base.field, aside),) if q is not None]
        for view in aside:
            query = _as_query(base.field, view, masked)
            at = Alignment.start(view.cam_from_world)
            good.append(compare(base.field, base.remembered, query, at, longest))
            try:
                found = search(base.field, base.guide, query, PoseConfig())[0]
            except PoseError:
                continue
            right = rotation_error_deg(found.cam_from_world, view.cam_from_world) < SAME_POSE_DEG
            right = right or looks_the_same(base.field, found.cam_from_world, view.cam_from_world, view.camera)
            refound.append(Refound(compare(base.field, base.remembered, query, found, longest), right))
    return good, refound, mean_quality(qualities)


def looks_the_same(field: Field, pose: Float64, other: Float64, camera: Camera) -> bool:
    """Whether ``field`` looks the same from two poses [4, 4], as a symmetric object does: either is then right."""
    a, b = field.draw(pose, camera), field.draw(other, camera)
    there = np.maximum(a.alpha, b.alpha) > 0.5
    same = (squared_distance(a.colour, b.colour) < _SAME_COLOUR**2) & (np.abs(a.alpha - b.alpha) < 0.5)
    return bool(there.any()) and float(same[there].mean()) > _SAME_LOOK


def _told(progress: Progress | None, which: str) -> Progress | None:
    """``progress`` that says which fit it is of."""
    if progress is None:
        return None
    return lambda done, total, message: progress(done, total, f"{which}: {message}")


def _as_query(field: Field, view: PosedView, masked: bool) -> QueryImage:
    image = view.image.astype(np.float32) / np.float32(255.0)
    return prepare_query(image, view.mask if masked else None, view.camera, field.background, field.bounded)


def calibrated(
    base: Base, good: Sequence[Comparison], refound: Sequence[Refound] = ()
) -> tuple[Expectation, Calibration, GoodSurface]:
    """The expected residual, the scores of good views and what they show on the surface.

    ``refound``: where a search finds views whose pose is known, if that is not to be relied on.
    """
    expectation, maps = learn_expectation(base.remembered, good)
    shares = [(expectation.explained(r.compared), r.right) for r in refound]
    trusted = least_trusted([s for s, right in shares if right], [s for s, right in shares if not right])
    expectation = replace(expectation, trusted=trusted, agreeing=_least_agreeing(base.field, good))
    surface = surface_of(base.field)
    shown = [
        on_surface(surface, a, c.alpha, c.depth, c.cam_from_world, c.query.camera)
        for a, c in zip(maps, good, strict=True)
    ]
    stored = np.stack(shown).astype(np.float16).astype(np.float32)  # as in the file
    return expectation, calibrate([float(a.max()) for a in maps]), GoodSurface(surface, stored)


def _least_agreeing(field: Field, good: Sequence[Comparison]) -> float:
    """How well colours and edges must agree for a verdict on a photo whose object had to be told from elsewhere."""
    agreements = [agreement_at(field, c.query, c.cam_from_world) for c in good if is_guessed(field, c)]
    low, high = _AGREEING
    return float(np.clip(np.median(agreements) - _LESS_AGREEING, low, high)) if agreements else high


def longest_side(field: Field, config: FieldConfig) -> int:
    """The longer side, in pixels, of what is compared: that of the training pictures as they were fitted."""
    return min(max(field.camera.width, field.camera.height), config.max_side)
