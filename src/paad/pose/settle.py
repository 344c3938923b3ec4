"""The last alignment of a photo that the field does not look like as it is: on a table, or under a light of its own.

Here the field is put under the photo's light and laid into what surrounds the object, so that outlines mix with the
table's colours in both pictures alike and shading pulls nowhere. Both need a pose that is nearly right, and so they
come last. In photos on tables it brings the median error to a third.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paad.compare.surroundings import surroundings_of
from paad.fields.field import Field
from paad.fields.light import drawn_beside, light_maps, under
from paad.geometry.depth import filled_depth
from paad.geometry.pixels import squared_distance
from paad.pose.query import QueryImage
from paad.pose.refine import POSE, Alignment, blurred, gauss_newton_step, with_lens
from paad.types import Float32

_BLUR_PX = 0.5
_LEAST_SCALE = 0.02
_ALIKE = 0.5
"""Here the pose is nearly right, and most of what differs is the light."""
_DONE_PX = 0.01
_SAME_LIGHT_PX = 0.25
"""The light at each pixel is found again when the object has moved by more: it takes longer than to draw it."""
_LIMIT = 0.09
_LEAST_PIXELS = 12


def needs_settling(field: Field, query: QueryImage) -> bool:
    """Whether the field as it is drawn looks unlike ``query`` even at the true pose."""
    return field.bounded and (query.photo is not None or field.moving_light)


def settled(field: Field, query: QueryImage, found: Alignment, steps: int) -> Alignment:
    """``found`` after at most ``steps`` more steps beside the photo as it was taken; its cost stays.

    A lens of the photo's own is found, too, see :func:`paad.pose.refine.with_lens`. The field's background must be the
    query's.
    """

    def refined(start: Alignment, steps: int, unknowns: int) -> Alignment:
        return laid_in(field, query, start, steps, _BLUR_PX, _LEAST_SCALE, _ALIKE, unknowns)

    return replace(with_lens(refined, refined(found, steps, POSE), steps), cost=found.cost)


def laid_in(
    field: Field,
    query: QueryImage,
    start: Alignment,
    steps: int,
    blur_px: float,
    least_scale: float,
    alike: float,
    unknowns: int = POSE,
) -> Alignment:
    """``start`` refined in at most ``steps`` steps beside the photo as it was taken; no outline is needed.

    Its cost is the mean truncated squared difference over what is drawn; inf where nothing is.

    Args:
        field: over the query's background.
        query: the photo.
        start: the pose, the lens, and the field's brightness where its light does not move.
        steps: how many at most.
        blur_px: standard deviation by which both pictures are blurred.
        least_scale, alike: as in :func:`paad.pose.refine.gauss_newton_step`.
        unknowns: ``POSE``, ``FOCAL`` or ``LENS``.
    """
    photo = query.image if query.photo is None else query.photo
    seen = blurred(photo, blur_px)
    pose, lens, gain = start.cam_from_world, start.lens, start.gain
    best = replace(start, cost=np.inf)
    maps: tuple[Float32, Float32] | None = None
    moved_px = np.inf
    for step in range(steps + 1):
        camera = query.camera.through(lens)
        if field.shading is None:
            picture = drawn_beside(field, photo, pose, camera, gain)
            drawn = picture.colour
        else:
            if moved_px > _SAME_LIGHT_PX:
                picture, shading = field.draw_with(field.shading, pose, camera)
                maps, moved_px = light_maps(picture, shading, photo, camera, pose), 0.0
            else:
                picture = field.draw(pose, camera)
            drawn = under(maps, picture, field.background)
        if query.photo is not None:
            around = surroundings_of(query.photo, picture.alpha)
            drawn = drawn + (1.0 - picture.alpha)[..., None] * (around - field.background)
        depth = filled_depth(picture.depth, picture.alpha)
        near = depth > 0
        if near.sum() < _LEAST_PIXELS:
            break
        cost = float(np.minimum(squared_distance(photo, drawn), _LIMIT)[near].mean())
        if cost < best.cost:
            best = Alignment(pose, cost, gain, lens)
        if step == steps:
            break
        stepped = gauss_newton_step(
            blurred(drawn, blur_px), seen, depth, camera, pose, field, least_scale, alike, unknowns
        )
        if stepped is None or stepped.moved_px < _DONE_PX:
            break
        pose, lens = stepped.cam_from_world, lens.changed(stepped.lens)
        moved_px += stepped.moved_px
    return best
