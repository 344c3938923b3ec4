"""Pinhole cameras: OpenCV axes (+x right, +y down, +z forward), pixel centres at 0.5."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError


class Lens(NamedTuple):
    """How a lens differs from another: by ``zoom`` times the focal length, and by where the axis meets the picture,
    ``x`` and ``y`` in focal lengths of the other."""

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def changed(self, by: Lens) -> Lens:
        """This lens, changed once more."""
        return Lens(self.zoom * by.zoom, self.x + self.zoom * by.x, self.y + self.zoom * by.y)


SAME_LENS = Lens()


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics in pixels. The centre of the top left pixel is (0.5, 0.5).

    Raises:
        DataError: a size below one pixel, or a focal length that is not a positive finite number.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise DataError(f"camera size is {self.width}x{self.height}; it must be at least 1x1 pixel")
        if not all(math.isfinite(v) for v in (self.fx, self.fy, self.cx, self.cy)) or self.fx <= 0 or self.fy <= 0:
            raise DataError(
                f"camera intrinsics fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy}: "
                "focal lengths must be positive and all values finite"
            )

    @staticmethod
    def from_angle_x(angle_x: float, width: int, height: int) -> Camera:
        """Camera of horizontal field of view ``angle_x`` (radians), square pixels, centred principal point."""
        if not 0.0 < angle_x < math.pi:
            raise DataError(f"camera_angle_x is {angle_x}; it must lie between 0 and pi radians")
        f = 0.5 * width / math.tan(0.5 * angle_x)
        return Camera(width, height, f, f, 0.5 * width, 0.5 * height)

    @property
    def angle_x(self) -> float:
        """Horizontal field of view in radians."""
        return 2.0 * math.atan(0.5 * self.width / self.fx)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The calibration matrix K, float64 [3, 3]."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def resized(self, width: int, height: int) -> Camera:
        """The same camera with its image resampled to ``width`` x ``height`` pixels."""
        sx, sy = width / self.width, height / self.height
        return Camera(width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)

    def scaled(self, factor: float) -> Camera:
        """The same camera at ``factor`` times the resolution, sizes rounded to whole pixels (at least 1)."""
        return self.resized(max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def through(self, lens: Lens) -> Camera:
        """The camera with another lens, its image of the same size."""
        return replace(
            self,
            fx=self.fx * lens.zoom,
            fy=self.fy * lens.zoom,
            cx=self.cx + lens.x * self.fx,
            cy=self.cy + lens.y * self.fy,
        )

    def cropped(self, x0: int, y0: int, width: int, height: int) -> Camera:
        """The camera of the window that starts at pixel (x0, y0)."""
        return replace(self, width=width, height=height, cx=self.cx - x0, cy=self.cy - y0)

    def project(
        self, points_world: NDArray[np.floating], cam_from_world: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Project world points [N, 3]; returns pixels [N, 2] and depths [N] (pixels are inf/nan where depth is 0)."""
        p = points_world @ cam_from_world[:3, :3].T + cam_from_world[:3, 3]
        z = p[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            uv = np.stack([self.fx * p[:, 0] / z + self.cx, self.fy * p[:, 1] / z + self.cy], axis=-1)
        return uv, z

    def rays(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Unit viewing directions [N, 3] in camera coordinates through ``pixels`` [N, 2]."""
        d = np.stack(
            [(pixels[:, 0] - self.cx) / self.fx, (pixels[:, 1] - self.cy) / self.fy, np.ones(len(pixels))], axis=-1
        )
        unit: NDArray[np.float64] = d / np.linalg.norm(d, axis=-1, keepdims=True)
        return unit
