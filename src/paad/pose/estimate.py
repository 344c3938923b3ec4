"""From a photo to a pose: templates, several hypotheses, alignment from coarse to fine."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paad.errors import PoseError
from paad.fields.field import Field
from paad.geometry.camera import SAME_LENS, Camera, Lens
from paad.pose.anywhere import BEST_AGREEMENT, agreement, poses_anywhere
from paad.pose.descriptors import Hypothesis, PolarView, describe, match
from paad.pose.landmarks import Landmarks, poses_from_landmarks
from paad.pose.query import QueryImage
from paad.pose.refine import Alignment, align, with_lens
from paad.pose.settle import laid_in, needs_settling, settled
from paad.pose.slide import slid
from paad.pose.templates import Templates, pose_of_hypothesis
from paad.types import Float32, Float64

_COARSE_GAUSSIANS = 8000
_SLID_PX = 40
_SAME_DEG = 2.0
_HOPELESS = 2.5
"""Poses that cost this many times the best one's go no further."""
_WHOLE = [(0.0, 0.0, 1.0), (0.0, 0.0, 1.12)] + [
    (aside * math.cos(k * math.pi / 4), aside * math.sin(k * math.pi / 4), larger)
    for aside, larger in ((0.15, 1.08), (0.3, 1.15))
    for k in range(8)
]
"""Where the middle of a silhouette without a part may have been, and by how much it was larger, see ``describe``."""
_MISSING = 0.25


@dataclass(frozen=True)
class Stage:
    """One alignment of the search, from coarse to fine."""

    object_px: int  # size of the object in pixels; larger photos are reduced to it
    steps: int  # alignment steps at most
    blur_px: float  # standard deviation of the blur
    kept: int  # poses that go on to the next stage
    least_scale: float = 0.3  # least colour difference at which a pixel counts half
    done_px: float = 0.2  # a step that moves the object by less is the last
    apart_deg: float = 0.0  # starts turned by less than this from a pose that was found are not tried


@dataclass(frozen=True)
class PoseConfig:
    """How a pose is searched for."""

    hypotheses: int = 10  # starts from the templates
    incomplete: int = 0  # more of them, as if a part of the silhouette were missing
    anywhere: int = 0  # starts wherever the photo looks like the object, whatever its outline, see paad.pose.anywhere
    slid: int = 0  # of them that are also slid over the picture, see paad.pose.slide; none by default
    stages: tuple[Stage, ...] = (
        Stage(56, 3, 1.0, 3, apart_deg=10.0),
        Stage(120, 3, 1.5, 2),
        Stage(420, 10, 1.0, 1, 0.05),
        Stage(420, 4, 0.5, 1, 0.05, 0.02),
    )
    landmarks: bool = False  # whether to start from landmarks, too, where there is an outline
    settling_steps: int = 15  # of the last alignment, where the field does not look like the photo as it is
    gain_stiffness: float = 0.05  # how reluctantly brightness is corrected


ANYWHERE = PoseConfig(
    hypotheses=0,
    anywhere=12,
    stages=(Stage(56, 12, 1.5, 4, 0.1), Stage(120, 12, 1.0, 2, 0.1), Stage(420, 12, 0.5, 1, 0.1)),
)
"""For a photo on a table whose object's guessed outline misleads, and which is rolled as training views are: nothing is
cut out, the field is laid into the photo under its light, see :func:`paad.pose.settle.laid_in`."""
_ALIKE = 0.35
SURELY_AGREEING, _AGREEMENT_PX = 2.0, 80.0
"""Agreement of colours and edges, see :func:`agreement_at`, from which on a pose on a table is hardly in doubt, and
the object's size in pixels at which it is measured. Under a light of its own a stripe of a table looks like many an
object, and was explained to 0.99, but has not its edges. Of 79 photos of four random assemblies on tables 77 are found
within 5 degrees (76 within one) and agree by 1.88 to 3.25, two are at wrong poses (0.23, 0.63); 50 photos of others
shown to five models agree by -0.10 to 1.58 (``benchmarks/poses_on_tables.py``), two of 36 others by 1.85 and 1.96."""
THOROUGH = PoseConfig(
    hypotheses=10,
    incomplete=40,
    slid=20,
    landmarks=True,
    stages=(
        Stage(56, 3, 1.0, 6, apart_deg=6.0),
        Stage(120, 3, 1.5, 3),
        Stage(420, 10, 1.0, 1, 0.05),
        Stage(420, 4, 0.5, 1, 0.05, 0.02),
    ),
)
"""For a photo whose outline misleads: a large part is missing, or is as bright as the background, or the object is cut
out badly. Three times as long."""


def object_size_px(query: QueryImage, field: Field) -> float:
    """About how many pixels the object measures in the query."""
    if query.mask is not None:
        return 2.0 * float(np.sqrt(max(query.mask.sum(), 1.0) / np.pi)) * 1.3
    return usual_size_px(query, field)


def usual_size_px(query: QueryImage, field: Field) -> float:
    """How many pixels the object's sphere measures in a query from the usual distance."""
    return 2.0 * query.camera.fx * field.radius / field.distance


def agreement_at(field: Field, query: QueryImage, cam_from_world: Float64, lens: Lens = SAME_LENS) -> float:
    """How well colours and edges of the field at a pose [4, 4] agree with the query as it was taken, through a lens of
    its own; at most 4."""
    level = query.scaled(min(1.0, _AGREEMENT_PX / usual_size_px(query, field))).through(lens)
    return agreement(field.over(query.background), level, cam_from_world)


@dataclass(frozen=True)
class Guide:
    """What a search starts from: silhouette templates (None for open scenes) and landmarks (None where not needed)."""

    templates: Templates | None
    landmarks: Landmarks | None


def search(field: Field, guide: Guide, query: QueryImage, config: PoseConfig) -> list[Alignment]:
    """The best poses of ``query``, best first; never empty.

    Raises:
        PoseError: nothing that could be the object is seen, or no start leads anywhere.
    """
    starts = starting_poses(field, guide, query, config)
    size = usual_size_px(query, field) if config.anywhere else object_size_px(query, field)
    field = field.over(query.background)
    sparse = field.decimated(_COARSE_GAUSSIANS)
    if config.slid:
        starts = slid(sparse, query.scaled(min(1.0, _SLID_PX / size)), starts, config.slid) + starts[: config.slid]
    found: list[Alignment] = []
    for stage in config.stages:
        level = query.scaled(min(1.0, stage.object_px / size))
        shown = sparse if stage.object_px <= 64 else field
        if config.anywhere:
            found = _laid_in(shown, level, starts, stage)
        else:
            found = _aligned(shown, level, starts, stage, config.gain_stiffness)
        if not found:
            raise PoseError("no camera position explains the photo: the search left the picture from every start")
        found = distinct(sorted(found, key=lambda a: a.cost))[: stage.kept]
        found = [a for a in found if a.cost <= _HOPELESS * found[0].cost]
        starts = [a.cam_from_world for a in found]
    level = query.scaled(min(1.0, config.stages[-1].object_px / size))
    if needs_settling(field, query):
        found[0] = settled(field, level, found[0], config.settling_steps)
    else:
        found[0] = _seen_through_its_lens(field, level, found[0], config)
    return found


def _seen_through_its_lens(field: Field, query: QueryImage, found: Alignment, config: PoseConfig) -> Alignment:
    last = config.stages[-1]

    def refined(start: Alignment, steps: int, unknowns: int) -> Alignment | None:
        return align(
            field, query, start, steps, config.gain_stiffness, last.blur_px, last.least_scale, last.done_px, unknowns
        )

    return with_lens(refined, found, config.settling_steps)


def settled_at(field: Field, query: QueryImage, cam_from_world: Float64, config: PoseConfig) -> Alignment:
    """The search's last alignment alone, from a pose [4, 4] that is known to be about right."""
    level = query.scaled(min(1.0, config.stages[-1].object_px / object_size_px(query, field)))
    return settled(field.over(query.background), level, Alignment.start(cam_from_world), config.settling_steps)


def starting_poses(field: Field, guide: Guide, query: QueryImage, config: PoseConfig) -> list[Float64]:
    """Poses to start from: by the silhouette where there is one; by landmarks where there is none or a doubtful one.

    Raises:
        PoseError: the photo shows nothing that could be the object.
    """
    out: list[Float64] = []
    if config.anywhere and guide.templates is not None:
        out += poses_anywhere(field, guide.templates, query, config.anywhere)
    elif query.mask is not None and guide.templates is not None:
        described = describe(query.image, query.mask, query.camera)
        guesses = match(described.rings, guide.templates.spectra, config.hypotheses)
        out += [pose_of_hypothesis(g, described, guide.templates, field.centre) for g in guesses]
        out += _of_a_part(field, guide.templates, query.image, query.mask, query.camera, config.incomplete)
    if guide.landmarks is not None and (config.landmarks or not out):
        out = poses_from_landmarks(guide.landmarks, query) + out
    if not out:
        raise PoseError("nothing in the photo looks like the object that was learned")
    return out


def _of_a_part(
    field: Field, templates: Templates, image: Float32, mask: Float32, camera: Camera, count: int
) -> list[Float64]:
    """The ``count`` best starts if a part of the silhouette ``mask`` [H, W] is missing, whichever it is.

    At most two of each template.
    """
    if count == 0:
        return []
    guesses: list[tuple[Hypothesis, PolarView]] = []
    for x, y, larger in _WHOLE:
        described = describe(image, mask, camera, (x, y), larger)
        guesses += [(g, described) for g in match(described.rings, templates.spectra, count, _MISSING)]
    used: Counter[int] = Counter()
    out: list[Float64] = []
    for guess, described in sorted(guesses, key=lambda g: g[0].distance):
        used[guess.template] += 1
        if used[guess.template] <= 2 and len(out) < count:
            out.append(pose_of_hypothesis(guess, described, templates, field.centre))
    return out


def _aligned(
    field: Field, query: QueryImage, starts: Sequence[Float64], stage: Stage, gain_stiffness: float
) -> list[Alignment]:
    """What ``starts`` lead to, but for those that leave the picture or lie beside what others led to.

    Where the object was told from unknown surroundings all are tried: a guessed outline puts each at another place.
    """
    found: list[Alignment] = []
    for start in starts:
        beside = any(_turned_less(start, other.cam_from_world, stage.apart_deg) for other in found)
        if beside and query.photo is None:
            continue
        aligned = align(
            field,
            query,
            Alignment.start(start),
            stage.steps,
            gain_stiffness,
            stage.blur_px,
            stage.least_scale,
            stage.done_px,
        )
        if aligned is not None:
            found.append(aligned)
    return found


def _laid_in(field: Field, query: QueryImage, starts: Sequence[Float64], stage: Stage) -> list[Alignment]:
    """What ``starts`` lead to, the field being laid into the photo as it was taken; how little it agrees is the cost.

    Under a light of its own a dark stripe of the table looks like a side of the object seen from afar, but has not its
    edges.
    """
    found = (
        laid_in(field, query, Alignment.start(s), stage.steps, stage.blur_px, stage.least_scale, _ALIKE) for s in starts
    )
    return [
        replace(a, cost=BEST_AGREEMENT - agreement(field, query, a.cam_from_world))
        for a in found
        if math.isfinite(a.cost)
    ]


def distinct(found: Sequence[Alignment]) -> list[Alignment]:
    """``found`` without those that ended within 2 degrees of a better one."""
    out: list[Alignment] = []
    for candidate in found:
        if not any(_turned_less(candidate.cam_from_world, other.cam_from_world, _SAME_DEG) for other in out):
            out.append(candidate)
    return out


def _turned_less(a: Float64, b: Float64, degrees: float) -> bool:
    """Whether the rotations of two poses [4, 4] differ by less than so many degrees."""
    return bool(np.trace(a[:3, :3] @ b[:3, :3].T) > 1 + 2 * np.cos(np.radians(degrees)))
