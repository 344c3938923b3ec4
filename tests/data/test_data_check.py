"""`check_object` collects every problem with its file and never raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_folders import picture, poses, save

from paad.data import check_object
from paad.geometry.conventions import opengl_of_cam_from_world
from paad.geometry.se3 import look_at

Make = Callable[..., Path]


def found(root: Path, file: str, message: str, severity: str) -> bool:
    report = check_object(root)
    json.dumps(report.to_dict())
    assert report.usable == (not any(p.severity == "error" for p in report.problems))
    return any(file in p.file and message in p.message and p.severity == severity for p in report.problems)


def test_a_sound_folder(make_object: Make) -> None:
    report = check_object(make_object(alpha=True))
    assert report.usable
    assert report.usable_without_poses
    assert report.problems == []
    assert (report.posed_views, report.train_images, report.test_images) == (5, 5, {"good": 1, "Burrs": 2})
    assert (report.test_masks, report.test_poses, report.image_sizes) == (2, 1, {"32x24": 5})
    assert (report.mask_source, report.format) == ("alpha", "transforms.json")
    assert report.centre is not None
    np.testing.assert_allclose(report.centre, 0.0, atol=1e-9)
    assert report.camera is not None
    assert report.camera["fx"] == 40.0
    assert report.radius is not None
    assert 0.5 < report.radius < 1.2


@pytest.mark.parametrize("content", ["{", "[]", '{"frames": [1, {"file_path": 3}]}', '{"frames": "x"}', "\0"])
def test_broken_pose_files(make_object: Make, content: str) -> None:
    root = make_object()
    (root / "transforms.json").write_text(content)
    assert found(root, "", "transforms.json", "error") or found(root, "transforms.json", "", "error")


def test_missing_poses_and_missing_folder(make_object: Make, tmp_path: Path) -> None:
    root = make_object()
    (root / "transforms.json").unlink()
    assert found(root, "transforms.json", "no transforms.json", "error")
    assert check_object(root).usable_without_poses
    assert found(tmp_path / "nowhere", "nowhere", "no such folder", "error")


def test_damaged_images(make_object: Make) -> None:
    root = make_object(views=8)
    whole = (root / "train/good/0.png").read_bytes()
    (root / "train/good/0.png").write_bytes(whole[:-40])
    broken = bytearray((root / "train/good/1.png").read_bytes())
    broken[60:80] = bytes(20)
    (root / "train/good/1.png").write_bytes(broken)
    (root / "test/good/0.png").write_bytes(b"")
    assert found(root, "train/good/0.png", "truncated", "warning")
    assert found(root, "train/good/1.png", "damaged", "error"), "only decoding shows it"
    assert found(root, "test/good/0.png", "0 bytes", "warning")


def test_masks_that_do_not_fit(make_object: Make) -> None:
    root = make_object()
    save(root / "ground_truth/Burrs/0_mask.png", np.zeros((5, 5), np.uint8))
    save(root / "ground_truth/Burrs/10.png", np.zeros((24, 32), np.uint8))
    save(root / "ground_truth/Burrs/77.png", np.zeros((24, 32), np.uint8))
    assert found(root, "Burrs/0_mask.png", "resampled", "warning")
    assert found(root, "Burrs/10.png", "empty", "warning")
    assert found(root, "Burrs/77.png", "without an image", "warning")


def test_mixed_sizes_duplicates_and_cameras_that_look_away(make_object: Make) -> None:
    root = make_object(views=8)
    save(root / "train/good/1.png", picture(1, width=64, height=48))
    (root / "train/good/2.png").write_bytes((root / "train/good/3.png").read_bytes())
    path = root / "transforms.json"
    content = json.loads(path.read_text())
    content["frames"][4]["transform_matrix"] = content["frames"][5]["transform_matrix"]
    content["frames"][6]["transform_matrix"] = opengl_of_cam_from_world(look_at((3, 0, 0), (3, 9, 0.0))).tolist()
    path.write_text(json.dumps(content))
    assert found(root, "train", "mixed sizes", "notice")
    assert found(root, "train/good/3.png", "same file", "warning")
    assert found(root, "train/good/5.png", "same pose", "warning")
    assert found(root, "train/good/6.png", "common centre", "warning")


def test_parallel_cameras(make_object: Make) -> None:
    root = make_object()
    path = root / "transforms.json"
    content = json.loads(path.read_text())
    for i, frame in enumerate(content["frames"]):
        pose = poses(1)[0]
        pose[0, 3] += i
        frame["transform_matrix"] = opengl_of_cam_from_world(pose).tolist()
    path.write_text(json.dumps(content))
    assert found(root, "transforms.json", "parallel", "warning")
