"""A small data set with the quirks of downloaded ones, and detectors installed as packages of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from paad.geometry.conventions import opengl_of_cam_from_world
from paad.geometry.se3 import look_at

SIZE = 32
DOCS = Path(__file__).parents[2] / "docs"

TROUBLE = '''
"""A detector that does what its options say: for the tests of the runner."""
import os, subprocess, sys, time
from dataclasses import dataclass
import numpy as np
from paad.detectors.base import float_image
from paad_mean_image import MeanImage

@dataclass(frozen=True)
class TroubleConfig:
    floor: float
    seed: int
    mode: str
    unlimited: float = float("inf")

class Trouble(MeanImage):
    name = "trouble"
    def __init__(self, device="auto", floor=0.05, seed=0, mode="ok", seconds=0.0, spin=0.0):
        super().__init__(device, floor)
        self.seed, self.mode, self.seconds, self.spin = seed, mode, seconds, spin
        self.config = TroubleConfig(floor, seed, mode)
    def fit(self, views, progress=None):
        if self.mode == "raise":
            raise ValueError("the views are not to my taste")
        if self.mode == "hang":
            time.sleep(600)
        if self.mode == "hang-with-a-child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            print("child", child.pid, flush=True)
            time.sleep(600)
        if self.mode == "crash":
            os.abort()
        if self.mode == "vanish":
            os.kill(os.getpid(), 9)
        if self.mode == "exit":
            os._exit(7)
        if self.mode == "memory":
            self.hoard = np.ones(80_000_000)
            time.sleep(600)
        if self.mode == "memory-error":
            np.empty(10**15)
        end = time.process_time() + self.spin
        while time.process_time() < end:
            pass
        return super().fit(views)
    def predict(self, image):
        time.sleep(self.seconds)
        if self.mode == "picky" and float_image(image)[0][..., 0].max() > 0.7:
            raise RuntimeError("too red")
        found = super().predict(image)
        found.map[0, 0] += np.random.rand() * 1e-3 + 1e-4 * self.seed
        return found
'''


def write_object(folder: Path, poses: bool = True, quirks: bool = False, n_test: int = 3) -> Path:
    """A ball on a grey ground, 12 training photos; test photos: good, Stains (marked) and Missing (some unmarked)."""
    rng = np.random.default_rng(len(folder.name))
    frames = []
    for i in range(12):
        name = f"train/good/{i}.png"
        eye = 3.0 * np.array([np.cos(0.9 * i), np.sin(0.9 * i), 0.3 * (i % 4) - 0.4])
        pose = look_at(eye / np.linalg.norm(eye) * 3.0, [0.0, 0.0, 0.0])
        _save(folder / name, _photo(rng), alpha=quirks)
        frames.append({"file_path": f"./{name}" if quirks else name, "transform_matrix": _rows(pose)})
    test_frames = []
    for label in ("good", "Stains", "Missing"):
        for i in range(n_test):
            photo, name = _photo(rng), f"test/{label}/{i}.png"
            if label != "good":
                mask = np.zeros((SIZE, SIZE), np.uint8)
                cv2.rectangle(mask, (9 + i, 10), (14 + i, 15), 255, -1)
                photo[mask > 0] = (200, 20, 30) if label == "Stains" else (128, 128, 128)
                if not (quirks and label == "Missing" and i == 0):
                    _save(folder / f"ground_truth/{label}/{i}_mask.png", mask)
            _save(folder / name, photo, alpha=quirks)
            test_frames.append({"file_path": name, "transform_matrix": _rows(look_at([3.0, 0.1 * i, 0.0], [0, 0, 0]))})
    if poses:
        head = {"camera_angle_x": 0.69}
        (folder / "transforms.json").write_text(json.dumps({**head, "frames": frames}))
        (folder / "test_transforms.json").write_text(json.dumps({**head, "frames": test_frames}))
    return folder


def _rows(pose: NDArray[np.float64]) -> list[list[float]]:
    rows: list[list[float]] = opengl_of_cam_from_world(pose).tolist()
    return rows


def _photo(rng: np.random.Generator) -> NDArray[np.uint8]:
    photo = np.full((SIZE, SIZE, 3), 128.0)
    cv2.circle(photo, (16, 16), 10, (60.0, 140.0, 220.0), -1)
    return np.clip(photo + rng.normal(0.0, 4.0, photo.shape), 0, 255).astype(np.uint8)


def _save(path: Path, image: NDArray[np.uint8], alpha: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if alpha and image.ndim == 3:
        opaque = np.zeros((SIZE, SIZE), np.uint8)
        cv2.circle(opaque, (16, 16), 12, 255, -1)
        image = np.dstack([image, opaque])
    order = image if image.ndim == 2 else image[..., [2, 1, 0, 3][: image.shape[2]]]
    assert cv2.imwrite(str(path), order)


def python_block(page: Path, after: str) -> str:
    """The first fenced block of a page after the words ``after``."""
    found = re.search(r"```\w+\n(.*?)```", page.read_text().split(after, 1)[1], re.S)
    assert found is not None
    return found[1]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two objects: one like MAD's downloads, one like MVTec's."""
    root = tmp_path_factory.mktemp("data")
    write_object(root / "01Ball", quirks=True)
    write_object(root / "2Flat", poses=False)
    return root


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two installed packages: the one of docs/extending.md, and the one that makes trouble."""
    site = tmp_path_factory.mktemp("site")
    (site / "paad_mean_image.py").write_text(python_block(DOCS / "extending.md", "`paad_mean_image.py`"))
    (site / "paad_trouble.py").write_text(TROUBLE)
    points = {
        "paad-mean-image": "mean-image = paad_mean_image:MeanImage",
        "paad-trouble": "trouble = paad_trouble:Trouble",
    }
    for name, point in points.items():
        info = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[paad.detectors]\n{point}\n")
    return site


@pytest.fixture
def installed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The packages on the path of this process and of its children."""
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return packages
