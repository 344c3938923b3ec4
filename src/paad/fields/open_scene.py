"""Where to start when no silhouettes are known: points on which the views agree, or a given sparse reconstruction."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from paad.errors import DataError
from paad.types import Float32, Float64, PosedView

_CANDIDATES = 120_000
_KEPT = 20_000
_BLUR_SIDE = 160


def consistent_points(
    views: Sequence[PosedView],
    centre: Float64,
    radius: float,
    points: tuple[Float64, Float32] | None,
    seed: int,
) -> tuple[Float64, Float32, Float64]:
    """Points [N, 3], colours [N, 3] and each one's distance to its neighbours [N] (scene units) to start from.

    Random points in the cameras' common volume and up to eight radii around it are looked up in every view that sees
    them; those whose colour varies least are kept (photo-consistency: Seitz and Dyer, "Photorealistic scene
    reconstruction by voxel coloring", 1997). ``points``, if given, come first.

    Raises:
        DataError: hardly any point is seen by several views.
    """
    from scipy.spatial import cKDTree  # only a fit waits for it

    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(_CANDIDATES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # uniform in the inner ball, then ever sparser outwards
    reach = np.where(
        rng.random(_CANDIDATES) < 0.5, rng.random(_CANDIDATES) ** (1 / 3), np.exp(rng.random(_CANDIDATES) * np.log(8.0))
    )
    xyz = centre + radius * reach[:, None] * direction
    count = np.zeros(_CANDIDATES, np.float32)
    total, square = np.zeros((_CANDIDATES, 3), np.float32), np.zeros((_CANDIDATES, 3), np.float32)
    for view in views:
        shrink = min(1.0, _BLUR_SIDE / max(view.camera.width, view.camera.height))
        camera = view.camera.scaled(shrink)
        small = cv2.resize(view.image, (camera.width, camera.height), interpolation=cv2.INTER_AREA) / np.float32(255.0)
        uv, z = camera.project(xyz, view.cam_from_world)
        with np.errstate(invalid="ignore"):
            x, y = np.floor(uv[:, 0]), np.floor(uv[:, 1])
            seen = (z > 0.05 * radius) & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
        colour = small[y[seen].astype(np.int64), x[seen].astype(np.int64)]
        count[seen] += 1
        total[seen] += colour
        square[seen] += colour * colour
    mean = total / np.maximum(count, 1)[:, None]
    spread = (square / np.maximum(count, 1)[:, None] - mean * mean).clip(0).sum(axis=1)
    spread[count < 3] = np.inf
    best = np.argsort(spread, kind="stable")[: min(_KEPT, int(np.isfinite(spread).sum()))]
    xyz, rgb = xyz[best], mean[best].astype(np.float32)
    if points is not None and len(points[0]):
        xyz = np.concatenate([points[0], xyz])
        rgb = np.concatenate([points[1], rgb]).astype(np.float32)
    if len(xyz) < 4:
        raise DataError(
            f"only {len(xyz)} points are seen by three views or more; check the poses with 'paad data check'"
        )
    near = cKDTree(xyz).query(xyz, k=4)[0][:, 1:].mean(axis=1)
    # half the distance: bodies in free space that only hide what is behind them are the cost of an open scene
    return xyz, rgb, 0.5 * np.clip(near, 1e-6 * radius, float(np.median(near)))
