"""Starts for a photo whose outline misleads: guesses brought nearer and slid over the picture to where they fit best.

The templates' guesses are laid out by the middle and the size of the outline. Where a large part is missing both are
wrong, by more than the alignment makes up for; a mean truncated difference over all places and a few sizes is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numba import njit

from paad.fields.field import Field
from paad.fields.framing import box_window
from paad.pose.query import QueryImage
from paad.types import Float64

_NEARER = (1.0, 0.9, 0.8)
_REACH = 0.25
_STRIDE = 2
_LIMIT = np.float32(0.09)
_ZERO = np.float32(0.0)


def slid(field: Field, query: QueryImage, starts: Sequence[Float64], kept: int) -> list[Float64]:
    """The ``kept`` best poses [4, 4] among ``starts``, each at several distances and places of ``query``.

    Args:
        field: drawn over the query's background.
        query: as small as the search shall be; its object must be told from its surroundings.
        starts: poses [4, 4] whose rotations are about right.
        kept: how many to return, at most one of each start.
    """
    if query.mask is None:
        return []
    mask = (query.mask > 0.5).astype(np.float32)
    found: list[tuple[float, Float64]] = []
    for start in starts:
        centre = start[:3, :3] @ field.centre + start[:3, 3]
        best: tuple[float, Float64] | None = None
        for nearer in _NEARER:
            pose = start.copy()
            pose[:3, 3] += (nearer - 1.0) * centre
            x0, y0, w, h = box_window(query.camera, pose, field.low, field.high)
            if w < 8 or h < 8:
                continue
            drawn = field.draw(pose, query.camera.cropped(x0, y0, w, h))
            reach = int(np.ceil(_REACH * max(w, h)))
            picture = cv2.copyMakeBorder(
                query.image, *(reach,) * 4, cv2.BORDER_CONSTANT, value=query.background.tolist()
            )
            there = cv2.copyMakeBorder(mask, *(reach,) * 4, cv2.BORDER_CONSTANT, value=0.0)
            window = slice(y0, y0 + h + 2 * reach), slice(x0, x0 + w + 2 * reach)
            costs = _costs(picture[window], there[window], mask.sum(), drawn.colour, drawn.alpha, _STRIDE)
            j, i = np.unravel_index(int(costs.argmin()), costs.shape)
            if best is None or costs[j, i] < best[0]:
                dx, dy = (int(k) * _STRIDE - reach for k in (i, j))
                depth = nearer * centre[2]
                pose[:2, 3] += dx * depth / query.camera.fx, dy * depth / query.camera.fy
                best = float(costs[j, i]), pose
        if best is not None:
            found.append(best)
    return [pose for _, pose in sorted(found, key=lambda f: f[0])[:kept]]


@njit(cache=True)
def _costs(picture: Any, there: Any, area: Any, colour: Any, alpha: Any, stride: int) -> Any:
    """Mean truncated squared difference over the object of either picture, for each place of ``colour`` [h, w, 3]."""
    height, width = alpha.shape
    rows = (picture.shape[0] - height) // stride + 1
    columns = (picture.shape[1] - width) // stride + 1
    out = np.empty((rows, columns), np.float32)
    for j in range(rows):
        for i in range(columns):
            total, covered, drawn = _ZERO, _ZERO, _ZERO
            for y in range(height):
                for x in range(width):
                    if alpha[y, x] <= 0.5:
                        continue
                    square = _ZERO
                    for ch in range(3):
                        difference = picture[y + j * stride, x + i * stride, ch] - colour[y, x, ch]
                        square += difference * difference
                    total += min(square, _LIMIT)
                    drawn += 1.0
                    covered += there[y + j * stride, x + i * stride]
            out[j, i] = (total + _LIMIT * (area - covered)) / (drawn + area - covered)
    return out
