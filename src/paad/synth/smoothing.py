"""Vertex normals that keep flat faces flat and round edges and curves."""

from __future__ import annotations

import numpy as np

from paad.synth.model import Mesh

CREASE_DEGREES = 50.0
"""Faces that meet at more than this angle keep a sharp edge between them; bevels (45°) are rounded."""


def smooth(mesh: Mesh, crease_degrees: float = CREASE_DEGREES) -> Mesh:
    """Give a welded mesh vertex normals, repeating vertices where the surface has a crease.

    A corner's normal is the mean of the faces around its vertex within ``crease_degrees`` of the corner's own face,
    weighted by area squared, so that a large flat face stays flat and a bevel beside it shades like a rounded edge.
    """
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    scaled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(scaled, axis=1)
    normal = scaled / area.clip(1e-12)[:, None]
    vertex = mesh.faces.reshape(-1)
    face = np.repeat(np.arange(len(mesh.faces)), 3)
    order = np.argsort(vertex, kind="stable")
    start = np.searchsorted(vertex[order], np.arange(len(mesh.vertices) + 1))
    degree = np.diff(start)

    # Every pair (corner, face around the same vertex), flattened.
    corner = np.repeat(np.arange(len(vertex)), degree[vertex])
    offset = np.arange(len(corner)) - np.repeat(np.cumsum(degree[vertex]) - degree[vertex], degree[vertex])
    other = face[order[start[vertex[corner]] + offset]]
    close = np.einsum("ij,ij->i", normal[face[corner]], normal[other]) > np.cos(np.radians(crease_degrees))
    total = np.zeros((len(vertex), 3))
    weight = area[other, None] ** 2 * normal[other]
    np.add.at(total, corner[close], weight[close])
    total /= np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)

    key = np.column_stack([vertex, np.round(total * 1e3).astype(np.int64)])
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return Mesh(
        mesh.vertices[vertex[first]],
        np.ascontiguousarray(inverse.reshape(-1, 3), dtype=np.int32),
        total[first].astype(np.float32),
        mesh.colours,
    )
