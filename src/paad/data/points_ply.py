"""A coloured point cloud as ``.ply``, for MeshLab, CloudCompare and the like."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paad.data.files import write_bytes
from paad.types import Float32, UInt8


def write_points_ply(path: str | Path, points: Float32, colours: UInt8, **scalars: Float32) -> Path:
    """Write points [N, 3] with RGB colours [N, 3] and named values [N], whole or not at all; returns the path.

    Raises:
        PaadError: the file cannot be written.
    """
    fields = [(axis, "<f4") for axis in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")]
    table = np.zeros(len(points), [*fields, *((name, "<f4") for name in scalars)])
    for k, axis in enumerate("xyz"):
        table[axis] = points[:, k]
    for k, name in enumerate(("red", "green", "blue")):
        table[name] = colours[:, k]
    for name, values in scalars.items():
        table[name] = values
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    kinds = {"<f4": "float", "|u1": "uchar"}
    header += [f"property {kinds[table.dtype[name].str]} {name}" for name in table.dtype.names or ()]
    return write_bytes(path, "\n".join([*header, "end_header", ""]).encode() + table.tobytes())
