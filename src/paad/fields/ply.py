"""The standard splat ``.ply``: binary little endian, read by property name; opens in SuperSplat and other viewers.

Property names as in the reference layout of Kerbl et al. (2023): x y z, f_dc_0..2, f_rest_* (channel by channel),
opacity (logit), scale_0..2 (logarithm), rot_0..3 (w x y z).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paad.data.files import write_bytes
from paad.errors import DataError
from paad.render import Gaussians

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4", "float": "<f4",
    "double": "<f8", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4",
    "float32": "<f4", "float64": "<f8",
}  # fmt: skip


def write_ply(gaussians: Gaussians, path: str | Path) -> Path:
    """Write the Gaussians in world coordinates, whole or not at all; returns the path."""
    g = {name: tensor.detach().cpu().numpy().astype(np.float32) for name, tensor in gaussians.named().items()}
    n, bases = g["sh"].shape[:2]
    rest = g["sh"][:, 1:].transpose(0, 2, 1).reshape(n, -1)
    quats = g["quats"] / np.maximum(np.linalg.norm(g["quats"], axis=1, keepdims=True), 1e-12)
    names = ["x", "y", "z", "nx", "ny", "nz", *(f"f_dc_{i}" for i in range(3))]
    names += [f"f_rest_{i}" for i in range(3 * (bases - 1))]
    names += ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    table = np.concatenate(
        [g["means"], np.zeros((n, 3), np.float32), g["sh"][:, 0], rest, g["logit_opacities"][:, None], g["log_scales"],
         quats], axis=1,
    )  # fmt: skip
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {n}"]
    header += [f"property float {name}" for name in names] + ["end_header", ""]
    return write_bytes(path, "\n".join(header).encode() + np.ascontiguousarray(table, "<f4").tobytes())


def _vertices(path: Path) -> NDArray[np.void]:
    content = path.read_bytes()
    end = content.find(b"end_header\n")
    if not content.startswith(b"ply") or end < 0:
        raise DataError(f"{path}: not a .ply file")
    count, fields, in_vertex = 0, [], False
    for line in content[:end].decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"] and words[1] != "binary_little_endian":
            raise DataError(f"{path}: format {words[1]}; only binary_little_endian splats are read")
        if words[:1] == ["element"]:
            in_vertex = words[1] == "vertex"
            count = int(words[2]) if in_vertex else count
        elif words[:1] == ["property"] and in_vertex:
            if words[1] not in _TYPES:
                raise DataError(f"{path}: property type {words[1]} is not one of a splat")
            fields.append((words[2], _TYPES[words[1]]))
    kind = np.dtype(fields)
    body = content[end + len(b"end_header\n") :]
    if len(body) < count * kind.itemsize:
        raise DataError(f"{path}: cut short, {len(body)} of {count * kind.itemsize} bytes; copy or export it again")
    return np.frombuffer(body, kind, count)


def read_ply(path: str | Path) -> Gaussians:
    """Read a splat by its properties' names.

    Raises:
        DataError: missing, not a splat, of another format, or cut short.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    rows = _vertices(file)
    names = set(rows.dtype.names or ())
    needed = {"x", "y", "z", "opacity", "f_dc_0", "scale_0", "rot_0"}
    if not needed <= names:
        raise DataError(f"{file}: not a splat: the properties {sorted(needed - names)} are missing")

    def columns(*wanted: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([rows[name].astype(np.float32) for name in wanted], axis=1))

    count = sum(name.startswith("f_rest_") for name in names)
    if count not in (0, 9, 24, 45):
        raise DataError(f"{file}: {count} f_rest properties; allowed are 0, 9, 24 and 45 (degree 0 to 3)")
    base = columns("f_dc_0", "f_dc_1", "f_dc_2")[:, None, :]
    sh = base
    if count:
        rest = columns(*(f"f_rest_{i}" for i in range(count))).reshape(len(rows), 3, count // 3).transpose(1, 2)
        sh = torch.cat([base, rest], dim=1)
    return Gaussians(
        columns("x", "y", "z"),
        columns("rot_0", "rot_1", "rot_2", "rot_3"),
        columns("scale_0", "scale_1", "scale_2"),
        columns("opacity")[:, 0],
        sh.contiguous(),
    )
