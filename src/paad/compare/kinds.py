"""What kind of defect a region shows: a missing part, a burr or a stain.

Where much of a region shows background in place of the object, or the reverse, that says it. Elsewhere sixteen
measures of the region are weighed by a multinomial logistic regression that was fitted to detected defects of random
brick assemblies (``benchmarks/train_kinds.py``). The telling ones: under a stain the reference's edges are still there,
and its colour may be one that the object has nowhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from paad.compare.residual import gradient_magnitude
from paad.errors import DataError
from paad.types import Bool, Float32, Float64, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
MEASURES = (
    "background where the object should be", "object where background should be", "object in both", "lighter",
    "lighter or darker", "another hue", "edges in the photo", "edges in the reference", "their ratio",
    "their agreement", "more saturated", "unlike its surroundings", "at the outline", "long-drawn", "size",
    "a foreign colour",
)  # fmt: skip
FILE = Path(__file__).with_name("kinds.safetensors")
_AROUND_PX = 3
_PLAIN_SHARE, _FAR = 0.4, 2.5
_PAINTED = 0.4
"""Another hue by more than this is paint: no part that is missing or sticks out changed it by more than 0.31."""
_PALETTE_PX, _PALETTE_SHARE = 2000, 0.02


@dataclass(frozen=True)
class Scene:
    """What a region's kind is judged from.

    Attributes:
        query, reference: RGB [H, W, 3].
        alpha: the reference's coverage [H, W].
        like_background: [H, W], where the query shows background.
        anomaly: the map [H, W].
    """

    query: Float32
    reference: Float32
    alpha: Float32
    like_background: Bool
    anomaly: Float32


def kind_of(scene: Scene, inside: Bool) -> Kind:
    """The likeliest kind of the region ``inside`` [H, W], which has at least one pixel."""
    found = measures(scene, inside)
    plain = plain_kind(found)
    if plain is not None:
        return plain
    trained = _trained()
    return KINDS[
        int((trained["weight"] @ standings(found, trained["mean"], trained["scale"]) + trained["bias"]).argmax())
    ]


def plain_kind(found: Float64) -> Kind | None:
    """The kind of a region whose :func:`measures` [16] say it by background or hue alone; None: they do not."""
    gone, extra, both = found[:3]
    if max(gone, extra) >= _PLAIN_SHARE:
        return "missing" if gone >= extra else "burr"
    return "stain" if both > 0.5 and found[MEASURES.index("another hue")] > _PAINTED else None


def measures(scene: Scene, inside: Bool) -> Float64:
    """The region's ``MEASURES`` [16]."""
    ys, xs = np.nonzero(inside)
    margin = _AROUND_PX + 2
    window = tuple(slice(max(0, int(v.min()) - margin), int(v.max()) + 1 + margin) for v in (ys, xs))
    cut = inside[window]
    query, reference, alpha = scene.query[window], scene.reference[window], scene.alpha[window]
    ground, solid = scene.like_background[window], alpha > 0.5
    even = cut / float(cut.sum())
    weight = scene.anomaly[window] * cut
    weight = weight / max(float(weight.sum()), 1e-12)
    shown, wanted = ((picture * weight[..., None]).sum(axis=(0, 1)) for picture in (query, reference))
    change = shown - wanted
    lighter = float(change.mean())
    (qx, qy), (rx, ry) = (_gradient(picture.mean(axis=2)) for picture in (query, reference))
    photo_edges, reference_edges = (float((np.hypot(*g) * even).sum()) for g in ((qx, qy), (rx, ry)))
    power = float(((qx**2 + qy**2) * even).sum() * ((rx**2 + ry**2) * even).sum())
    agreement = float(((qx * rx + qy * ry) * even).sum()) / np.sqrt(power + 1e-9)
    around = cv2.dilate(cut.astype(np.uint8), np.ones((2 * _AROUND_PX + 1,) * 2, np.uint8)).astype(bool) & ~cut
    beside = around & solid & ~ground
    unlike = float(np.abs(query[beside].mean(axis=0) - shown).max()) if beside.any() else 1.0
    palette = scene.reference[scene.alpha > 0.9]
    palette = palette[:: max(1, len(palette) // _PALETTE_PX)]
    foreign = float(np.quantile(np.abs(palette - shown).max(axis=1), _PALETTE_SHARE)) if len(palette) else 1.0
    return np.array(
        [
            (weight * (solid & ground)).sum(),
            (weight * (~solid & ~ground)).sum(),
            (weight * (solid & ~ground)).sum(),
            lighter,
            abs(lighter),
            np.abs(change - lighter).max(),
            photo_edges,
            reference_edges,
            np.log((photo_edges + 0.01) / (reference_edges + 0.01)),
            agreement,
            np.ptp(shown) - np.ptp(wanted),
            unlike,
            (even * gradient_magnitude(np.ascontiguousarray(alpha))).sum(),
            around.sum() / np.sqrt(cut.sum()),
            np.log(1e3 * cut.sum() / inside.size),
            foreign,
        ],
        np.float64,
    )


def standings(found: Float64, mean: Float64, scale: Float64) -> Float64:
    """Measures [..., 16] in standard deviations, limited, because a measure far from all seen says no more than far."""
    out: Float64 = np.clip((found - mean) / scale, -_FAR, _FAR)
    return out


def _gradient(light: Float32) -> tuple[Float32, Float32]:
    x, y = (cv2.Sobel(light, cv2.CV_32F, d, 1 - d, ksize=1, scale=0.5) for d in (1, 0))
    return x, y


@functools.lru_cache(maxsize=1)
def _trained() -> dict[str, Float64]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(str(FILE))
        return {name: arrays[name] for name in ("weight", "bias", "mean", "scale")}
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"{FILE}: the weights of defect kinds cannot be read ({error}); install paad again") from error
