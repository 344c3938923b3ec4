"""Any triangle mesh as an object: read it with trimesh, refuse what cannot be rendered or masked exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from paad.errors import DataError, UsageError
from paad.synth.model import Mesh
from paad.synth.smoothing import smooth
from paad.types import Float32, Float64

LARGEST = 2_000_000
"""Most triangles taken; a photograph of a few hundred pixels shows no more."""


UP = {".glb": "y", ".obj": "y", ".ply": "z", ".stl": "z"}
"""Which axis points up in a file: glTF says so, the others by the habit of modellers and of CAD programs."""

FROM_UP: dict[str, Float64] = {
    "y": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
}
"""Rotations to LDraw axes (-y up)."""

SUFFIXES = tuple(UP)


def mesh_object(path: str | Path, up: str | None = None) -> Mesh:
    """Read a closed triangle mesh, with smooth normals, turned to LDraw axes (-y up); its units stay.

    Colours of faces or vertices stay too, if every body of the file has them.

    ``up``: the file's upward axis, "y" or "z"; by default what `UP` says of its suffix.

    Raises:
        UsageError: the suffix is not one of `SUFFIXES`, or ``up`` not one of `FROM_UP`.
        DataError: the file cannot be read, holds no triangle, or is open or degenerate; the message says where.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: not a mesh; the suffixes are {', '.join(SUFFIXES)}")
    axis = UP[path.suffix.lower()] if up is None else up
    if axis not in FROM_UP:
        raise UsageError(f"up is {axis!r}; use {' or '.join(FROM_UP)}")
    vertices, faces, colours = _read(path)
    if not len(faces):
        raise DataError(f"{path}: holds no triangle; export the surface as triangles")
    if len(faces) > LARGEST:
        raise DataError(f"{path}: {len(faces)} triangles are more than {LARGEST}; decimate the mesh")
    if not np.isfinite(vertices).all():
        raise DataError(f"{path}: holds coordinates that are not numbers; repair the mesh")
    size = float(np.ptp(vertices, axis=0).max())
    if size <= 0:
        raise DataError(f"{path}: all its vertices lie at one place; repair the mesh")
    turned = (vertices @ FROM_UP[axis].T).astype(np.float32)
    mesh = Mesh(turned, faces.astype(np.int32), colours=colours).welded(max(size * 1e-6, 1e-12))
    problems = mesh_problems(mesh)
    if problems:
        raise DataError(f"{path}: {'; '.join(problems)}; repair the mesh (fill its holes, merge its vertices)")
    if _volume(mesh) < 0:
        mesh = replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]))
    return smooth(mesh)


def _read(path: Path) -> tuple[Float64, Float64, Float32 | None]:
    import trimesh

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        scene = trimesh.load(path, force="scene", process=False)
        pieces = [piece for piece in scene.dump() if isinstance(piece, trimesh.Trimesh)]
    except Exception as error:  # trimesh's readers raise whatever their parsers do
        raise DataError(f"{path}: cannot be read as {path.suffix} ({error})") from error
    offsets = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    vertices = np.concatenate([np.asarray(piece.vertices, dtype=float) for piece in pieces] or [np.zeros((0, 3))])
    faces = [np.asarray(piece.faces) + offset for piece, offset in zip(pieces, offsets)]
    colours = [c for piece in pieces if (c := _srgb_of_faces(piece.visual)) is not None]
    known = np.concatenate(colours) if colours and len(colours) == len(pieces) else None
    return vertices, np.concatenate(faces or [np.zeros((0, 3), dtype=np.int64)]), known


def _srgb_of_faces(visual: Any) -> Float32 | None:
    """sRGB [F, 3] of a trimesh visual that has colours of its own."""
    if visual.kind not in ("face", "vertex"):
        return None
    out: Float32 = np.asarray(visual.face_colors, np.float32)[:, :3] / np.float32(255.0)
    return out


def mesh_problems(mesh: Mesh) -> list[str]:
    """What keeps a welded mesh from being a closed solid, in words; an empty list when it is one."""
    problems = []
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    size = float(np.ptp(mesh.vertices, axis=0).max()) if len(mesh.vertices) else 0.0
    flat = int((area <= (size * 1e-7) ** 2).sum())
    if flat:
        problems.append(f"{flat} of {len(mesh.faces)} triangles have no area")
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    forward = np.unique(edges, axis=0, return_counts=True)
    there = {tuple(edge): int(count) for edge, count in zip(forward[0].tolist(), forward[1])}
    unmatched = [edge for edge, count in there.items() if there.get((edge[1], edge[0]), 0) != count]
    if unmatched:
        x, y, z = mesh.vertices[unmatched[0][0]]
        problems.append(
            f"{len(unmatched)} edges are open or wound against each other, one near ({x:.4g}, {y:.4g}, {z:.4g})"
        )
    if not problems and abs(_volume(mesh)) < 1e-9 * size**3:
        problems.append("it encloses no volume")
    return problems


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)
