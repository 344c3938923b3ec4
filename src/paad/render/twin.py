"""The readable twin of the rasterizer: a few lines of differentiable torch, slow, and what the kernels must equal.

Kerbl et al., "3D Gaussian Splatting for Real-Time Radiance Field Rendering" (2023); the opacity compensation is that
of Yu et al., "Mip-Splatting" (2024); spherical harmonics by their recurrence-free real polynomials.
"""

from __future__ import annotations

import torch
from torch import Tensor

from paad.geometry.camera import Camera
from paad.render.constants import (
    ALPHA_MAX,
    ALPHA_MIN,
    BLUR,
    COMPENSATION_MIN,
    FRUSTUM_MARGIN,
    NEAR,
    SH_C0,
    SH_C1,
    SH_C2,
    SH_C3,
)


def spherical_harmonics(directions: Tensor, bases: int) -> Tensor:
    """Real spherical harmonics [N, bases] of unit ``directions`` [N, 3]; ``bases`` is 1, 4, 9 or 16."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    out = [torch.full_like(x, SH_C0)]
    out += [-SH_C1 * y, SH_C1 * z, -SH_C1 * x]
    out += [SH_C2[0] * x * y, -SH_C2[0] * y * z, SH_C2[1] * (2 * zz - xx - yy)]
    out += [-SH_C2[0] * x * z, SH_C2[2] * (xx - yy)]
    out += [-SH_C3[0] * y * (3 * xx - yy), SH_C3[1] * x * y * z, -SH_C3[2] * y * (4 * zz - xx - yy)]
    out += [SH_C3[3] * z * (2 * zz - 3 * xx - 3 * yy), -SH_C3[2] * x * (4 * zz - xx - yy)]
    out += [SH_C3[4] * z * (xx - yy), -SH_C3[0] * x * (xx - 3 * yy)]
    return torch.stack(out[:bases], dim=-1)


def rotation_matrices(quats: Tensor) -> Tensor:
    """Rotations [N, 3, 3] of quaternions [N, 4] (w, x, y, z; any length)."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, dim=-2)


def rasterize_twin(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    cam_from_world: Tensor,
    camera: Camera,
    background: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Colour [H, W, 3], alpha [H, W] and depth sum [H, W]; arguments as :func:`paad.render.rasterize`."""
    rotation, translation = cam_from_world[:3, :3], cam_from_world[:3, 3]
    x, y, z = (means @ rotation.T + translation).unbind(-1)
    safe_z = torch.where(z > NEAR, z, torch.ones_like(z))
    half_w, half_h = 0.5 * camera.width * FRUSTUM_MARGIN, 0.5 * camera.height * FRUSTUM_MARGIN
    tx = (x / safe_z).clamp(-(camera.cx + half_w) / camera.fx, (camera.width - camera.cx + half_w) / camera.fx)
    ty = (y / safe_z).clamp(-(camera.cy + half_h) / camera.fy, (camera.height - camera.cy + half_h) / camera.fy)
    zero = torch.zeros_like(z)
    jacobian = torch.stack(
        [
            torch.stack([camera.fx / safe_z, zero, -camera.fx * tx / safe_z], -1),
            torch.stack([zero, camera.fy / safe_z, -camera.fy * ty / safe_z], -1),
        ],
        dim=-2,
    )
    factor = jacobian @ rotation @ (rotation_matrices(quats) * scales[:, None, :])
    covariance = factor @ factor.transpose(-1, -2)
    blurred = covariance + BLUR * torch.eye(2, dtype=means.dtype, device=means.device)
    ratio = torch.linalg.det(covariance) / torch.linalg.det(blurred)
    alpha_peak = opacities * torch.sqrt(ratio.clamp_min(COMPENSATION_MIN**2))
    conic = torch.linalg.inv(blurred)
    centre = -rotation.T @ translation
    directions = torch.nn.functional.normalize(means - centre, dim=-1)
    colours = (torch.einsum("nk,nkc->nc", spherical_harmonics(directions, sh.shape[1]), sh) + 0.5).clamp_min(0.0)

    u, v = camera.fx * x / safe_z + camera.cx, camera.fy * y / safe_z + camera.cy
    columns = torch.arange(camera.width, dtype=means.dtype, device=means.device) + 0.5
    rows = torch.arange(camera.height, dtype=means.dtype, device=means.device) + 0.5
    transmittance = torch.ones(camera.height, camera.width, dtype=means.dtype, device=means.device)
    colour = torch.zeros(camera.height, camera.width, 3, dtype=means.dtype, device=means.device)
    depth = torch.zeros_like(transmittance)
    for i in torch.argsort(z.detach()).tolist():
        if z[i] <= NEAR:
            continue
        dx, dy = u[i] - columns[None, :], v[i] - rows[:, None]
        power = 0.5 * (conic[i, 0, 0] * dx * dx + conic[i, 1, 1] * dy * dy) + conic[i, 0, 1] * dx * dy
        alpha = (alpha_peak[i] * torch.exp(-power)).clamp_max(ALPHA_MAX)
        alpha = torch.where(alpha >= ALPHA_MIN, alpha, torch.zeros_like(alpha))
        weight = alpha * transmittance
        colour = colour + weight[..., None] * colours[i]
        depth = depth + weight * z[i]
        transmittance = transmittance - weight
    return colour + transmittance[..., None] * background, 1.0 - transmittance, depth
