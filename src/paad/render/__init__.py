"""Rendering Gaussians: one signature, three backends (readable torch, numba on the CPU, gsplat on CUDA)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from paad.errors import UsageError
from paad.geometry.camera import Camera
from paad.render.gaussians import Gaussians

if TYPE_CHECKING:
    from torch import Tensor

Backend = Literal["auto", "cpu", "gsplat", "twin"]


class Rendering(NamedTuple):
    """A rendered view: ``colour`` [H, W, 3] over the background, ``alpha`` [H, W], ``depth`` [H, W].

    ``depth`` is the sum of the blending weights times z (scene units along the optical axis); divide by ``alpha``
    for the expected depth.
    """

    colour: Tensor
    alpha: Tensor
    depth: Tensor


def rasterize(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    cam_from_world: Tensor,
    camera: Camera,
    background: Tensor,
    backend: Backend = "auto",
) -> Rendering:
    """Render Gaussians; differentiable in every tensor, the pose and the background included.

    Args:
        means: [N, 3] world coordinates.
        quats: [N, 4] rotations, w x y z, any length.
        scales: [N, 3] standard deviations in scene units.
        opacities: [N] in [0, 1].
        sh: [N, K, 3] spherical harmonics, K = 1, 4, 9 or 16.
        cam_from_world: [4, 4], OpenCV axes.
        camera: pinhole intrinsics and picture size.
        background: [3] or [H, W, 3].
        backend: "auto" takes gsplat where the tensors are on CUDA and the numba kernels elsewhere.

    Raises:
        UsageError: unknown backend, or colour coefficients of no whole degree.
        MissingDependencyError: gsplat is asked for and not installed.
    """
    if sh.ndim != 3 or sh.shape[1] not in (1, 4, 9, 16):
        raise UsageError(f"sh has shape {tuple(sh.shape)}; it must be [N, 1, 4, 9 or 16, 3]")
    if backend == "auto":
        backend = "gsplat" if means.is_cuda else "cpu"
    if backend == "cpu":
        from paad.render.cpu import rasterize_cpu as draw
    elif backend == "gsplat":
        from paad.render.gpu import rasterize_gsplat as draw
    elif backend == "twin":
        from paad.render.twin import rasterize_twin as draw
    else:
        raise UsageError(f"backend {backend!r} is not known; choose auto, cpu, gsplat or twin")
    return Rendering(*draw(means, quats, scales, opacities, sh, cam_from_world, camera, background))


def render(
    gaussians: Gaussians, cam_from_world: Tensor, camera: Camera, background: Tensor, backend: Backend = "auto"
) -> Rendering:
    """Render a :class:`Gaussians`; see :func:`rasterize`."""
    g = gaussians
    return rasterize(g.means, g.quats, g.scales, g.opacities, g.sh, cam_from_world, camera, background, backend=backend)


__all__ = ["Backend", "Gaussians", "Rendering", "rasterize", "render"]
