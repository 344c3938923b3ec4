"""Batches for training the embedded backbone: triples (good, good from near by, altered) with known correspondences.

Bricks come from files of benchmarks/bricknet_data.py, textures and flat shapes are drawn on the spot. Of every triple
is known which pixel of the first picture a pixel of the other two shows, and what was altered in the third.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from paad.geometry.camera import Camera
from paad.geometry.se3 import inverse
from paad.synth import rig
from paad.synth.textures import fractal_noise, procedural_texture

SIDE = 112
"""Pictures of a batch, pixels."""
OUTSIDE = -1e4


@dataclass(frozen=True)
class Triple:
    """Three pictures of one thing; numpy arrays, size S.

    Attributes:
        rgb: float32 [3, S, S, 3]; the first two are good, the third is altered.
        place: float32 [2, S, S, 2], where the first picture shows what a pixel of the second and third shows (x, y;
            OUTSIDE where it does not).
        changed: bool [S, S], what was altered in the third.
        dense: float32 [2, 8, S, S] of the first two: normal (3), colour (3), whether a part ends there, whether there
            is an object.
        known: float32 [8], which of these are known.
    """

    rgb: np.ndarray
    place: np.ndarray
    changed: np.ndarray
    dense: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Triples as tensors: rgb [3, B, 3, S, S] and the others with B in front."""

    rgb: Tensor
    place: Tensor
    changed: Tensor
    dense: Tensor
    known: Tensor


class Bricks:
    """All groups of a folder of benchmarks/bricknet_data.py, in memory."""

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        files = sorted(folder.glob("*.npz"))[:limit]
        if not files:
            raise SystemExit(f"{folder}: no data; run benchmarks/bricknet_data.py {folder} first")
        self.groups: list[dict[str, np.ndarray]] = []
        for file in files:
            with np.load(file) as arrays:
                whole = {k: arrays[k] for k in arrays.files}
            self.groups += [{k: v[i] for k, v in whole.items()} for i in range(len(whole["kind"]))]
        for group in self.groups:
            group["place"] = np.stack([_place(group, 1), _place(group, 2)]).astype(np.float32)

    def triple(self, rng: np.random.Generator) -> Triple:
        """One group under a random crop, zoom, flip and quarter turn, on white or on another ground."""
        g = self.groups[int(rng.integers(len(self.groups)))]
        full = g["rgba"].shape[1]
        crop = int(rng.integers(72, 132))
        x0, y0 = (int(np.clip(full / 2 - crop / 2 + rng.normal(0, 10), 0, full - crop)) for _ in range(2))
        cut = (slice(y0, y0 + crop), slice(x0, x0 + crop))
        rgba = np.stack([_sized(p[cut]) for p in g["rgba"]]).astype(np.float32) / 255.0
        alpha = rgba[..., 3:]
        rgb = rgba[..., :3]
        if rng.random() < 0.35:
            ground = _ground(rng)
            rgb = np.clip(rgb - (1.0 - alpha), 0.0, 1.0) + (1.0 - alpha) * ground
        place = np.stack(
            [_sized(np.where(p < -1e3, OUTSIDE, p - (x0, y0))[cut].astype(np.float32), True) for p in g["place"]]
        )
        place = np.where(place < -1e3, OUTSIDE, place * np.float32(SIDE / crop))
        changed = _sized(g["changed"][cut].astype(np.float32)) > 0.3
        dense = np.zeros((2, 8, SIDE, SIDE), np.float32)
        for i in range(2):
            normal, part = _sized(g["normal"][i][cut], True) / 127.0, _sized(g["part"][i][cut], True)
            ends = np.zeros((SIDE, SIDE), np.float32)
            ends[:, 1:] = part[:, 1:] != part[:, :-1]
            ends[1:] = np.maximum(ends[1:], part[1:] != part[:-1])
            albedo = _sized(g["albedo"][i][cut]) / 255.0
            dense[i, :3], dense[i, 3:6] = normal.transpose(2, 0, 1), albedo.transpose(2, 0, 1)
            dense[i, 6], dense[i, 7] = ends, part < 255
        # Of flips and turns only the picture plane's part changes a normal; the mirrored world is as good as ours.
        return _turned(Triple(rgb, place, changed, dense, np.ones(8, np.float32)), rng)


def _place(group: dict[str, np.ndarray], which: int) -> np.ndarray:
    """Where picture 0 shows what picture ``which`` shows, float32 [H, W, 2]; OUTSIDE where it is hidden there."""
    height, width = group["distance"].shape[1:]
    camera = Camera.from_angle_x(rig.ANGLE_X, width, height)
    y, x = np.mgrid[0:height, 0:width]
    rays = camera.rays(np.stack([x.ravel() + 0.5, y.ravel() + 0.5], 1).astype(np.float64))
    distance = group["distance"][which].astype(np.float64).ravel()
    back = inverse(group["pose"][which])
    world = (rays * distance[:, None]) @ back[:3, :3].T + back[:3, 3]
    local = world @ group["pose"][0][:3, :3].T + group["pose"][0][:3, 3]
    pixel = local[:, :2] / local[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    column, row = (np.clip(pixel[:, i].astype(int), 0, n - 1) for i, n in ((0, width), (1, height)))
    met = group["distance"][0].astype(np.float64)[row, column]
    seen = (distance > 0) & (np.abs(met - np.linalg.norm(local, axis=1)) < 0.02)
    seen &= (pixel >= 0).all(1) & (pixel[:, 0] < width) & (pixel[:, 1] < height)
    out = np.where(seen[:, None], pixel, OUTSIDE).reshape(height, width, 2)
    if which == 2:
        out[group["changed"]] = OUTSIDE
    return out


def _sized(image: np.ndarray, nearest: bool = False) -> np.ndarray:
    how = cv2.INTER_NEAREST if nearest else (cv2.INTER_LINEAR if image.shape[0] < SIDE else cv2.INTER_AREA)
    return cv2.resize(image, (SIDE, SIDE), interpolation=how)


def _ground(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        return np.broadcast_to(rng.uniform(0, 1, 3).astype(np.float32), (SIDE, SIDE, 3))
    return procedural_texture(rng, SIDE, SIDE)


def _turned(t: Triple, rng: np.random.Generator) -> Triple:
    """A random flip and quarter turn of all pictures alike."""
    rgb, place, changed, dense = t.rgb, t.place, t.changed, t.dense
    out = place < -1e3
    if rng.random() < 0.5:
        rgb, place, changed, dense = rgb[:, :, ::-1], place[:, :, ::-1], changed[:, ::-1], dense[..., ::-1].copy()
        out = out[:, :, ::-1]
        place = np.stack([SIDE - place[..., 0], place[..., 1]], -1)
        dense[:, 0] *= -1
    for _ in range(int(rng.integers(4))):  # counter-clockwise: (x, y) becomes (y, S - x)
        rgb, place, out = (np.rot90(v, axes=(1, 2)) for v in (rgb, place, out))
        changed, dense = np.rot90(changed), np.rot90(dense, axes=(2, 3)).copy()
        place = np.stack([place[..., 1], SIDE - place[..., 0]], -1)
        dense[:, :2] = np.stack([dense[:, 1], -dense[:, 0]], 1)
    return Triple(rgb, np.where(out, OUTSIDE, place).astype(np.float32), changed, dense, t.known)


def flat_picture(rng: np.random.Generator, side: int) -> np.ndarray:
    """A texture, or shapes filled with textures and colours, float32 [side, side, 3]."""
    image = procedural_texture(rng, side, side)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(3, 25))):
            mask = np.zeros((side, side), np.uint8)
            centre, size = rng.uniform(0, side, 2), rng.uniform(0.03, 0.25) * side
            n = int(rng.integers(3, 24))
            angle = np.sort(rng.uniform(0, 2 * np.pi, n)) if n < 9 else np.linspace(0, 2 * np.pi, n)
            stretch = rng.uniform(0.3, 1.0)
            points = centre + size * np.stack([np.cos(angle), stretch * np.sin(angle)], 1)
            cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
            fill = procedural_texture(rng, side, side) if rng.random() < 0.3 else rng.uniform(0, 1, 3)
            shade = 1.0 + rng.uniform(0, 0.5) * (np.mgrid[0:side, 0:side][0][..., None] / side - 0.5)
            image = np.where(mask[..., None] > 0, np.clip(fill * shade, 0, 1), image)
    return image.astype(np.float32)


class Textures:
    """A pool of flat pictures; two warps of one make a triple, the third picture is altered."""

    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        self.pool = [np.rint(255 * flat_picture(rng, 192)).astype(np.uint8) for _ in range(count)]

    def triple(self, rng: np.random.Generator) -> Triple:
        """A triple of one picture of the pool."""
        source = self.pool[int(rng.integers(len(self.pool)))].astype(np.float32) / 255.0
        base = _affine(rng, rng.uniform(0, 360), rng.uniform(0.7, 1.6), 20.0)
        maps = [base] + [_affine(rng, rng.normal(0, 4), rng.uniform(0.95, 1.05), 4.0) @ base for _ in range(2)]
        rgb = [
            cv2.warpAffine(source, m[:2], (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            for m in maps
        ]
        y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
        pixels = np.stack([x, y, np.ones_like(x)], -1)
        place = []
        for m in maps[1:]:
            at = (pixels @ (base @ np.linalg.inv(m)).T)[..., :2]
            inside = ((at > 0) & (at < SIDE)).all(-1)
            place.append(np.where(inside[..., None], at, OUTSIDE))
        rgb[2], changed = alter(rng, rgb[2])
        place[1] = np.where(changed[..., None], OUTSIDE, place[1])
        dense, known = np.zeros((2, 8, SIDE, SIDE), np.float32), np.zeros(8, np.float32)
        return Triple(np.stack(rgb), np.stack(place).astype(np.float32), changed, dense, known)


def _affine(rng: np.random.Generator, degrees: float, scale: float, shift: float) -> np.ndarray:
    """A similarity [3, 3] about the middle of the picture."""
    m = np.eye(3)
    m[:2] = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(degrees), float(scale))
    m[:2, 2] += rng.uniform(-shift, shift, 2)
    return m


def alter(rng: np.random.Generator, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One to three ragged places of a picture altered, and where: bool [S, S]."""
    out, changed = image.copy(), np.zeros(image.shape[:2], bool)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    for _ in range(int(rng.integers(1, 4))):
        cy, cx, size, turn = *rng.uniform(10, SIDE - 10, 2), rng.uniform(2, 13), rng.uniform(0, np.pi)
        u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        ragged = 1.0 + 0.5 * fractal_noise(rng, SIDE, SIDE, 10, 2)
        inside = np.hypot(u / rng.uniform(0.5, 2.0), v / rng.uniform(0.25, 1.0)) < size * ragged
        way = int(rng.integers(4))
        if way == 0:
            new = np.clip(image + rng.choice([-1, 1]) * rng.uniform(0.15, 0.5, 3), 0, 1)
        elif way == 1:
            new = np.roll(image, tuple(int(s) for s in rng.integers(SIDE // 6, SIDE - SIDE // 6, 2)), (0, 1))
        elif way == 2:
            new = procedural_texture(rng, SIDE, SIDE)
        else:
            new = np.broadcast_to(rng.uniform(0, 1, 3), image.shape)
        new = (1.0 - (cover := rng.uniform(0.5, 1.0))) * image + cover * new
        visible = inside & (np.abs(new - image).max(-1) > 0.08)
        out[visible] = new[visible]
        changed |= visible
    return out.astype(np.float32), changed


def camera_noise(rng: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """What differs from shot to shot: light, sharpness, noise. [3, S, S, 3]; each picture on its own."""
    out = []
    for picture in rgb:
        if rng.random() < 0.3:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.8))
        gain = 1.0 + rng.normal(0, 0.04) + rng.normal(0, 0.015, 3)
        sigma = rng.uniform(0, 0.03) if rng.random() < 0.6 else 0.0
        out.append(np.clip(picture * gain + rng.normal(0, 1, picture.shape) * sigma, 0, 1))
    return np.stack(out).astype(np.float32)


def color_world(rng: np.random.Generator, rgb: np.ndarray) -> np.ndarray:
    """Other colours for a whole triple: channels exchanged, contrast and gamma changed."""
    rgb = rgb[..., rng.permutation(3)] if rng.random() < 0.5 else rgb
    rgb = np.clip(rgb, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.15)))
    grey = rgb.mean(-1, keepdims=True)
    return grey + (rgb - grey) * np.float32(rng.uniform(0.4, 1.2))


def batch_of(triples: list[Triple], rng: np.random.Generator) -> Batch:
    """Triples, each in its own colours and with its own noise, as tensors."""
    pictures = []
    for t in triples:
        painted = color_world(rng, np.concatenate([t.rgb, t.dense[:, 3:6].transpose(0, 2, 3, 1)]))
        pictures.append(camera_noise(rng, painted[:3]))
        t.dense[:, 3:6] = painted[3:].transpose(0, 3, 1, 2)
    rgb = np.stack(pictures, 1).transpose(0, 1, 4, 2, 3)

    def tensor(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.stack(arrays)))

    return Batch(
        torch.from_numpy(np.ascontiguousarray(rgb, np.float32)),
        tensor([t.place for t in triples]),
        tensor([t.changed for t in triples]),
        tensor([t.dense for t in triples]),
        tensor([t.known for t in triples]),
    )
