"""COLMAP sparse models, text and binary: cameras, poses and points (COLMAP documentation, "Output Format")."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paad.data.intrinsics import Intrinsics
from paad.data.problems import Problem
from paad.data.transforms import PoseRecord
from paad.errors import DataError
from paad.types import Float64, UInt8

MODELS = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8), 6: ("FULL_OPENCV", 12), 7: ("FOV", 5), 8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5), 10: ("THIN_PRISM_FISHEYE", 12), 11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
}  # fmt: skip
"""Name and number of parameters of each camera model, by COLMAP's number."""

UNDERSTOOD = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")


@dataclass(frozen=True)
class Points:
    """Coloured points in world coordinates: ``xyz`` float64 [N, 3], ``rgb`` uint8 [N, 3]."""

    xyz: Float64
    rgb: UInt8


def find_model(root: Path) -> Path | None:
    """The folder of a sparse model inside an object folder, or None."""
    for folder in ("sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "."):
        if any((root / folder / f"images{suffix}").is_file() for suffix in (".bin", ".txt")):
            return root / folder
    return None


def read_model(folder: Path) -> tuple[list[PoseRecord], list[Problem]]:
    """Poses and intrinsics of a sparse model; images that cannot be used are problems.

    Raises:
        DataError: a file is missing, cut or malformed, or no camera model in it is understood.
    """
    cameras = _read(folder, "cameras", _cameras_text, _cameras_binary)
    images = _read(folder, "images", _images_text, _images_binary)
    records: list[PoseRecord] = []
    problems: list[Problem] = []
    for name, quaternion, translation, camera_id in images:
        try:
            if camera_id not in cameras:
                raise DataError(f"camera {camera_id} is not in the cameras file")
            pose = _pose(np.array(quaternion), np.array(translation))
            records.append(PoseRecord(name, pose, _intrinsics(*cameras[camera_id])))
        except DataError as error:
            problems.append(Problem(f"{folder.name}/images", "warning", f"{name!r} is left out: {error}"))
    return records, problems


def read_points(folder: Path) -> Points | None:
    """The points of a sparse model, or None where it has no points file. Points that are not finite are dropped.

    Raises:
        DataError: the file is cut or malformed.
    """
    if not any((folder / f"points3D{suffix}").is_file() for suffix in (".bin", ".txt")):
        return None
    rows = _read(folder, "points3D", _points_text, _points_binary)
    table = np.array(rows, np.float64).reshape(-1, 6)
    table = table[np.isfinite(table).all(axis=1)]
    return Points(np.ascontiguousarray(table[:, :3]), np.clip(table[:, 3:], 0, 255).astype(np.uint8))


Camera = tuple[str, int, int, tuple[float, ...]]
Image = tuple[str, tuple[float, ...], tuple[float, ...], int]


def _read(folder: Path, name: str, text: Callable[[str], Any], binary: Callable[[bytes], Any]) -> Any:
    """Parse ``name``.bin, else ``name``.txt."""
    for suffix in (".bin", ".txt"):
        file = folder / f"{name}{suffix}"
        if not file.is_file():
            continue
        try:
            return binary(file.read_bytes()) if suffix == ".bin" else text(file.read_text(encoding="utf-8"))
        except (struct.error, ValueError, IndexError, KeyError, OverflowError, OSError) as error:
            raise DataError(
                f"{file}: not a whole COLMAP file ({error}); it is cut or broken. Export it again"
            ) from error
    raise DataError(f"{folder / name}: neither .bin nor .txt is there; a COLMAP model needs cameras and images")


def _pose(q: Float64, t: Float64) -> Float64:
    norm = float(np.linalg.norm(q))
    if not (np.isfinite(q).all() and np.isfinite(t).all()):
        raise DataError("its pose holds NaN or infinity; it must be finite")
    if abs(norm - 1.0) > 1e-2:
        raise DataError(f"its quaternion has length {norm:.4g}; it must be 1")
    w, x, y, z = q / norm
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = t
    return pose


def _intrinsics(model: str, width: int, height: int, p: tuple[float, ...]) -> Intrinsics:
    if model not in UNDERSTOOD:
        raise DataError(
            f"its camera model is {model}; allowed are {', '.join(UNDERSTOOD)}. Run 'colmap image_undistorter' first"
        )
    if model in ("PINHOLE", "OPENCV", "FULL_OPENCV"):
        fx, fy, cx, cy, *k = p
    else:
        fx, cx, cy, *k = p
        fy = fx
        k = [*[*k, 0.0][:2], 0.0, 0.0] if k else []
    return Intrinsics(width, height, fx, fy, cx, cy, distortion=tuple(k) if any(k) else ())


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.split()


def _cameras_text(text: str) -> dict[int, Camera]:
    cameras = {}
    for words in _lines(text):
        name, wanted = words[1], dict(MODELS.values()).get(words[1])
        values = tuple(float(v) for v in words[4:])
        if wanted is not None and len(values) != wanted:
            raise ValueError(f"camera {words[0]} has {len(values)} parameters, {name} needs {wanted}")
        cameras[int(words[0])] = (name, int(words[2]), int(words[3]), values)
    return cameras


def _images_text(text: str) -> list[Image]:
    """Two lines an image; the second holds its 2D points and is often empty."""
    images: list[Image] = []
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split(maxsplit=9)
        values = tuple(float(v) for v in words[1:8])
        images.append((words[9].strip(), values[:4], values[4:], int(words[8])))
        next(lines, None)
    return images


def _points_text(text: str) -> list[list[float]]:
    return [[float(v) for v in words[1:7]] for words in _lines(text)]


class _Bytes:
    """Reads little-endian values one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.content, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def name(self) -> str:
        end = self.content.index(b"\0", self.at)
        text = self.content[self.at : end].decode("utf-8")
        self.at = end + 1
        return text

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.content):
            raise ValueError("it ends too early")


def _cameras_binary(content: bytes) -> dict[int, Camera]:
    data = _Bytes(content)
    cameras = {}
    for _ in range(data.take("Q")[0]):
        number, model, width, height = data.take("iiQQ")
        if model not in MODELS:
            raise ValueError(f"camera model number {model} is not known")
        name, count = MODELS[model]
        cameras[number] = (name, width, height, data.take(f"{count}d"))
    return cameras


def _images_binary(content: bytes) -> list[Image]:
    data = _Bytes(content)
    images = []
    for _ in range(data.take("Q")[0]):
        values = data.take("I7dI")
        name = data.name()
        data.skip(24 * data.take("Q")[0])
        images.append((name, values[1:5], values[5:8], values[8]))
    return images


def _points_binary(content: bytes) -> list[tuple[float, ...]]:
    data = _Bytes(content)
    rows = []
    for _ in range(data.take("Q")[0]):
        values = data.take("Q3d3BdQ")
        data.skip(8 * values[8])
        rows.append(values[1:7])
    return rows
