"""The only module that flips an axis: OpenGL camera-to-world outside, OpenCV camera-from-world inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paad.geometry.se3 import inverse

_FLIP_YZ = np.diag([1.0, -1.0, -1.0, 1.0])


def cam_from_world_of_opengl(world_from_cam_opengl: NDArray[np.floating]) -> NDArray[np.float64]:
    """OpenGL camera-to-world (``transforms.json``) [4, 4] to OpenCV ``cam_from_world`` [4, 4]."""
    return inverse(np.asarray(world_from_cam_opengl, np.float64) @ _FLIP_YZ)


def opengl_of_cam_from_world(cam_from_world: NDArray[np.floating]) -> NDArray[np.float64]:
    """OpenCV ``cam_from_world`` [4, 4] to OpenGL camera-to-world [4, 4], as ``transforms.json`` holds it."""
    return inverse(np.asarray(cam_from_world, np.float64)) @ _FLIP_YZ
