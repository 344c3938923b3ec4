"""The optional manifest.json adds to an object folder and never breaks one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paad.data import open_object
from paad.data.manifest import Manifest, read_manifest


def _write(folder: Path, content: Any) -> Manifest:
    (folder / "manifest.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return read_manifest(folder)


def test_specimens_attributes_and_origin(tmp_path: Path) -> None:
    images = [
        {"file": "./test/Burrs/0.png", "specimen": "a"},
        {"file": "test\\Burrs\\1.png", "specimen": 17},
        {"file": "test/good/0.png", "specimen": None},
        {"file": "train/good/0.png"},
        "nonsense",
    ]
    attributes = {"parts": 54, "name": "bear"}
    found = _write(tmp_path, {"format": "paad-synth", "source": "Bear", "images": images, "attributes": attributes})
    assert found.specimens == {"test/Burrs/0.png": "a", "test/Burrs/1.png": "17"}
    assert found.attributes == {"parts": 54.0}
    assert (found.generator, found.source) == ("paad-synth", "Bear")


@pytest.mark.parametrize("content", ["", "no json", "[1, 2]", '{"images": 3, "attributes": [1]}', '{"images": [{}]}'])
def test_what_is_no_manifest_of_ours_is_passed_over(tmp_path: Path, content: str) -> None:
    assert _write(tmp_path, content) == Manifest()
    assert read_manifest(tmp_path / "nowhere") == Manifest()


def test_other_specimens_are_other_data(tmp_path: Path) -> None:
    for name in ("train/good", "test/good", "test/Burrs"):
        (tmp_path / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name / "0.png")
    before = open_object(tmp_path).fingerprint()
    _write(tmp_path, {"images": [], "attributes": {"parts": 3}})
    assert open_object(tmp_path).fingerprint() == before
    _write(tmp_path, {"images": [{"file": "test/Burrs/0.png", "specimen": "a"}]})
    assert open_object(tmp_path).fingerprint() != before
    assert open_object(tmp_path).fingerprint("train") == open_object(tmp_path).fingerprint("train")
