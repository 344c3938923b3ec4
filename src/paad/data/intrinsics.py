"""Intrinsics as files write them, made into cameras once the image's size is known; removal of lens distortion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paad.errors import DataError
from paad.geometry.camera import Camera

_PINHOLE_LIKE = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV", "PERSPECTIVE")


@dataclass(frozen=True)
class Intrinsics:
    """A camera as a file states it. What is None is not stated.

    Attributes:
        width, height: size of the image that the other numbers belong to, pixels.
        fx, fy, cx, cy: pixels; the centre of the top left pixel is (0.5, 0.5).
        angle_x, angle_y: fields of view in radians, used where the focal length is not stated.
        distortion: OpenCV's k1, k2, p1, p2, k3, k4, k5, k6; empty for a pinhole camera.
    """

    width: int | None = None
    height: int | None = None
    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None
    angle_x: float | None = None
    angle_y: float | None = None
    distortion: tuple[float, ...] = ()

    def camera(self, width: int, height: int) -> Camera:
        """The camera of an image of ``width`` x ``height`` pixels; stated for another size, it is scaled.

        Raises:
            DataError: no focal length and no field of view, or values that no camera has.
        """
        w, h = self.width or width, self.height or height
        fx = self.fx
        if fx is None and self.angle_x is not None:
            fx = Camera.from_angle_x(self.angle_x, w, h).fx
        if fx is None:
            raise DataError("neither fl_x nor camera_angle_x is given; one of them is needed")
        fy = self.fy
        if fy is None:
            fy = Camera.from_angle_x(self.angle_y, h, w).fx if self.fx is None and self.angle_y is not None else fx
        cx = 0.5 * w if self.cx is None else self.cx
        cy = 0.5 * h if self.cy is None else self.cy
        return Camera(w, h, fx, fy, cx, cy).resized(width, height)


def parse_intrinsics(shared: Mapping[str, Any], frame: Mapping[str, Any]) -> Intrinsics:
    """Intrinsics from the top level of a ``transforms.json`` and one of its frames; the frame's values win.

    Raises:
        DataError: a value that is not a number, or a camera model that cannot be made a pinhole camera.
    """
    values = {**shared, **frame}
    if "camera_angle_x" in frame and "fl_x" not in frame:
        values.pop("fl_x", None)
    model = str(values.get("camera_model", "OPENCV")).upper()
    if model not in _PINHOLE_LIKE:
        raise DataError(f"camera_model is {model}; allowed are {', '.join(_PINHOLE_LIKE)}. Undistort the images first")

    def number(key: str) -> float | None:
        value = values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            raise DataError(f"{key} is {str(value)[:40]}; it must be a finite number")
        return float(value)

    def size(key: str) -> int | None:
        value = number(key)
        if value is not None and value < 1:
            raise DataError(f"{key} is {value:g}; an image is at least 1 pixel wide and high")
        return None if value is None else round(value)

    k = [number(key) or 0.0 for key in ("k1", "k2", "p1", "p2", "k3")]
    if number("k4"):
        raise DataError("k4 is not 0; only k1, k2, k3, p1 and p2 are understood. Undistort the images first")
    return Intrinsics(
        size("w"), size("h"), number("fl_x"), number("fl_y"), number("cx"), number("cy"),
        number("camera_angle_x"), number("camera_angle_y"), tuple(k) if any(k) else (),
    )  # fmt: skip


def undistort(image: NDArray[Any], camera: Camera, distortion: tuple[float, ...]) -> NDArray[Any]:
    """``image`` [H, W, ...] as the pinhole ``camera`` would have seen it (Brown-Conrady model, bilinear).

    ``camera`` holds the intrinsics of the distorted image and keeps them; pixels from outside repeat the border.
    """
    x, y = _undistortion_maps(camera, distortion)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


@lru_cache(maxsize=4)
def _undistortion_maps(camera: Camera, distortion: tuple[float, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    k = camera.matrix
    k[:2, 2] -= 0.5  # OpenCV puts pixel centres at whole numbers
    x, y = cv2.initUndistortRectifyMap(k, np.array(distortion), None, k, (camera.width, camera.height), cv2.CV_32FC1)
    return np.asarray(x), np.asarray(y)
