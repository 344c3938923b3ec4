"""``transforms.json`` as NeRF, nerfstudio and MAD write it: camera-to-world matrices with OpenGL axes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.data.files import write_json
from paad.data.intrinsics import Intrinsics, parse_intrinsics
from paad.data.problems import Problem
from paad.errors import DataError
from paad.geometry.camera import Camera
from paad.geometry.conventions import cam_from_world_of_opengl, opengl_of_cam_from_world
from paad.geometry.se3 import is_rigid
from paad.types import Float64


@dataclass(frozen=True)
class PoseRecord:
    """One usable line of a pose file, before its image is looked for."""

    file_path: str
    cam_from_world: Float64
    intrinsics: Intrinsics
    mask_path: str | None = None


def read_transforms(path: Path) -> tuple[list[PoseRecord], list[Problem]]:
    """The frames of a ``transforms.json`` that can be used, and what is wrong with the others.

    Raises:
        DataError: the file is missing, not JSON, or holds no list of frames.
    """
    content = _read_json_object(path)
    frames = content.get("frames")
    if not isinstance(frames, list):
        raise DataError(f"{path}: 'frames' is missing; it must be a list of {{file_path, transform_matrix}}")
    shared = {key: value for key, value in content.items() if key != "frames"}
    records: list[PoseRecord] = []
    problems: list[Problem] = []
    for number, frame in enumerate(frames):
        try:
            records.append(_record(shared, frame))
        except DataError as error:
            problems.append(Problem(path.name, "warning", f"frame {_label(number, frame)} is left out: {error}"))
    return records, problems


def write_transforms(
    path: str | Path,
    camera: Camera | Mapping[str, Camera],
    poses: Mapping[str, NDArray[np.floating]],
    masks: Mapping[str, str] | None = None,
) -> Path:
    """Write a ``transforms.json``, whole or not at all; returns the path.

    Args:
        camera: one camera for all frames, or one for each file path.
        poses: ``cam_from_world`` [4, 4] (OpenCV axes) by file path; written with every digit of float64.
        masks: path of an object mask by file path, where there is one.
    """
    shared = camera if isinstance(camera, Camera) else None
    content: dict[str, Any] = {"camera_model": "OPENCV"}
    if shared:
        content |= {"camera_angle_x": shared.angle_x, **_intrinsic_values(shared)}
    frames: list[dict[str, Any]] = []
    for file_path, pose in poses.items():
        frame: dict[str, Any] = {"file_path": file_path}
        if masks and file_path in masks:
            frame["mask_path"] = masks[file_path]
        if not isinstance(camera, Camera):
            frame |= _intrinsic_values(camera[file_path])
        frame["transform_matrix"] = opengl_of_cam_from_world(pose).tolist()
        frames.append(frame)
    return write_json(path, {**content, "frames": frames})


def _intrinsic_values(camera: Camera) -> dict[str, float]:
    values = {"fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy}
    return {"w": int(camera.width), "h": int(camera.height), **{key: float(v) for key, v in values.items()}}


def _read_json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}: broken JSON at line {error.lineno}, column {error.colno}: {error.msg}; mend or write it again"
        ) from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as JSON text ({error}); write it again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}; it must be an object with 'frames'")
    return content


def _label(number: int, frame: Any) -> str:
    return repr(frame["file_path"]) if isinstance(frame, dict) and "file_path" in frame else str(number)


def _record(shared: dict[str, Any], frame: Any) -> PoseRecord:
    if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str) or not frame["file_path"]:
        raise DataError("file_path is missing; it must be the path of an image")
    try:
        matrix = np.array(frame["transform_matrix"], np.float64)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise DataError("transform_matrix is missing or not made of numbers; it must be 4x4") from error
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
    if matrix.shape != (4, 4):
        raise DataError(f"transform_matrix has shape {list(matrix.shape)}; it must be 4x4")
    if not np.isfinite(matrix).all():
        raise DataError("transform_matrix holds NaN or infinity; it must be finite")
    if not is_rigid(matrix):
        raise DataError("transform_matrix is not a rigid motion; it must be a rotation and a translation")
    mask = frame.get("mask_path")
    return PoseRecord(
        frame["file_path"],
        cam_from_world_of_opengl(matrix),
        parse_intrinsics(shared, frame),
        mask if isinstance(mask, str) and mask else None,
    )
