"""Where a photo's camera was: searches from cheap to thorough, and how far what they find is to be believed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import cv2
import numpy as np

from paad.compare.comparison import Comparison, compare, outlines_agree
from paad.detectors.paad_state import Learned
from paad.errors import PoseError
from paad.fields.field import Field
from paad.geometry.camera import Camera, Lens
from paad.geometry.se3 import camera_centre
from paad.pose.estimate import ANYWHERE, THOROUGH, PoseConfig, agreement_at, search
from paad.pose.query import QueryImage, cameras_of_photo, cut_by_colour, prepare_query
from paad.pose.refine import Alignment
from paad.types import Float32

_LEAST_EXPLAINED, _LEAST_OF_ROUGH, _LEAST_CUT_OUT = 0.4, 0.55, 0.6
"""Share of the object that a good specimen must explain for a verdict, see :meth:`Expectation.explained`: of a good
field, of a rough one, and where the object had to be told from surroundings that nobody knows. Other objects and wrong
poses reach 0.3, 0.5 and 0.6, or nearly: of 360 photos of four random assemblies on tables 27 of the 32 poses that were
wrong explain less than 0.6, and 1 of the others."""
_LEAST_PAINTED, _SAME_OUTLINE = 0.2, 0.95
"""An outline that overlaps the object's by so much is no other object's, and most of what is inside may then be painted
over. A round toy on another's model reaches 0.91; at right poses 56 of 61 good and stained photos of three random
assemblies overlap by more, all of those at 400 px."""
_DOUBTFUL, _DOUBTFUL_OF_OUTLINED = 0.8, 0.6
"""Below this share the pose is searched for again: thoroughly, and in the photo as it is, nothing cut out; where the
object had to be told from its surroundings, unless the pose surely agrees. Beside a photo whose outline is known a good
field is at a wrong pose below 0.4: of the photos of five random assemblies 31 had shares of 0.54 to 0.8 and poses
within 0.33 degrees, 5 had shares of 0.07 to 0.34 and poses 0.6 to 178 degrees off."""


_SURELY_MORE = 0.5
"""By how much more than they must colours and edges agree for a pose on a table not to be in doubt."""
_NEAREST, _FARTHEST = 0.5, 2.5
"""Distances, in those of the training views, at which an object is believed to be that had to be told from its
surroundings, or was not: a speck far away looks like anything. Photos of four random assemblies shown to each other's
models got verdicts as specks of a tenth of the usual area and less."""


@dataclass(frozen=True)
class Found:
    """A photo beside the field at the pose that was found.

    Attributes:
        compared: the comparison at that pose.
        gain: [3], of the field's brightness.
        lens: the photo's beside that of the camera it was taken for.
        explained: share of the object that looks as a good specimen may; 0 where its place says that it is another.
        agreement: of colours and edges where the object had to be told from its surroundings; 0 elsewhere.
        render_s: seconds that the comparison took.
    """

    compared: Comparison
    gain: Float32
    lens: Lens
    explained: float
    agreement: float
    render_s: float


def find(learned: Learned, rgb: Float32, alpha: Float32 | None, longest: int) -> Found:
    """The pose of a photo [H, W, 3] with mask [H, W] or without, for the likeliest of the cameras it may be from.

    ``longest``: the longer side, in pixels, of what is compared.

    Raises:
        PoseError: no pose with any of them.
    """
    cameras = cameras_of_photo(learned.field.camera, rgb.shape[1], rgb.shape[0])
    queries = [_query(learned.field, rgb, alpha, camera) for camera in cameras]
    templates = learned.guide.templates
    coloured = [] if templates is None else [cut_by_colour(q, templates.colours) for q in queries]
    by_colour = [q for q in coloured if q is not None]
    guessed = [q for q in queries if q.photo is not None]
    # a window cut out of a picture may hold little but the object, and telling it from surroundings then fails
    uncut = [QueryImage(q.photo, None, q.camera, q.background) for q in queries if q.photo is not None]
    best: Found | None = None
    failure = PoseError("no camera was tried")
    for some, config in (
        (queries, PoseConfig()),
        (guessed, ANYWHERE),
        (by_colour, PoseConfig()),
        (by_colour, THOROUGH),
        (queries, THOROUGH),
        (uncut, PoseConfig()),
    ):
        tried: list[tuple[QueryImage, Alignment]] = []
        for query in some:
            try:
                tried.append((query, search(learned.field, learned.guide, query, config)[0]))
            except PoseError as error:
                failure = error
        if tried:
            found = compared_at(learned, *min(tried, key=lambda t: t[1].cost), longest)
            best = found if best is None or found.explained > best.explained else best
        if best is not None and best.explained > _doubtful(learned, best):
            break
    if best is None:
        raise failure
    return best


def _doubtful(learned: Learned, found: Found) -> float:
    """The share explained from which on no other search is tried."""
    query = found.compared.query
    if query.photo is None and query.mask is not None:
        return _DOUBTFUL if learned.expectation.rough else _DOUBTFUL_OF_OUTLINED
    if is_guessed(learned.field, found.compared):
        surely = found.agreement > learned.expectation.agreeing + _SURELY_MORE
        return least_explained(learned, found) if surely else 1.0
    return _DOUBTFUL


def least_explained(learned: Learned, found: Found) -> float:
    """The share of the object that must be explained for a verdict."""
    return max(learned.expectation.trusted, _least_of_its_kind(learned, found))


def _least_of_its_kind(learned: Learned, found: Found) -> float:
    if is_guessed(learned.field, found.compared):
        return _LEAST_CUT_OUT
    if learned.expectation.rough:
        return _LEAST_OF_ROUGH
    return _LEAST_PAINTED if outlines_agree(found.compared) > _SAME_OUTLINE else _LEAST_EXPLAINED


def compared_at(learned: Learned, query: QueryImage, alignment: Alignment, longest: int) -> Found:
    """The photo beside the field at a pose that a search led to, and how far it is believed."""
    began = time.perf_counter()
    field, expectation = learned.field, learned.expectation
    compared = compare(field, expectation.remembered, query, alignment, longest)
    explained, agrees = expectation.explained(compared), 0.0
    if is_guessed(field, compared):
        agrees = agreement_at(field, query, compared.cam_from_world, alignment.lens)
        if agrees < expectation.agreeing or not _at_usual_distance(field, compared, alignment.lens.zoom):
            explained = 0.0
    return Found(compared, alignment.gain, alignment.lens, explained, agrees, time.perf_counter() - began)


def is_guessed(field: Field, compared: Comparison) -> bool:
    """Whether nothing but guesses says where the object ends in the photo."""
    return field.bounded and (compared.query.photo is not None or compared.query.mask is None)


def _at_usual_distance(field: Field, compared: Comparison, zoom: float) -> bool:
    eye = camera_centre(compared.cam_from_world) - field.centre
    return _NEAREST < float(np.linalg.norm(eye)) / (zoom * field.distance) < _FARTHEST


def _query(field: Field, rgb: Float32, alpha: Float32 | None, camera: Camera) -> QueryImage:
    """The photo no larger than the training views, its object told from its surroundings."""
    longest = max(field.camera.width, field.camera.height)
    if max(camera.width, camera.height) > longest:
        camera = camera.scaled(longest / max(camera.width, camera.height))
    small = None if alpha is None else _reduced(alpha, camera)
    return prepare_query(_reduced(rgb, camera), small, camera, field.background, field.bounded)


def usually_explained(learned: Learned) -> float:
    """The share that most photos must explain for a verdict: more than usual where few views leave poses in doubt."""
    return max(_LEAST_OF_ROUGH if learned.expectation.rough else _LEAST_EXPLAINED, learned.expectation.trusted)


def _reduced(picture: Float32, camera: Camera) -> Float32:
    if picture.shape[:2] == (camera.height, camera.width):
        return picture
    out: Float32 = cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return out
