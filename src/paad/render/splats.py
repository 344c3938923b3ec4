"""Gaussians as numpy arrays, drawn by the CPU kernels: what an inspection needs, without torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paad.geometry.camera import Camera
from paad.render import draw
from paad.render.draw import Drawn
from paad.types import Float32, Float64

if TYPE_CHECKING:
    from paad.render.gaussians import Gaussians


class Picture(NamedTuple):
    """A drawn view as arrays: ``colour`` [H, W, 3] over the background, ``alpha`` [H, W], ``depth`` [H, W].

    ``depth`` is the sum of the blending weights times z (scene units along the optical axis).
    """

    colour: Float32
    alpha: Float32
    depth: Float32


@dataclass(frozen=True)
class Splats:
    """N Gaussians in world coordinates, float32; the arrays of :class:`paad.render.Gaussians`, ready to be drawn.

    Attributes:
        means: [N, 3].
        quats: [N, 4], w x y z, any length.
        log_scales: [N, 3], natural logarithm of the standard deviations in scene units.
        logit_opacities: [N].
        sh: [N, K, 3], K = 1, 4, 9 or 16.
    """

    means: Float32
    quats: Float32
    log_scales: Float32
    logit_opacities: Float32
    sh: Float32

    def __len__(self) -> int:
        return len(self.means)

    @classmethod
    def of(cls, gaussians: Gaussians) -> Splats:
        """The values of torch Gaussians."""
        return cls(**{k: t.detach().cpu().numpy().astype(np.float32) for k, t in gaussians.named().items()})

    def named(self) -> dict[str, Float32]:
        """The five arrays by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def chosen(self, index: NDArray[np.intp]) -> Splats:
        """Those of ``index``."""
        return Splats(**{name: np.ascontiguousarray(array[index]) for name, array in self.named().items()})

    def draw(self, cam_from_world: Float64, camera: Camera, background: Float32) -> Picture:
        """Draw over a colour [3] or a picture [H, W, 3], at a pose [4, 4] (OpenCV axes)."""
        drawn = self.drawn(cam_from_world, camera, background)
        return Picture(drawn.colour, drawn.alpha, drawn.depth)

    def drawn(self, cam_from_world: Float64, camera: Camera, background: Float32) -> Drawn:
        """As :meth:`draw`, with what other numbers of the Gaussians are blended by, see :mod:`paad.render.draw`."""
        scales = np.exp(self.log_scales)
        opacities = 1.0 / (1.0 + np.exp(-self.logit_opacities))
        bodies = (self.means, self.quats, scales, opacities.astype(np.float32), self.sh)
        return draw.forward(bodies, np.asarray(cam_from_world, np.float32)[:3], camera, background)
