"""A part as geometry: a closed surface to render, convex solids to collide, and the places where parts join."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paad.types import Float64

Index = NDArray[np.int64]

STUD_RADIUS, STUD_HEIGHT = 6.0, 4.0
UP: Float64 = np.array([0.0, -1.0, 0.0])


def _none(*shape: int) -> Float64:
    return np.zeros((0, *shape))


@dataclass(frozen=True)
class Shape:
    """Geometry of one part in LDU, LDraw axes.

    Attributes:
        vertices: float64 [V, 3].
        faces: int [F, 3], counter-clockwise from outside; every piece is closed.
        solids: point sets [N, 3] whose convex hulls together fill the part, hollows included, studs left out.
        studs: [S, 2, 3] centre of a stud's base, and the unit direction it points in.
        sockets: [K, 4, 3] rectangles that take studs: centre, the direction of the studs they take, two half-edges.
        bars: [B, 2, 3] ends of cylinders of radius 4 that a clip can hold.
        clips: [C, 2, 3] centre of a clip's grip, and the unit direction of the bar it holds.
        pivots: [P, 2, 3] point and unit axis of a hinge; two equal pivots are one hinge.
    """

    vertices: Float64
    faces: Index
    solids: tuple[Float64, ...] = ()
    studs: Float64 = field(default_factory=lambda: _none(2, 3))
    sockets: Float64 = field(default_factory=lambda: _none(4, 3))
    bars: Float64 = field(default_factory=lambda: _none(2, 3))
    clips: Float64 = field(default_factory=lambda: _none(2, 3))
    pivots: Float64 = field(default_factory=lambda: _none(2, 3))

    def __add__(self, other: Shape) -> Shape:
        return Shape(
            np.concatenate([self.vertices, other.vertices]),
            np.concatenate([self.faces, other.faces + len(self.vertices)]),
            self.solids + other.solids,
            np.concatenate([self.studs, other.studs]),
            np.concatenate([self.sockets, other.sockets]),
            np.concatenate([self.bars, other.bars]),
            np.concatenate([self.clips, other.clips]),
            np.concatenate([self.pivots, other.pivots]),
        )

    def moved(self, transform: Float64) -> Shape:
        """The shape under a rigid 4×4 transform (or a mirror, which turns the faces around)."""
        turn, shift = transform[:3, :3], transform[:3, 3]
        faces = self.faces if np.linalg.det(turn) > 0 else self.faces[:, ::-1]

        def carry(joint: Float64, points: int) -> Float64:
            out = joint @ turn.T
            out[:, :points] += shift
            return out

        return Shape(
            self.vertices @ turn.T + shift,
            faces,
            tuple(points @ turn.T + shift for points in self.solids),
            carry(self.studs, 1),
            carry(self.sockets, 1),
            carry(self.bars, 2),
            carry(self.clips, 1),
            carry(self.pivots, 1),
        )

    def bare(self) -> Shape:
        """The surface alone, without solids: for details inside another solid."""
        return Shape(self.vertices, self.faces)


def joints(
    studs: object = (), sockets: object = (), bars: object = (), clips: object = (), pivots: object = ()
) -> Shape:
    """A shape of joints only, to be added to a body; each argument as nested lists in the shapes of `Shape`."""
    return Shape(
        np.zeros((0, 3)),
        np.zeros((0, 3), dtype=np.int64),
        (),
        np.asarray(studs, dtype=float).reshape(-1, 2, 3),
        np.asarray(sockets, dtype=float).reshape(-1, 4, 3),
        np.asarray(bars, dtype=float).reshape(-1, 2, 3),
        np.asarray(clips, dtype=float).reshape(-1, 2, 3),
        np.asarray(pivots, dtype=float).reshape(-1, 2, 3),
    )


def socket(x0: float, x1: float, z0: float, z1: float, y: float) -> Shape:
    """The underside of a part: takes upright studs anywhere in the rectangle at height ``y``."""
    centre = [(x0 + x1) / 2, y, (z0 + z1) / 2]
    return joints(sockets=[[centre, [0, -1, 0], [(x1 - x0) / 2, 0, 0], [0, 0, (z1 - z0) / 2]]])


def turned(axis: str, degrees: float, shift: tuple[float, float, float] = (0, 0, 0)) -> Float64:
    """A 4×4 rotation about "x", "y" or "z" by the right-hand rule, then a shift in LDU."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    c, s = np.round(np.cos(np.radians(degrees)), 12), np.round(np.sin(np.radians(degrees)), 12)
    out = np.eye(4)
    out[i, i] = out[j, j] = c
    out[i, j], out[j, i] = -s, s
    out[:3, 3] = shift
    return out


def moved_by(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Float64:
    """A 4×4 translation in LDU."""
    return turned("x", 0, (x, y, z))
