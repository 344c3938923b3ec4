"""Which part of posed photos without masks is the object: what the cameras turn around and no view sees through.

By its colours first, and where these are those of its surroundings by its depth (``fields/standing_out.py``).

The cameras look at the object, and so something about the point that they turn around is of it (the fixation
constraint of Campbell et al., "Automatic 3D object segmentation in multiple views using volumetric graph-cuts", Image
and Vision Computing 2010). Its colours and those of what is beside it are learned in turns with its shape: a place is
of the object where nearly all views show a colour there that is likelier the object's, or more texture than the rest
of the photos has. GrabCut (Rother et al., SIGGRAPH 2004) then draws each photo's outline within the shape's, and the
shape is carved by the outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from paad.data.masks import BINS, colour_densities, grab_cut
from paad.errors import DataError
from paad.fields.carve import cell_centres, inside_silhouettes
from paad.fields.standing_out import lifted, reduced, standing_out
from paad.geometry.camera import Camera
from paad.geometry.views import view_volume
from paad.render.threads import spread
from paad.types import Bool, Float32, Float64, PosedView, UInt8

_SIDE_PX, _CELLS = 160, 80
_VIEWS = 64
"""That colours and shape are learned from; all are cut out."""
_FIRST, _WITHIN, _WITHIN_DEEP = 1.0, 1.3, 1.6
"""Radii about the point that is looked at, as shares of what most cameras see around it: of what is first taken for the
object, so that a part in a colour of its own is not learned as surroundings, and of what may be, by colours and by
depth: a tall object in upright photos reaches farther than they are wide."""
_ROUNDS, _SAME = 12, 0.99
_SPECKLE_PX = 1.5
_BESIDE_PX, _BEYOND_PX, _ASIDE_PX = 3, 4, 2
"""Pixels of the reduced photos: what is farther from the silhouette is beside the object; an outline ends nearer; and
what only a few outlines hold, a piece of the table, lies aside of the shape that all of them carve."""
_ROUGH_BAND_PX, _FINE_BAND_PX = (3, 3), (3, 2)
"""By how many pixels an outline told by depth may lie within the true one and outside it: of 240 px at first, then of
400."""
_DISSENT = 0.15
"""Share of the views in which a place of the object may show another colour, or lie beside its outline."""
_LEAST_CELLS = 30
_LEAST_AGREEMENT, _LEAST_OF_VIEW = 0.84, 0.7
"""Of nine random assemblies and five toys on tables the outlines of those above overlap the true ones by 0.87 to 0.97
in the median, of the two below (0.81, 0.83) by 0.71 and 0.77."""
_LESS_TEXTURE, _FAINT, _TEXTURE_PX, _CLEARLY_MORE = 0.985, 25.0, 2.0, 0.01
"""The share of what is far from the object that has less texture than what is taken for it by that; the least such
texture, grey values a pixel, squared; the blur; and by how much more outlines with what is textured must agree: those
of a half-printed mouse do by 0.04, of a body on a table by 0.78, of twelve objects that colours tell by -0.02 to 0.006.
"""
_LEAST_DEEP_AGREEMENT = 0.8
"""Of outlines told by depth: those of six objects agree by 0.87 to 0.93, two that hold table by 0.83 and 0.87."""
_LEAST_FREE = 0.86
"""How much of what stands out by depth is not hidden: 0.89 to 0.98 of five objects (0.81 of a sixth), 0.70 and 0.82 of
the two that hold table."""
_AREA = (0.003, 0.6)
"""Share of a picture that an object takes: a speck and a whole room are none."""


def with_object_masks(views: Sequence[PosedView]) -> list[PosedView] | None:
    """``views`` with masks of the object that they turn around; None where no such object stands out.

    It is told by its colours and texture, or, where these are those of what is beside it and nothing but the camera
    moves, by its depth. It does not stand out where most views show it only in part, or where outlines and shape
    disagree: the median intersection over union of a photo's outline and the silhouette of the shape that all outlines
    carve is 0.84 at least, told by depth 0.8 (and little of it is hidden). A view where it is less than 0.7 has no
    mask.

    Args:
        views: posed photos; masks that they have are not looked at.
    """
    return by_colour(views) or by_depth(views)


def by_colour(views: Sequence[PosedView]) -> list[PosedView] | None:
    """As :func:`with_object_masks`, an object whose colours, or texture, are not those of what is beside it; five
    seconds."""
    space = _Space.of(views)
    solid = None if space is None else _shape(space)
    if space is None or solid is None:
        return None
    outlines = _outlines_around(views, space, solid)
    richer = _with_texture(space, solid)
    if richer is not None:
        more = _outlines_around(views, space, richer)
        if _agreement(space, more) > _agreement(space, outlines) + _CLEARLY_MORE:
            outlines = more
    return _believed(views, space, outlines, _LEAST_AGREEMENT)


def by_depth(views: Sequence[PosedView]) -> list[PosedView] | None:
    """As :func:`with_object_masks`, an object that stands out from its ground where nothing but the camera moves, see
    :func:`paad.fields.standing_out.standing_out`; half a minute."""
    space = _Space.of(views, _WITHIN_DEEP)
    stands = None if space is None else standing_out(views, space.centre, space.reach)
    if space is None or stands is None:
        return None
    solid = _carved(space, space.small, [_resized(m, v.camera) > 0.5 for m, v in zip(stands, space.small, strict=True)])
    if solid is None:
        return None
    around = [_grown(_silhouette(space, solid, v), _ASIDE_PX) for v in space.small]
    shown = [_within(m, there) > 0.5 for m, there in zip(stands, around, strict=True)]
    stands, free = lifted(views, _moved(views, shown, _ROUGH_BAND_PX))
    if free < _LEAST_FREE:
        return None
    return _believed(views, space, _moved(views, [m > 0.5 for m in stands], _FINE_BAND_PX), _LEAST_DEEP_AGREEMENT)


def _outlines_around(views: Sequence[PosedView], space: _Space, solid: Bool) -> list[Float32]:
    """The masks [H, W] that GrabCut makes of the silhouettes of cells that are ``solid`` [X, Y, Z]."""
    shown = [_silhouette(space, solid, v) for v in space.small]
    return _outlines(views, shown, [_grown(m, _BEYOND_PX) for m in shown])


def _agreement(space: _Space, outlines: Sequence[Float32]) -> float:
    """Of ``outlines`` [H, W] with the shape that they carve, see :func:`with_object_masks`."""
    return float(np.median(_carved_by(space, outlines)[1]))


def _moved(views: Sequence[PosedView], shown: Sequence[Bool], band: tuple[int, int]) -> list[Float32]:
    """The masks [H, W] that GrabCut makes of what is ``shown`` [h, w], whose outline it moves within a ``band``."""
    outside, inside = band
    sure = [~_grown(~m, inside) for m in shown]
    return _outlines(views, shown, [_grown(m, outside) for m in shown], sure)


def _believed(
    views: Sequence[PosedView], space: _Space, outlines: Sequence[Float32], least: float
) -> list[PosedView] | None:
    """``views`` with those of the ``outlines`` [H, W] that the shape which all of them carve bears out; None where too
    few of them, or a speck, or a whole room."""
    shown, agreement = _carved_by(space, outlines)
    area = float(np.median([m.mean() for m in outlines]))
    if np.median(agreement) < least or not _AREA[0] < area < _AREA[1]:
        return None
    masks = [
        _within(m, _grown(a, _ASIDE_PX)) if o >= _LEAST_OF_VIEW else None
        for m, a, o in zip(outlines, shown, agreement, strict=True)
    ]
    return [replace(v, mask=m) for v, m in zip(views, masks, strict=True)]


def masks_agree(views: Sequence[PosedView]) -> bool:
    """Whether the views' masks are of one object: they overlap the silhouette of the shape that all carve by 0.84
    at least in the median, and nine of ten by 0.7. False where fewer than half of the views have one.
    """
    masked = [v for v in views if v.mask is not None]
    space = _Space.of(masked)
    if space is None or len(masked) < len(views) / 2:
        return False
    agreement = _carved_by(space, [v.mask for v in masked if v.mask is not None])[1]
    return bool(np.median(agreement) >= _LEAST_AGREEMENT and np.quantile(agreement, 0.1) >= _LEAST_OF_VIEW)


@dataclass(frozen=True)
class _Space:
    """Reduced photos, ``small``, the ball that most of them see whole, ``centre`` [3] and ``reach``, and cells that may
    be of the object: ``grid`` [X, Y, Z, 3], cubes of a ``size``; those ``within`` [X, Y, Z] may be, those ``first``
    [X, Y, Z] are taken to be at first.
    """

    small: list[PosedView]
    centre: Float64
    reach: float
    grid: Float64
    size: float
    first: Bool
    within: Bool

    @classmethod
    def of(cls, views: Sequence[PosedView], within: float = _WITHIN) -> _Space | None:
        """None where the views do not turn around anything."""
        try:
            centre, reach = view_volume([v.camera for v in views], np.array([v.cam_from_world for v in views]))
        except DataError:
            return None
        grid, size = cell_centres(centre - within * reach, centre + within * reach, _CELLS)
        away = np.linalg.norm(grid - centre, axis=-1)
        return cls(
            [reduced(v, _SIDE_PX) for v in views],
            centre,
            reach,
            grid,
            size,
            away < _FIRST * reach,
            away < within * reach,
        )


def _carved_by(space: _Space, masks: Sequence[Float32]) -> tuple[list[Bool], list[float]]:
    """The silhouette [h, w] in each view of the shape that ``masks`` [H, W] carve, and its overlap with the mask."""
    reduced = [_resized(m, v.camera) > 0.5 for m, v in zip(masks, space.small, strict=True)]
    solid = _carved(space, space.small, reduced)
    if solid is None:
        return reduced, [0.0] * len(reduced)
    shown = [_silhouette(space, solid, v) for v in space.small]
    return shown, [_overlap(a, b) for a, b in zip(shown, reduced, strict=True)]


def _shape(space: _Space) -> Bool | None:
    """The cells [X, Y, Z] that are of the object by their colours; None if hardly any."""
    small = space.small[:: -(-len(space.small) // _VIEWS)]
    solid = space.first
    for _ in range(_ROUNDS):
        found = _carved(space, small, _coloured_alike(small, [_silhouette(space, solid, v) for v in small]))
        if found is None:
            return None
        same = (found & solid).sum() / (found | solid).sum()
        solid = found
        if same > _SAME:
            break
    return solid


def _with_texture(space: _Space, solid: Bool) -> Bool | None:
    """The cells [X, Y, Z] that nearly all views show in the object's colours, or with more texture than most of what
    lies far from it: a printed panel in the colours of the table is of the object, too. None if hardly any.
    """
    rich = [_texture(v.image) for v in space.small]
    far = [e[~_around(space, v)] for e, v in zip(rich, space.small, strict=True)]
    if not any(len(e) for e in far):
        return None
    usual = max(_FAINT, float(np.quantile(np.concatenate(far), _LESS_TEXTURE)))
    alike = _coloured_alike(space.small, [_silhouette(space, solid, v) for v in space.small])
    return _carved(space, space.small, [a | (e > usual) for a, e in zip(alike, rich, strict=True)])


def _texture(image: UInt8) -> Float32:
    """How much the colours change around each pixel [H, W]."""
    light = image.astype(np.float32)
    across, down = (cv2.Sobel(light, cv2.CV_32F, d, 1 - d, scale=0.125) for d in (1, 0))
    out: Float32 = cv2.GaussianBlur((across**2 + down**2).max(axis=2), (0, 0), _TEXTURE_PX)
    return out


def _around(space: _Space, view: PosedView) -> Bool:
    """Where a view shows the ball that most views see whole [h, w]."""
    camera = view.camera
    middle, z = camera.project(space.centre[None], view.cam_from_world)
    if z[0] <= 0:
        return np.zeros((camera.height, camera.width), np.bool_)
    y, x = np.mgrid[: camera.height, : camera.width]
    away = np.hypot(x + 0.5 - middle[0, 0], y + 0.5 - middle[0, 1])
    inside: Bool = away < camera.fx * space.reach / z[0]
    return inside


def _carved(space: _Space, views: Sequence[PosedView], masks: Sequence[Bool]) -> Bool | None:
    """The largest connected piece of the cells [X, Y, Z] that nearly all ``masks`` [h, w] show; None if it is tiny."""
    from scipy import ndimage  # only a fit waits for it

    grid = space.grid
    found = inside_silhouettes(grid.reshape(-1, 3), views, masks, _DISSENT).reshape(grid.shape[:3]) & space.within
    labels, count = ndimage.label(found)
    if not count:
        return None
    sizes = ndimage.sum_labels(found, labels, range(1, count + 1))
    largest: Bool = labels == 1 + int(np.argmax(sizes))
    return largest if sizes.max() >= _LEAST_CELLS else None


def _coloured_alike(views: Sequence[PosedView], shown: Sequence[Bool]) -> list[Bool]:
    """Where the views' colours are likelier those of what is ``shown`` than of what is beside it, each [H, W]."""
    beside = [~_grown(m, _BESIDE_PX) for m in shown]
    own = colour_densities(np.concatenate([v.image[m] for v, m in zip(views, shown, strict=True)]))
    others = colour_densities(np.concatenate([v.image[m] for v, m in zip(views, beside, strict=True)]))
    out = []
    for view, around in zip(views, beside, strict=True):
        ground = 0.5 * (others + colour_densities(view.image[around])) if around.any() else others
        likelier = np.log(own / ground)[tuple(np.moveaxis(view.image // np.uint8(256 // BINS), 2, 0))]
        out.append(cv2.GaussianBlur(likelier.astype(np.float32), (0, 0), _SPECKLE_PX) > 0.0)
    return out


def _outlines(
    views: Sequence[PosedView], shown: Sequence[Bool], within: Sequence[Bool], sure: Sequence[Bool] | None = None
) -> list[Float32]:
    """The object's mask [H, W] in each photo: GrabCut starts from the silhouette that is ``shown`` [h, w], ends
    ``within`` another, and keeps what is ``sure``.
    """
    out = [np.zeros(v.image.shape[:2], np.float32) for v in views]

    def cut(start: int, stop: int) -> None:
        for i in range(start, stop):
            marks = (shown[i], within[i]) if sure is None else (shown[i], within[i], sure[i])
            out[i] = grab_cut(views[i].image, *(_resized(m.astype(np.float32), views[i].camera) > 0.5 for m in marks))

    spread(cut, len(views), 1)
    return out


def _within(mask: Float32, there: Bool) -> Float32:
    """``mask`` [H, W] where a reduced one [h, w] is ``there``."""
    out: Float32 = mask * (cv2.resize(there.astype(np.float32), mask.shape[::-1]) > 0.5)
    return out


def _silhouette(space: _Space, solid: Bool, view: PosedView) -> Bool:
    """Where the cells that are ``solid`` [X, Y, Z] show in a view [h, w]."""
    camera = view.camera
    uv, z = camera.project(space.grid[solid], view.cam_from_world)
    out = np.zeros((camera.height, camera.width), np.uint8)
    with np.errstate(invalid="ignore"):
        there = (z > 0) & (uv >= 0).all(axis=1) & (uv[:, 0] < camera.width) & (uv[:, 1] < camera.height)
    if not there.any():
        return out > 0
    x, y = uv[there].astype(np.int64).T
    out[y, x] = 1
    side = 2 * max(1, round(float(np.median(camera.fx * space.size / z[there])))) + 1
    closed: Bool = cv2.morphologyEx(out, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0
    return closed


def _overlap(a: Bool, b: Bool) -> float:
    return float((a & b).sum() / max(1, int((a | b).sum())))


def _grown(mask: Bool, pixels: int) -> Bool:
    side = 2 * pixels + 1
    grown: Bool = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return grown


def _resized(mask: Float32, camera: Camera) -> Float32:
    out: Float32 = cv2.resize(mask, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    return out
