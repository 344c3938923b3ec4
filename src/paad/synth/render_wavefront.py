"""Rendering with a vectorized Mitsuba variant: all light paths of a window at once, through one compiled kernel.

Mitsuba's own render call makes the crop of the film a constant of the kernel, so that every window would be compiled
anew. Here windows and cameras are data. The scalar twin of this is in :class:`paad.synth.render_scene.Scene`; a test
checks that both show the same.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.geometry.camera import Camera
from paad.types import Float32

LARGEST_WAVE = 1 << 21
"""Light paths followed at once; more would only take memory."""
Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last two exclusive."""
Hits = tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]
"""Distance, number of the shape, number of its triangle."""


class Wavefront:
    """Renders one scene of a vectorized variant."""

    def __init__(self, mi: Any, scene: Any) -> None:
        self._mi, self._scene = mi, scene
        self._dr: Any = importlib.import_module("drjit")  # its stubs know no plain arrays
        dr = self._dr
        # Pointers to shapes are registry numbers, which depend on what was loaded before.
        keys = [int(dr.reinterpret_array(mi.UInt32, mi.ShapePtr(shape)).numpy()[0]) for shape in scene.shapes()]
        self._shape_of_key = np.full(max(keys) + 1, -1, np.int64)
        self._shape_of_key[keys] = np.arange(len(keys))

    def picture(self, sensor: Any, camera: Camera, window: Window, samples: int, seed: int) -> tuple[Float32, Float32]:
        """Linear RGB [h, w, 3] of a window, multiplied by its coverage, and coverage [h, w]; a box filter."""
        x0, y0, x1, y1 = window
        rows = max(1, LARGEST_WAVE // (samples * (x1 - x0)))
        strips = [
            self._strip(sensor, camera, (x0, y, x1, min(y + rows, y1)), samples, seed + 1_000_003 * number)
            for number, y in enumerate(range(y0, y1, rows))
        ]
        image = np.concatenate(strips)
        return np.ascontiguousarray(image[..., :3]), np.ascontiguousarray(image[..., 3])

    def _strip(self, sensor: Any, camera: Camera, window: Window, samples: int, seed: int) -> Float32:
        mi, dr = self._mi, self._dr
        corner, count = self._pixels(window, samples)
        sampler = mi.load_dict({"type": "multijitter", "sample_count": samples})
        sampler.set_samples_per_wavefront(samples)
        sampler.seed(seed & 0x7FFFFFFF, count * samples)
        place = (corner + sampler.next_2d()) / self._film(camera)
        ray, weight = sensor.sample_ray_differential(0.0, 0.5, place, sampler.next_2d())
        colour, seen, _ = self._scene.integrator().sample(self._scene, sampler, ray, None, True)
        colour = dr.select(seen, colour * weight, 0.0)
        channels = [colour.x, colour.y, colour.z, dr.select(seen, mi.Float(1.0), mi.Float(0.0))]
        dr.eval(channels)  # together, or each sum below would follow the paths again
        sums = [dr.block_reduce(dr.ReduceOp.Add, channel, samples).numpy() for channel in channels]
        image: Float32 = np.stack(sums, axis=-1).reshape(window[3] - window[1], window[2] - window[0], 4)
        return image / np.float32(samples)

    def hits(self, sensor: Any, camera: Camera, window: Window) -> Hits:
        """What the centre ray of each pixel meets, [h, w] each; the distance is 0 where it meets nothing."""
        mi, dr = self._mi, self._dr
        corner, _ = self._pixels(window, 1)
        ray, _ = sensor.sample_ray(0.0, 0.5, (corner + 0.5) / self._film(camera), mi.Point2f(0.5))
        found = self._scene.ray_intersect_preliminary(ray)
        distance = dr.select(found.is_valid(), found.t, 0.0)
        key, triangle = dr.reinterpret_array(mi.UInt32, found.shape), found.prim_index
        dr.eval(distance, key, triangle)
        shape = (window[3] - window[1], window[2] - window[0])
        keys = key.numpy().astype(np.int64).clip(0, len(self._shape_of_key) - 1)
        return (
            distance.numpy().astype(np.float64).reshape(shape),
            self._shape_of_key[keys].reshape(shape),
            triangle.numpy().astype(np.int64).reshape(shape),
        )

    def _pixels(self, window: Window, samples: int) -> tuple[Any, int]:
        """Lower corners of the window's pixels, each ``samples`` times in a row, and the number of pixels."""
        mi, dr = self._mi, self._dr
        x0, y0, x1, y1 = window
        count = (x1 - x0) * (y1 - y0)
        index = dr.arange(mi.UInt32, count * samples) // samples
        width, left, top = (dr.opaque(mi.UInt32, v) for v in (x1 - x0, x0, y0))
        row = index // width
        return mi.Point2f(mi.Float(index - row * width + left), mi.Float(row + top)), count

    def _film(self, camera: Camera) -> Any:
        """Width and height of the whole film."""
        return self._mi.Vector2f(*(self._dr.opaque(self._mi.Float, v) for v in (camera.width, camera.height)))
