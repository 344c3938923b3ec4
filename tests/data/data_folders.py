"""Small object folders made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from paad.data import write_transforms
from paad.geometry.camera import Camera
from paad.geometry.se3 import look_at
from paad.types import Float64, UInt8

CAMERA = Camera(32, 24, 40.0, 40.0, 16.0, 12.0)


def poses(count: int) -> list[Float64]:
    """``cam_from_world`` on a ring around the origin."""
    turns = 2 * np.pi * np.arange(count) / count
    return [look_at((3 * np.cos(a), 3 * np.sin(a), 1.0 + 0.1 * i), (0, 0, 0)) for i, a in enumerate(turns)]


def picture(seed: int, alpha: bool = False, width: int = 32, height: int = 24) -> UInt8:
    """A coloured disc on white, different for each seed; with alpha where asked."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (0.3 * height) ** 2
    image = np.full((height, width, 3), 255, np.uint8)
    image[disc] = rng.integers(0, 200, (int(disc.sum()), 3))
    return np.dstack([image, disc.astype(np.uint8) * 255]) if alpha else image


def save(path: Path, image: UInt8, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def write_object(root: Path, views: int, alpha: bool) -> Path:
    """A MAD-like object folder; returns its path."""
    for i in range(views):
        save(root / f"train/good/{i}.png", picture(i, alpha))
    named = {f"train/good/{i}.png": pose for i, pose in enumerate(poses(views))}
    write_transforms(root / "transforms.json", CAMERA, named)
    save(root / "test/good/0.png", picture(100))
    save(root / "test/Burrs/0.png", picture(101))
    save(root / "test/Burrs/10.png", picture(102))
    mask = np.zeros((24, 32), np.uint8)
    mask[3:6, 4:9] = 255
    save(root / "ground_truth/Burrs/0_mask.png", mask)
    save(root / "ground_truth/Burrs/10.png", mask)
    write_transforms(root / "test_transforms.json", CAMERA, {"test/Burrs/0.png": poses(3)[1]})
    return root
