"""CutPaste's augmentations: a piece of the photo cut out, its colours shifted, pasted elsewhere (arXiv 2104.04015)."""

from __future__ import annotations

import cv2
import numpy as np

from paad.types import Bool, Float32

_REFERENCE_SIDE = 256
"""Sizes of scars are given in pixels of photos of this side."""


def jittered(image: Float32, rng: np.random.Generator, strength: float = 0.1) -> Float32:
    """``image`` [H, W, 3] with brightness, contrast and saturation times 1 - strength to 1 + strength each, and the hue
    turned by up to strength of the circle (a rotation of the chroma about the grey axis)."""
    brightness, contrast, saturation = rng.uniform(1.0 - strength, 1.0 + strength, 3)
    angle = rng.uniform(-strength, strength) * 2.0 * np.pi
    grey = np.full((3, 3), 1.0 / 3.0)
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3.0)
    turn = grey + saturation * (np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * cross)
    out = (image.reshape(-1, 3) @ turn.T.astype(np.float32)).reshape(image.shape) * np.float32(brightness)
    middle = float(out.mean())
    return np.asarray(np.clip(middle + contrast * (out - middle), 0.0, 1.0), np.float32)


def shifted(image: Float32, rng: np.random.Generator, share: float = 0.04) -> Float32:
    """``image`` [H, W, 3] moved by up to ``share`` of its sides, mirrored at the border."""
    height, width = image.shape[:2]
    dy, dx = (rng.uniform(-share, share, 2) * (height, width)).round().astype(int)
    reach_y, reach_x = abs(int(dy)), abs(int(dx))
    padded = np.pad(image, ((reach_y, reach_y), (reach_x, reach_x), (0, 0)), mode="reflect")
    top, left = reach_y + dy, reach_x + dx
    return np.ascontiguousarray(padded[top : top + height, left : left + width])


def cut_paste(image: Float32, rng: np.random.Generator, jitter: float = 0.1) -> Float32:
    """A rectangle of 2 to 15 % of the area, aspect ratio 0.3 to 1 or 1 to 3.3, pasted at another place."""
    height, width = image.shape[:2]
    area = rng.uniform(0.02, 0.15) * height * width
    aspect = rng.uniform(0.3, 1.0) if rng.random() < 0.5 else rng.uniform(1.0, 3.3)
    h = int(np.clip(round(np.sqrt(area / aspect)), 1, height))
    w = int(np.clip(round(np.sqrt(area * aspect)), 1, width))
    piece = jittered(_cut(image, h, w, rng), rng, jitter)
    return _paste(image, piece, np.ones((h, w), bool), rng)


def cut_paste_scar(image: Float32, rng: np.random.Generator, jitter: float = 0.1) -> Float32:
    """A thin rectangle, 2 to 16 by 10 to 25 pixels of a photo of 256, turned by up to 45 degrees and pasted."""
    height, width = image.shape[:2]
    scale = min(height, width) / _REFERENCE_SIDE
    w = max(1, round(rng.uniform(2.0, 16.0) * scale))
    h = max(2, round(rng.uniform(10.0, 25.0) * scale))
    piece = jittered(_cut(image, h, w, rng), rng, jitter)
    angle = float(rng.uniform(-45.0, 45.0))
    cos, sin = np.cos(np.radians(angle)), abs(np.sin(np.radians(angle)))
    box_h, box_w = int(np.ceil(h * cos + w * sin)), int(np.ceil(w * cos + h * sin))
    matrix = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), angle, 1.0)
    matrix[:, 2] += (box_w - w) / 2, (box_h - h) / 2
    inside = cv2.warpAffine(np.ones((h, w), np.float32), matrix, (box_w, box_h)) > 0.5
    turned = cv2.warpAffine(piece, matrix, (box_w, box_h), borderMode=cv2.BORDER_REPLICATE)
    return _paste(image, turned, np.asarray(inside, bool), rng)


def _cut(image: Float32, h: int, w: int, rng: np.random.Generator) -> Float32:
    top = int(rng.integers(image.shape[0] - h + 1))
    left = int(rng.integers(image.shape[1] - w + 1))
    return image[top : top + h, left : left + w]


def _paste(image: Float32, piece: Float32, inside: Bool, rng: np.random.Generator) -> Float32:
    h, w = min(piece.shape[0], image.shape[0]), min(piece.shape[1], image.shape[1])
    top = int(rng.integers(image.shape[0] - h + 1))
    left = int(rng.integers(image.shape[1] - w + 1))
    out = image.copy()
    window = out[top : top + h, left : left + w]
    window[inside[:h, :w]] = piece[:h, :w][inside[:h, :w]]
    return out
