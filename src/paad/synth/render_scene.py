"""Mitsuba scenes of a specimen: built once, rendered from many cameras, as a picture or as noise-free buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.errors import UsageError
from paad.geometry.camera import Camera
from paad.geometry.conventions import opengl_of_cam_from_world
from paad.synth.looks import Lighting, environment
from paad.synth.render_mitsuba import mitsuba
from paad.synth.render_surface import FINISHES, Surface
from paad.synth.render_wavefront import Hits, Wavefront, Window
from paad.types import Float32, Float64

MAX_DEPTH = 3
"""Path length: light, one bounce, and what a bounce sees; a fourth segment changes pictures by 0.1 % on average."""
NEAR = 0.05
"""Distance of the near plane, world units; Mitsuba measures distances along rays from there."""
OPAQUE = ("to_world", "x_fov", "principal_point_offset_x", "principal_point_offset_y", "aperture_radius",
          "focus_distance")  # fmt: skip
"""Numbers of a sensor that change from view to view."""


@dataclass(frozen=True)
class Lens:
    """A thin lens: ``aperture`` radius and the distance in focus, both in world units; 0 is a pinhole."""

    aperture: float = 0.0
    focus: float = 1.0


@dataclass(frozen=True)
class Backdrop:
    """What the object stands on: a square of side ``2 * half`` at height ``z``.

    Its ``texture`` (linear RGB [h, w, 3]) fits into it ``repeats`` times along each side, mirrored.
    """

    z: float
    half: float
    texture: Float32
    repeats: float = 3.0
    roughness: float = 0.3


class Scene:
    """A specimen with its light, and a backdrop if any. Only the camera (and the light) changes later."""

    def __init__(
        self, surface: Surface, lighting: Lighting, backdrop: Backdrop | None = None, variant: str = "scalar_rgb"
    ) -> None:
        self.surface, self._variant = surface, variant
        mi = self._mi
        self._items: dict[str, Any] = {
            "type": "scene",
            "integrator": {
                "type": "path",
                "max_depth": MAX_DEPTH,
                "rr_depth": 10,
                "hide_emitters": backdrop is None,  # a room behind the table, white behind a lone object
            },
        }
        faces: dict[str, NDArray[np.int64]] = {}
        for index, finish in enumerate(FINISHES):
            chosen = np.flatnonzero(surface.finish == index)
            if len(chosen):
                self._items[finish] = _mesh(mi, finish, surface.take(chosen))
                faces[finish] = chosen
        if backdrop is not None:
            self._items["backdrop"] = mi.load_dict(_plane(mi, backdrop))
        # Mitsuba's environment has +y up; ours has +z up.
        self._items["light"] = {
            "type": "envmap",
            "bitmap": mi.Bitmap(environment(lighting)),
            "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90),
        }
        self._scene = mi.load_dict(self._items)
        self._faces = [faces.get(shape.id()) for shape in self._scene.shapes()]
        self._aov = mi.load_dict({"type": "aov", "aovs": "depth:depth,shape:shape_index,prim:prim_index"})
        self._wavefront = Wavefront(mi, self._scene) if mi.variant() != "scalar_rgb" else None

    @property
    def mitsuba_scene(self) -> Any:
        """The ``mitsuba.Scene``."""
        return self._scene

    @property
    def _mi(self) -> Any:
        """Mitsuba with this scene's variant set, whatever another scene set meanwhile."""
        return mitsuba(self._variant)

    def relight(self, lighting: Lighting) -> None:
        """Change the light around the object; all else is kept."""
        mi = self._mi
        params = mi.traverse(self._scene)
        # Mitsuba keeps a column more on either side, so that it can interpolate across the seam.
        params["light.data"] = mi.TensorXf(np.pad(environment(lighting), ((0, 0), (1, 1), (0, 0)), mode="wrap"))
        params.update()

    def picture(
        self,
        camera: Camera,
        cam_from_world: Float64,
        samples: int,
        seed: int,
        window: Window | None = None,
        lens: Lens | None = None,
    ) -> tuple[Float32, Float32]:
        """Linear RGB [h, w, 3], multiplied by its coverage, and coverage [h, w] of the ``window`` (default: all).

        Deterministic in ``seed``. ``samples`` a pixel, rounded up by the stratified sampler to a whole grid.
        """
        mi = self._mi
        if self._wavefront is not None:
            sensor = self._aimed(camera, cam_from_world, lens)
            return self._wavefront.picture(sensor, camera, window or _whole(camera), samples, seed)
        sampler = {"type": "multijitter", "sample_count": samples}
        sensor = mi.load_dict(mitsuba_sensor(mi, camera, cam_from_world, window, sampler, lens))
        image = np.array(mi.render(self._scene, sensor=sensor, seed=seed), np.float32)
        return np.ascontiguousarray(image[..., :3]), np.clip(image[..., 3], 0.0, 1.0)

    def hits(
        self, camera: Camera, cam_from_world: Float64, window: Window | None = None
    ) -> tuple[NDArray[np.int64], Float32]:
        """What each pixel's centre ray meets: triangle of ``surface`` [h, w] (-1: none) and distance [h, w].

        The distance is along the ray, in world units, 0 where nothing is met; a backdrop counts as nothing.
        """
        distance, shape, prim = self._first_hits(camera, cam_from_world, window)
        triangle = np.full(distance.shape, -1, np.int64)
        for index, faces in enumerate(self._faces):
            if faces is not None:
                met = (shape == index) & (distance > 0.0)
                triangle[met] = faces[prim[met]]
        distance = distance + NEAR / ray_directions(camera, window)[..., 2]
        return triangle, np.where(triangle >= 0, distance, 0.0).astype(np.float32)

    def _first_hits(self, camera: Camera, cam_from_world: Float64, window: Window | None) -> Hits:
        """Distance from the near plane (0: nothing is met), number of the shape and of its triangle, each [h, w]."""
        mi = self._mi
        if self._wavefront is not None:
            return self._wavefront.hits(self._aimed(camera, cam_from_world, None), camera, window or _whole(camera))
        sampler = {"type": "stratified", "sample_count": 1, "jitter": False}
        sensor = mi.load_dict(mitsuba_sensor(mi, camera, cam_from_world, window, sampler, None))
        buffers = np.array(mi.render(self._scene, sensor=sensor, integrator=self._aov, spp=1), np.float64)
        number, triangle = (np.rint(buffers[..., k]).astype(np.int64) for k in (1, 2))
        return buffers[..., 0], number - 1, triangle  # Mitsuba counts shapes from 1; 0 is nothing

    def _aimed(self, camera: Camera, cam_from_world: Float64, lens: Lens | None) -> Any:
        """A sensor for the whole film; its numbers are data of the kernels, not constants in them."""
        import drjit as dr

        mi = self._mi
        sampler = {"type": "multijitter", "sample_count": 1}
        sensor = mi.load_dict(mitsuba_sensor(mi, camera, cam_from_world, None, sampler, lens))
        params = mi.traverse(sensor)
        dr.make_opaque([value for key, value in params.items() if key in OPAQUE])
        for key in OPAQUE:
            if key in params:
                params.set_dirty(key)
        params.update()
        return sensor


def ray_directions(camera: Camera, window: Window | None = None) -> Float64:
    """Unit directions [h, w, 3] in the camera's frame through the pixel centres of a window."""
    x0, y0, x1, y1 = window or (0, 0, camera.width, camera.height)
    x, y = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    rays = camera.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    return rays.reshape(y1 - y0, x1 - x0, 3)


def _whole(camera: Camera) -> Window:
    return (0, 0, camera.width, camera.height)


def _bsdf(mi: Any, finish: str, palette: Float32) -> dict[str, Any]:
    """Glossy ABS plastic: index of refraction 1.54 (Brydson, Plastics Materials, 1999), slightly rough."""
    colour = {
        "type": "bitmap",
        "bitmap": mi.Bitmap(palette),
        "raw": True,
        "filter_type": "nearest",
        "wrap_mode": "clamp",
    }
    if finish == "metal":
        nested = {"type": "principled", "base_color": colour, "metallic": 0.7, "roughness": 0.35}
    else:
        nested = {"type": "roughplastic", "diffuse_reflectance": colour, "int_ior": 1.54, "alpha": 0.12}
    return {"type": "twosided", "nested": nested}


def _mesh(mi: Any, finish: str, surface: Surface) -> Any:
    """A Mitsuba mesh with its own corners for every triangle; a texel of a square palette holds its colour."""
    colours, which = np.unique(surface.colours, axis=0, return_inverse=True)
    side = int(np.ceil(np.sqrt(len(colours))))
    palette = np.zeros((side * side, 3), np.float32)
    palette[: len(colours)] = colours
    which = which.reshape(-1)
    uv = np.stack([(which % side + 0.5) / side, (which // side + 0.5) / side], axis=1).astype(np.float32)
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(_bsdf(mi, finish, palette.reshape(side, side, 3)))
    properties.set_id(finish)
    n = 3 * len(surface)
    mesh = mi.Mesh(finish, n, len(surface), properties, has_vertex_normals=True, has_vertex_texcoords=True)
    params = mi.traverse(mesh)
    params["vertex_positions"] = surface.corners.reshape(-1)
    params["vertex_normals"] = surface.normals.reshape(-1)
    params["vertex_texcoords"] = np.repeat(uv, 3, axis=0).reshape(-1)
    params["faces"] = np.arange(n, dtype=np.uint32)
    params.update()
    return mesh


def _plane(mi: Any, backdrop: Backdrop) -> dict[str, Any]:
    t = mi.ScalarTransform4f()
    bitmap = mi.Bitmap(np.ascontiguousarray(backdrop.texture, np.float32))
    texture = {
        "type": "bitmap",
        "bitmap": bitmap,
        "raw": True,
        "wrap_mode": "mirror",
        "to_uv": t.scale([backdrop.repeats, backdrop.repeats, 1.0]),
    }
    return {
        "type": "rectangle",
        "to_world": t.translate([0, 0, backdrop.z]) @ t.scale([backdrop.half, backdrop.half, 1.0]),
        "bsdf": {"type": "roughplastic", "diffuse_reflectance": texture, "alpha": backdrop.roughness},
    }


def mitsuba_sensor(
    mi: Any,
    camera: Camera,
    cam_from_world: Float64,
    window: Window | None,
    sampler: dict[str, Any],
    lens: Lens | None,
) -> dict[str, Any]:
    """Mitsuba's description of a camera.

    Raises:
        UsageError: the pixels are not square.
    """
    if abs(camera.fx - camera.fy) > 1e-6 * camera.fx:
        raise UsageError(f"camera fx={camera.fx} fy={camera.fy}: the renderer needs square pixels")
    # Mitsuba's camera looks along +z with +x to the left and +y up: OpenGL's, turned half about y.
    to_world = opengl_of_cam_from_world(cam_from_world) @ np.diag([-1.0, 1.0, -1.0, 1.0])
    x0, y0, x1, y1 = window or (0, 0, camera.width, camera.height)
    sensor: dict[str, Any] = {
        "type": "perspective",
        "fov_axis": "x",
        "fov": float(np.degrees(camera.angle_x)),
        "principal_point_offset_x": float(0.5 - camera.cx / camera.width),
        "principal_point_offset_y": float(0.5 - camera.cy / camera.height),
        "to_world": mi.ScalarTransform4f(to_world),
        "near_clip": NEAR,
        "far_clip": 100.0,
        "sampler": sampler,
        "film": {
            "type": "hdrfilm",
            "width": camera.width,
            "height": camera.height,
            "crop_offset_x": x0,
            "crop_offset_y": y0,
            "crop_width": x1 - x0,
            "crop_height": y1 - y0,
            "rfilter": {"type": "box"},
            "pixel_format": "rgba",
            "component_format": "float32",
            "sample_border": False,
        },
    }
    if lens is not None and lens.aperture > 0.0:
        # Mitsuba's thin lens knows centred principal points only, which is all that the generator makes.
        del sensor["principal_point_offset_x"], sensor["principal_point_offset_y"]
        sensor.update(type="thinlens", aperture_radius=lens.aperture, focus_distance=lens.focus)
    return sensor
