"""What a brick toy is: parts at places in colours. LDraw units (LDU, 0.4 mm) and LDraw axes (-y is up) throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paad.types import Float32, Float64

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in LDU, LDraw axes, right-handed.

    Attributes:
        vertices: float32 [V, 3]. Repeated at creases when ``normals`` are given; `welded` shares them again.
        faces: int32 [F, 3], counter-clockwise seen from outside.
        normals: float32 [V, 3] unit vertex normals for smooth shading, or None for flat faces.
        colours: float32 [F, 3] sRGB, or None where the mesh has none of its own.
    """

    vertices: Float32
    faces: Int32
    normals: Float32 | None = None
    colours: Float32 | None = None

    def welded(self, tolerance: float = 1e-3) -> Mesh:
        """The same surface with one vertex for each place (within ``tolerance`` LDU) and no normals."""
        keys = np.round(self.vertices.astype(np.float64) / tolerance).astype(np.int64)
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        faces = inverse.reshape(-1)[self.faces]
        distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        colours = None if self.colours is None else self.colours[distinct]
        return Mesh(self.vertices[first], faces[distinct].astype(np.int32), colours=colours)

    def moved(self, transform: Float64) -> Mesh:
        """The mesh under a 4×4 affine map; a mirroring map turns the faces around so that they still face outward."""
        linear = np.asarray(transform[:3, :3], dtype=np.float64)
        vertices = self.vertices @ linear.T + transform[:3, 3]
        faces = self.faces if np.linalg.det(linear) > 0 else self.faces[:, ::-1]
        normals = None
        if self.normals is not None:
            turned = self.normals @ np.linalg.inv(linear)
            normals = (turned / np.linalg.norm(turned, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)
        return Mesh(vertices.astype(np.float32), np.ascontiguousarray(faces), normals, self.colours)


@dataclass(frozen=True)
class Brick:
    """One part of a model.

    Attributes:
        part: LDraw part number without suffix, such as "3001".
        color: LDraw colour code, or 0x2RRGGBB for a direct colour.
        transform: float64 [4, 4], part to model, LDU.
    """

    part: str
    color: int
    transform: Float64


@dataclass(frozen=True)
class BrickModel:
    """A toy: a name and its bricks, submodels already flattened."""

    name: str
    bricks: tuple[Brick, ...]
