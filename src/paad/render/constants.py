"""Numbers that the torch twin and the numba kernels share; gsplat's names for them are in brackets."""

from __future__ import annotations

ALPHA_MIN = 1.0 / 255.0
"""A Gaussian contributes nothing to a pixel where its alpha is below this."""
ALPHA_MAX = 0.999
"""Alpha is clamped to this, so that 1 - alpha never vanishes."""
BLUR = 0.1
"""Variance in pixels² of the screen-space low-pass filter [eps2d]: about that of a square pixel, 1/12, as in
Mip-Splatting (Yu et al., 2024); a wider one blurs edges."""
COMPENSATION_MIN = 1e-4
"""Least opacity compensation [rasterize_mode="antialiased"]; below it the gradient is zero."""
NEAR = 0.01
"""Gaussians nearer than this many scene units are not drawn [near_plane]."""
FRUSTUM_MARGIN = 0.3
"""Share of the picture's half width by which a centre may lie outside in the local affine approximation."""
TRANSMITTANCE_MIN = 1e-4
"""A tile is finished when no pixel lets more light than this through."""

SH_C0 = 0.28209479177387814
SH_C1 = 0.4886025119029199
SH_C2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
SH_C3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154, 1.445305721320277)
"""Normalizations of the real spherical harmonics of degrees 0 to 3."""
