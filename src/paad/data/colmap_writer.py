"""Write COLMAP sparse models, text and binary, with the poses as they are."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paad.data.colmap import Points
from paad.data.files import write_bytes, write_text
from paad.geometry.camera import Camera

_PINHOLE = 1


def write_model(
    folder: str | Path,
    cameras: Mapping[str, Camera],
    poses: Mapping[str, NDArray[np.floating]],
    points: Points | None = None,
) -> Path:
    """Write cameras, images and points3D as ``.txt`` and ``.bin`` into ``folder``; returns it.

    Args:
        cameras: intrinsics by image name; equal ones are written once, as PINHOLE.
        poses: ``cam_from_world`` [4, 4] by image name.
        points: coloured points without tracks; empty files where there are none.
    """
    out = Path(folder)
    numbers = {camera: i + 1 for i, camera in enumerate(dict.fromkeys(cameras[name] for name in poses))}
    rows = [
        (i + 1, (*quaternion_of_rotation(pose[:3, :3]), *pose[:3, 3].tolist()), numbers[cameras[name]], name)
        for i, (name, pose) in enumerate(poses.items())
    ]
    cloud = points or Points(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))

    camera_lines = []
    for c, i in numbers.items():
        values = " ".join(repr(float(v)) for v in (c.fx, c.fy, c.cx, c.cy))
        camera_lines.append(f"{i} PINHOLE {c.width} {c.height} {values}")
    write_text(out / "cameras.txt", _text("CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]", camera_lines))
    content = struct.pack("<Q", len(numbers))
    for c, i in numbers.items():
        content += struct.pack("<iiQQ4d", i, _PINHOLE, c.width, c.height, c.fx, c.fy, c.cx, c.cy)
    write_bytes(out / "cameras.bin", content)

    image_lines = [f"{i} {' '.join(map(repr, values))} {camera} {name}\n" for i, values, camera, name in rows]
    header = "IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; then POINTS2D[]"
    write_text(out / "images.txt", _text(header, image_lines))
    parts = [
        struct.pack("<I7dI", i, *values, camera) + name.encode() + b"\0" + bytes(8) for i, values, camera, name in rows
    ]
    write_bytes(out / "images.bin", struct.pack("<Q", len(rows)) + b"".join(parts))

    both = list(zip(cloud.xyz.tolist(), cloud.rgb.tolist()))
    point_lines = [f"{i + 1} {x!r} {y!r} {z!r} {r} {g} {b} 0.0" for i, ((x, y, z), (r, g, b)) in enumerate(both)]
    write_text(out / "points3D.txt", _text("POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]", point_lines))
    parts = [struct.pack("<Q3d3BdQ", i + 1, *xyz, *rgb, 0.0, 0) for i, (xyz, rgb) in enumerate(both)]
    write_bytes(out / "points3D.bin", struct.pack("<Q", len(both)) + b"".join(parts))
    return out


def quaternion_of_rotation(rotation: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Unit quaternion (w, x, y, z), w >= 0, of a rotation [3, 3].

    The largest component is computed from the diagonal and the others from it (Shepperd, 1978), so that none is
    divided by a small number.
    """
    r = np.asarray(rotation, np.float64)
    squares = 1.0 + np.array([r[0, 0] + r[1, 1] + r[2, 2], *(2.0 * np.diag(r) - np.trace(r))])
    i = int(np.argmax(squares))
    q = np.empty(4)
    q[i] = 0.5 * math.sqrt(squares[i])
    skew = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    if i == 0:
        q[1:] = skew / (4.0 * q[0])
    else:
        q[0] = skew[i - 1] / (4.0 * q[i])
        for j in range(1, 4):
            if j != i:
                q[j] = (r[i - 1, j - 1] + r[j - 1, i - 1]) / (4.0 * q[i])
    q *= (1.0 if q[0] >= 0 else -1.0) / np.linalg.norm(q)
    w, x, y, z = q.tolist()
    return w, x, y, z


def _text(header: str, lines: list[str]) -> str:
    return "\n".join([f"# {header}", *lines]) + "\n"
