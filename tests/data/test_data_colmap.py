"""COLMAP models: bytes and text written by hand here, and by our own writer."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_folders import CAMERA, picture, poses, save

import paad
from paad.data.colmap import Points, read_model, read_points
from paad.data.colmap_writer import quaternion_of_rotation, write_model
from paad.data.intrinsics import undistort
from paad.errors import DataError
from paad.geometry.se3 import so3_exp

HALF = 0.5**0.5
"""A quarter turn about z is the quaternion (HALF, 0, 0, HALF)."""


def write_text_model(folder: Path, camera: str = "1 PINHOLE 32 24 40 41 16 12") -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text(f"# Camera list\n{camera}\n")
    (folder / "images.txt").write_text(
        "# Image list\n# with two lines each\n"
        f"1 {HALF!r} 0 0 {HALF!r} 1 2 3 1 a b.png\n10.5 11.5 -1 3 4 7\n"
        "2 1 0 0 0 0 0 4 1 1.png\n\n"
        "3 1 0 0 0 0 0.5 4 1 sub/2.png\n\n"
    )
    (folder / "points3D.txt").write_text("# Points\n1 0.5 0.25 -1 255 128 0 0.1 1 0 2 3\n2 nan 0 0 1 2 3 0\n")


def write_binary_model(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "cameras.bin").write_bytes(struct.pack("<QiiQQ4d", 1, 1, 1, 32, 24, 40, 41, 16, 12))
    images = struct.pack("<Q", 3)
    images += struct.pack("<I7dI", 1, HALF, 0, 0, HALF, 1, 2, 3, 1) + b"a b.png\0"
    images += struct.pack("<QddQddQ", 2, 10.5, 11.5, 2**64 - 1, 3, 4, 7)
    images += struct.pack("<I7dI", 2, 1, 0, 0, 0, 0, 0, 4, 1) + b"1.png\0" + struct.pack("<Q", 0)
    images += struct.pack("<I7dI", 3, 1, 0, 0, 0, 0, 0.5, 4, 1) + b"sub/2.png\0" + struct.pack("<Q", 0)
    (folder / "images.bin").write_bytes(images)
    points = struct.pack("<Q", 2)
    points += struct.pack("<Q3d3BdQ4I", 1, 0.5, 0.25, -1, 255, 128, 0, 0.1, 2, 1, 0, 2, 3)
    points += struct.pack("<Q3d3BdQ", 2, float("nan"), 0, 0, 1, 2, 3, 0, 0)
    (folder / "points3D.bin").write_bytes(points)


@pytest.mark.parametrize("write", [write_text_model, write_binary_model])
def test_reads_hand_written_models(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "sparse/0")
    records, problems = read_model(tmp_path / "sparse/0")
    assert [r.file_path for r in records] == ["a b.png", "1.png", "sub/2.png"]
    assert problems == []
    expected = np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    np.testing.assert_allclose(records[0].cam_from_world, expected, atol=1e-15)
    camera = records[0].intrinsics.camera(64, 48)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (80, 82, 32, 24)
    points = read_points(tmp_path / "sparse/0")
    assert points is not None
    assert points.xyz.tolist() == [[0.5, 0.25, -1.0]]
    assert points.rgb.tolist() == [[255, 128, 0]]
    for name in ("a b.png", "1.png", "sub/2.png"):
        save(tmp_path / "images" / name, picture(len(name)))
    folder = paad.open_object(tmp_path)
    assert folder.format == "colmap"
    assert folder.train.names == ["images/1.png", "images/a b.png", "images/sub/2.png"]
    assert folder.points is not None


@pytest.mark.parametrize("suffix", ["txt", "bin"])
def test_what_we_write_is_read_back_exactly(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    named = {f"{i}.png": pose for i, pose in enumerate(poses(7))}
    points = Points(rng.normal(size=(5, 3)), rng.integers(0, 256, (5, 3), dtype=np.uint8))
    write_model(tmp_path, dict.fromkeys(named, CAMERA), named, points)
    for other in tmp_path.glob("*.txt" if suffix == "bin" else "*.bin"):
        other.unlink()
    records, _ = read_model(tmp_path)
    for record in records:
        np.testing.assert_allclose(record.cam_from_world, named[record.file_path], atol=1e-15)
        assert record.intrinsics.camera(CAMERA.width, CAMERA.height) == CAMERA
    again = read_points(tmp_path)
    assert again is not None
    np.testing.assert_array_equal(again.xyz, points.xyz)
    np.testing.assert_array_equal(again.rgb, points.rgb)


def test_quaternions_of_half_turns() -> None:
    rng = np.random.default_rng(1)
    for axis in (*np.eye(3), *rng.normal(size=(20, 3))):
        for angle in (0.0, 1e-9, 1.0, np.pi - 1e-9, np.pi):
            unit = axis / np.linalg.norm(axis)
            q = np.array(quaternion_of_rotation(so3_exp(unit * angle)))
            expected = np.array([np.cos(angle / 2), *(np.sin(angle / 2) * unit)])
            np.testing.assert_allclose(abs(q @ expected), 1.0, atol=1e-14)


def test_distortion_is_taken_out(tmp_path: Path) -> None:
    """A straight line, bent by the lens, is straight again."""
    k = (-0.2, 0.05, 0.001, -0.002)
    write_text_model(tmp_path / "sparse", "1 OPENCV 32 24 40 41 16 12 -0.2 0.05 0.001 -0.002")
    records, _ = read_model(tmp_path / "sparse")
    assert records[0].intrinsics.distortion == k
    camera = records[0].intrinsics.camera(320, 240)
    y, x = np.mgrid[0:240, 0:320].astype(np.float64)
    matrix = camera.matrix - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    points = np.stack([x, y], -1).reshape(-1, 1, 2)
    ideal = cv2.undistortPoints(points, matrix, np.array(k), P=matrix).reshape(240, 320, 2)
    bent = (128 + 100 * np.sin(ideal[..., 0] / 12)).round().astype(np.uint8)
    straight = undistort(bent, camera, k)
    expected = 128 + 100 * np.sin(x / 12)
    assert np.abs(straight.astype(float) - expected)[30:-30, 30:-30].max() < 3
    for i, name in enumerate(("a b.png", "1.png", "sub/2.png")):
        save(tmp_path / "images" / name, picture(i, alpha=True))
    view = paad.open_object(tmp_path).train[0]
    assert view.image.shape == (24, 32, 3)
    assert view.mask is not None


@pytest.mark.parametrize(("line", "k"), [("SIMPLE_RADIAL 32 24 40 16 12 0.1", (0.1, 0.0, 0.0, 0.0)),
                                         ("RADIAL 32 24 40 16 12 0.1 0.2", (0.1, 0.2, 0.0, 0.0)),
                                         ("SIMPLE_PINHOLE 32 24 40 16 12", ())])  # fmt: skip
def test_radial_models(tmp_path: Path, line: str, k: tuple[float, ...]) -> None:
    write_text_model(tmp_path / "sparse", f"1 {line}")
    intrinsics = read_model(tmp_path / "sparse")[0][0].intrinsics
    assert intrinsics.distortion == k
    assert (intrinsics.fx, intrinsics.fy, intrinsics.cx) == (40, 40, 16)


def test_what_cannot_be_used_says_so(tmp_path: Path) -> None:
    write_text_model(tmp_path / "fisheye/sparse", "1 OPENCV_FISHEYE 32 24 40 41 16 12 0 0 0 0")
    with pytest.raises(DataError, match=r"sparse.*OPENCV_FISHEYE.*image_undistorter"):
        paad.open_object(tmp_path / "fisheye")
    write_text_model(tmp_path / "few/sparse", "1 PINHOLE 32 24 40")
    with pytest.raises(DataError, match=r"cameras\.txt"):
        paad.open_object(tmp_path / "few")
    write_binary_model(tmp_path / "cut/sparse")
    for name in ("images.bin", "cameras.bin"):
        file = tmp_path / "cut/sparse" / name
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(DataError, match=name):
            paad.open_object(tmp_path / "cut")
    write_text_model(tmp_path / "nan/sparse")
    images = tmp_path / "nan/sparse/images.txt"
    images.write_text(
        images.read_text().replace("2 1 0 0 0 0 0 4", "2 1 0 0 0 nan 0 4").replace("3 1 0 0 0", "3 9 0 0 0")
    )
    records, problems = read_model(tmp_path / "nan/sparse")
    assert len(records) == 1
    assert [("1.png" in p.message, "2.png" in p.message) for p in problems] == [(True, False), (False, True)]
