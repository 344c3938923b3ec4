"""Differentiable rigid motions as screws: what gradient descent on a pose turns.

The exponential coordinates of iNeRF (Yen-Chen et al., 2021, section III-B) and of SplatPose: an axis ``omega``, a
velocity ``v`` and an amount ``theta``; the motion is the exponential of ``theta * (omega, v)`` (Lynch and Park, "Modern
Robotics", chapter 3). The published formula wants ``omega`` of length 1; this one holds for any, so that a step of an
optimizer never leaves the rigid motions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def skew_matrix(v: Tensor) -> Tensor:
    """The matrix [3, 3] with ``skew_matrix(v) @ w == cross(v, w)``."""
    x, y, z = v.unbind()
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o]).reshape(3, 3)


def twist_exp(twist: Tensor) -> Tensor:
    """Transform [4, 4] of a twist [6] (rotation vector in radians, then velocity); differentiable at zero too."""
    k = skew_matrix(twist[:3])
    square = (twist[:3] * twist[:3]).sum()
    if float(square.detach()) < 1e-3:  # Taylor series; the closed forms cancel there, and divide by zero at zero
        a = 1.0 - square / 6.0 * (1.0 - square / 20.0)
        b = 0.5 - square / 24.0 * (1.0 - square / 30.0)
        c = 1.0 / 6.0 - square / 120.0 * (1.0 - square / 42.0)
    else:
        angle = square.sqrt()
        a, b, c = torch.sin(angle) / angle, (1.0 - torch.cos(angle)) / square, (1.0 - torch.sin(angle) / angle) / square
    eye = torch.eye(3, dtype=twist.dtype, device=twist.device)
    rotation = eye + a * k + b * (k @ k)
    translation = (eye + b * k + c * (k @ k)) @ twist[3:]
    last = torch.tensor([[0.0, 0.0, 0.0, 1.0]], dtype=twist.dtype, device=twist.device)
    return torch.cat([torch.cat([rotation, translation[:, None]], dim=1), last])


class ScrewMotion(nn.Module):
    """A rigid motion of the object in the world [4, 4], about a given point.

    Args:
        centre: [3], world coordinates of the point that rotations turn about. The papers turn about the world's
            origin, where their objects lie.
        unit: scene units of one unit of ``v``. The papers' cameras are about 4 units away from the object.
        seed: of the start, which is drawn from a normal distribution of 1e-6 as iNeRF's is: at exactly zero the
            gradients of axis and amount vanish.
    """

    def __init__(self, centre: Tensor, unit: float, seed: int = 0) -> None:
        super().__init__()
        start = 1e-6 * torch.randn(7, generator=torch.Generator().manual_seed(seed))
        self.omega = nn.Parameter(start[:3].to(centre))
        self.v = nn.Parameter(start[3:6].to(centre))
        self.theta = nn.Parameter(start[6].to(centre))
        self.centre: Tensor
        self.register_buffer("centre", centre)
        self.unit = unit

    def forward(self) -> Tensor:
        """The motion [4, 4] in world coordinates: x -> R (x - centre) + centre + unit * t."""
        motion = twist_exp(self.theta * torch.cat([self.omega, self.v]))
        rotation = motion[:3, :3]
        shift = self.unit * motion[:3, 3] + self.centre - rotation @ self.centre
        return torch.cat([torch.cat([rotation, shift[:, None]], dim=1), motion[3:]])
