"""A neural radiance field: positional encoding, network, sampling along rays, compositing.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis" (2020). Two networks, one
sampled evenly and one where the first found something. What differs from the paper: densities come from a softplus in
place of a ReLU, whose zero gradient leaves small networks empty (Barron et al., "Mip-NeRF", 2021, do the same); the
last interval of a ray ends at ``far`` and not at infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class NerfConfig:
    """Size of the networks, sampling and schedule; the defaults are the paper's, as OmniposeAD uses them."""

    depth: int = 8  # hidden layers of the fine network
    width: int = 256  # units of a hidden layer
    skip: int = 4  # the hidden layer after which the encoded position comes in again; 0 for none
    frequencies: int = 10  # octaves of the encoded position
    view_frequencies: int = 4  # octaves of the encoded direction
    coarse_depth: int = 8  # hidden layers of the coarse network
    coarse_width: int = 256  # units of its layers
    coarse_samples: int = 64  # stratified samples of a ray
    fine_samples: int = 64  # samples where the coarse network found something
    both: bool = True  # whether the fine network sees the coarse samples too
    in_hull: bool = False  # whether rays and samples are confined to the visual hull of the silhouettes
    rays: int = 1024  # rays of a step
    steps: int = 200_000  # steps of Adam
    rate: float = 5e-4  # learning rate at the start
    rate_end: float = 5e-5  # and at the end, exponentially in between
    seed: int = 0  # of weights, rays and samples


class Composite(NamedTuple):
    """Rays drawn: ``colour`` [R, 3] over the background, ``weights`` [R, S], ``opacity`` [R], summed ``depth`` [R]."""

    colour: Tensor
    weights: Tensor
    opacity: Tensor
    depth: Tensor


def positional_encoding(x: Tensor, frequencies: int) -> Tensor:
    """``x`` [..., 3] beside the sines and cosines of 2^k pi x for k below ``frequencies``: [..., 3 + 6 frequencies]."""
    octaves = math.pi * 2.0 ** torch.arange(frequencies, dtype=x.dtype, device=x.device)
    angles = (x[..., None, :] * octaves[:, None]).flatten(-2)
    return torch.cat([x, torch.sin(angles), torch.cos(angles)], dim=-1)


def stratified_depths(near: Tensor, far: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """A depth in each of ``count`` equal parts of [near, far] (both [R]): [R, count]; the middles without generator."""
    where = torch.arange(count, dtype=near.dtype, device=near.device).expand(len(near), count)
    offset = 0.5 if generator is None else torch.rand(len(near), count, generator=generator).to(near)
    return near[:, None] + (far - near)[:, None] * (where + offset) / count


def importance_depths(
    edges: Tensor, weights: Tensor, count: int, generator: torch.Generator | None = None, floor: float = 1e-5
) -> Tensor:
    """``count`` depths [R, count], ascending, spread as ``weights`` [R, S] over the intervals of ``edges`` [R, S + 1].

    Inverse transform sampling of the piecewise constant density (section 5.2 of the paper), with stratified random
    numbers. ``floor`` is added to each weight. Nothing of it is differentiated.
    """
    density = weights.detach() + floor
    cdf = torch.cumsum(density / density.sum(dim=1, keepdim=True), dim=1)
    cdf = torch.cat([torch.zeros_like(cdf[:, :1]), cdf], dim=1)
    cdf[:, -1] = 1.0
    zero = torch.zeros_like(cdf[:, 0])
    u = stratified_depths(zero, zero + 1.0, count, generator)
    above = torch.searchsorted(cdf, u.contiguous(), right=True).clamp(1, cdf.shape[1] - 1)
    low, high = cdf.gather(1, above - 1), cdf.gather(1, above)
    share = (u - low) / (high - low).clamp_min(1e-12)
    start, end = edges.detach().gather(1, above - 1), edges.detach().gather(1, above)
    return start + share * (end - start)


def composite(density: Tensor, rgb: Tensor, depths: Tensor, far: Tensor, background: Tensor) -> Composite:
    """Blend samples front to back: equation 3 of the paper.

    Args:
        density: [R, S], per unit of ``depths``.
        rgb: [R, S, 3].
        depths: [R, S], ascending.
        far: [R], where the last interval ends.
        background: [3].
    """
    lengths = torch.diff(depths, dim=1, append=far[:, None]).clamp_min(0.0)
    optical = density * lengths
    before = torch.cumsum(optical, dim=1) - optical
    weights = torch.exp(-before) * (1.0 - torch.exp(-optical))
    opacity = weights.sum(dim=1)
    colour = (weights[..., None] * rgb).sum(dim=1) + (1.0 - opacity)[:, None] * background
    return Composite(colour, weights, opacity, (weights * depths).sum(dim=1))


class NerfNetwork(nn.Module):
    """Density and colour of points seen from directions.

    Args:
        depth, width, skip: of the hidden layers; see :class:`NerfConfig`.
        frequencies, view_frequencies: of the encodings.
    """

    def __init__(self, depth: int, width: int, skip: int, frequencies: int, view_frequencies: int) -> None:
        super().__init__()
        self.skip, self.frequencies, self.view_frequencies = skip, frequencies, view_frequencies
        encoded, seen = 3 + 6 * frequencies, 3 + 6 * view_frequencies
        sizes = [encoded] + [width + (encoded if skip and i == skip else 0) for i in range(1, depth)]
        self.hidden = nn.ModuleList(nn.Linear(size, width) for size in sizes)
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        # the layer of [feature, direction], in two parts: the direction's is computed once a ray
        self.view = nn.Linear(width, width // 2)
        self.view_direction = nn.Linear(seen, width // 2, bias=False)
        self.rgb = nn.Linear(width // 2, 3)

    def forward(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Density [R, S] and RGB [R, S, 3] of points [R, S, 3] in about [-1, 1] and unit directions [R, 3]."""
        encoded = positional_encoding(points, self.frequencies)
        x = encoded
        for i, layer in enumerate(self.hidden):
            if self.skip and i == self.skip:
                x = torch.cat([x, encoded], dim=-1)
            x = functional.relu(layer(x))
        seen = self.view_direction(positional_encoding(directions, self.view_frequencies))
        head = functional.relu(self.view(self.feature(x)) + seen[:, None, :])
        return functional.softplus(self.density(x)[..., 0]), torch.sigmoid(self.rgb(head))


class Nerf(nn.Module):
    """The two networks of a field, in coordinates in which the object's radius is 1.

    Args:
        config: sizes and sampling.
        centre: [3], world coordinates of the object.
        radius: of the object, scene units.
        background: RGB [3].
    """

    def __init__(self, config: NerfConfig, centre: Tensor, radius: float, background: Tensor) -> None:
        super().__init__()
        c = config
        self.config, self.radius = config, radius
        self.coarse = NerfNetwork(c.coarse_depth, c.coarse_width, c.skip, c.frequencies, c.view_frequencies)
        self.fine = NerfNetwork(c.depth, c.width, c.skip, c.frequencies, c.view_frequencies)
        self.centre: Tensor
        self.background: Tensor
        self.register_buffer("centre", centre)
        self.register_buffer("background", background)

    def forward(
        self, origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Composite, Composite]:
        """Coarse and fine rays; differentiable in weights, origins and directions.

        Args:
            origins, directions: [R, 3], world coordinates; directions of length 1.
            near, far: [R], scene units along the ray.
            generator: of the samples' places; without one they lie in the middle of their intervals.
        """
        o, near, far = (origins - self.centre) / self.radius, near / self.radius, far / self.radius
        depths = stratified_depths(near, far, self.config.coarse_samples, generator)
        coarse = self._drawn(self.coarse, o, directions, depths, far)
        middles = 0.5 * (depths[:, 1:] + depths[:, :-1])
        edges = torch.cat([near[:, None], middles, far[:, None]], dim=1)
        finer = importance_depths(edges, coarse.weights, self.config.fine_samples, generator, 1e-2 / depths.shape[1])
        if self.config.both:
            finer = torch.sort(torch.cat([depths, finer], dim=1), dim=1).values
        return coarse, self._drawn(self.fine, o, directions, finer, far)

    def _drawn(self, net: NerfNetwork, origins: Tensor, directions: Tensor, depths: Tensor, far: Tensor) -> Composite:
        points = origins[:, None, :] + depths[..., None] * directions[:, None, :]
        density, rgb = net(points, directions)
        drawn = composite(density * DENSITY_UNIT, rgb, depths, far, self.background)
        return drawn._replace(depth=drawn.depth * self.radius)


DENSITY_UNIT = 10.0
"""Density of a network's output 1, per radius of the object: an object of a few samples' thickness can be opaque."""
