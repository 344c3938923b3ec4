"""A pose that is nearly right tells where the object is: cut it out again from there, and align it again.

A guessed outline that holds a shadow or a stripe of the table pulls the pose aside, and no step of the alignment gets
back from there. Colours are told apart anew (GrabCut, Rother et al., SIGGRAPH 2004), with what the field covers at the
pose as the object's and what lies well outside as the surroundings'; as region-based tracking does in each frame
(Prisacariu and Reid, "PWP3D", 2012).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from paad.fields.field import Field
from paad.fields.framing import composite
from paad.pose.query import QueryImage
from paad.pose.refine import Alignment, align
from paad.types import Float32, UInt8

_BESIDE = 0.08
"""Of the object's size: farther outside of what is drawn there are surroundings only."""
_ROUNDS = 3


def realigned(field: Field, query: QueryImage, found: Alignment, gain_stiffness: float) -> Alignment:
    """``found`` aligned again with the outline that it suggests; as it is where there is none, or no way from it.

    The field's background must be the query's, whose object had to be told from its surroundings.
    """
    if query.photo is None:
        return found
    alpha = field.draw(found.cam_from_world, query.camera).alpha
    mask = cut_around(np.clip(query.photo * 255.0 + 0.5, 0, 255).astype(np.uint8), alpha)
    if mask is None:
        return found
    again = replace(query, mask=mask, image=composite(query.photo, mask, query.background))
    for blur_px, least_scale in ((2.0, 0.3), (1.0, 0.05)):
        found = align(field, again, found.cam_from_world, 10, gain_stiffness, blur_px, least_scale) or found
    return found


def cut_around(image: UInt8, alpha: Float32) -> Float32 | None:
    """Mask [H, W] in [0, 1] of the object in a photo, uint8 [H, W, 3], about where ``alpha`` [H, W] lies.

    None where nothing lies there, or all of the picture.
    """
    inside = (alpha > 0.5).astype(np.uint8)
    beside = max(2, round(_BESIDE * 2.0 * float(np.sqrt(inside.sum() / np.pi))))
    around = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * beside + 1,) * 2))
    if not inside.any() or around.all():
        return None
    marks = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[around == 0] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # of the clustering of colours
    cv2.grabCut(image, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    out: Float32 = cv2.GaussianBlur(found, (0, 0), 0.7)
    return out if found.any() else None
