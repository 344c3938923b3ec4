"""A tiny object folder, a tiny detector registered as a method, and a fitted model of it."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import tiny_detector  # noqa: E402

SIZE = 48


def photo(path: Path, blob: bool = False, seed: int = 0, size: int = SIZE) -> Path:
    """A grey square on white; with ``blob`` a dark stain on it."""
    pixels = np.full((size, size, 3), 255, np.uint8)
    pixels[size // 4 : -size // 4, size // 4 : -size // 4] = (150, 120, 110)
    pixels[:4] = np.random.default_rng(seed).integers(250, 256, (4, size, 3))
    if blob:
        pixels[size // 2 : size // 2 + 5, size // 2 : size // 2 + 5] = (10, 10, 10)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def toy_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object folder in MAD's layout: 4 posed views, 3 good and 3 stained test photos with masks and poses."""
    root = tmp_path_factory.mktemp("data") / "square"
    frames = []
    for i in range(4):
        photo(root / f"train/good/{i}.png", seed=i)
        angle = i * math.pi / 2
        pose = np.eye(4)
        pose[:3, :3] = [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
        pose[:3, 3] = pose[:3, :3] @ (0, 0, 4)
        frames.append({"file_path": f"train/good/{i}.png", "transform_matrix": pose.tolist()})
    (root / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.6, "frames": frames}))
    tests = []
    for i in range(3):
        photo(root / f"test/good/{i}.png", seed=10 + i)
        photo(root / f"test/Stains/{i}.png", blob=True, seed=20 + i)
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[SIZE // 2 : SIZE // 2 + 5, SIZE // 2 : SIZE // 2 + 5] = 255
        (root / "ground_truth/Stains").mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(root / f"ground_truth/Stains/{i}_mask.png")
        for label in ("good", "Stains"):
            tests.append({"file_path": f"test/{label}/{i}.png", "transform_matrix": frames[i]["transform_matrix"]})
    (root / "test_transforms.json").write_text(json.dumps({"camera_angle_x": 0.6, "frames": tests}))
    return root


@pytest.fixture(autouse=True)
def tiny_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """``tiny`` is a registered method, and the default one: loading the real one takes seconds."""
    import paad.detectors as detectors

    monkeypatch.setattr(detectors, "_BUILT_IN", detectors._BUILT_IN)
    tiny_detector.register()
    monkeypatch.setattr("paad.cli.fit.DEFAULT_METHOD", "tiny")


@pytest.fixture(scope="session")
def model(toy_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fitted model of the tiny detector."""
    from paad.data import open_object

    detector = tiny_detector.Tiny().fit(open_object(toy_dir).train)
    detector.about = {"object": "square", "fit_seconds": 1.5, "data_fingerprint": "f" * 64}
    return detector.save(tmp_path_factory.mktemp("models") / "tiny.paad")


@pytest.fixture
def paad(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process: ``paad("fit", ...) -> (exit code, stdout, stderr)``."""
    from paad.cli.main import main

    def run(*arguments: Any) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run
