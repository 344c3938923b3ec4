"""Numba kernels: 3D Gaussians to screen-space ellipses with colours, and the gradients of that step.

Kerbl et al., "3D Gaussian Splatting" (2023) with the opacity compensation of Yu et al., "Mip-Splatting" (2024).
:mod:`paad.render.twin` holds the same formulas in readable torch; a test checks values and gradients against it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from paad.render.constants import (
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
from paad.render.threads import spread

COLUMNS = 12
"""Per projected Gaussian: u, v, conic a, b, c, opacity, red, green, blue, depth, half height, half width."""
CHUNK = 256
_LEAST = 2048
"""Gaussians for each thread that is woken."""

_f = np.float32
_K0, _K1 = _f(SH_C0), _f(SH_C1)
_K20, _K21, _K22 = _f(SH_C2[0]), _f(SH_C2[1]), _f(SH_C2[2])
_K30, _K31, _K32, _K33, _K34 = _f(SH_C3[0]), _f(SH_C3[1]), _f(SH_C3[2]), _f(SH_C3[3]), _f(SH_C3[4])
_ZERO, _HALF, _ONE, _TWO, _THREE, _FOUR, _SIX, _EIGHT = (
    _f(0.0),
    _f(0.5),
    _f(1.0),
    _f(2.0),
    _f(3.0),
    _f(4.0),
    _f(6.0),
    _f(8.0),
)
_BLUR, _NEAR, _COMP_MIN, _MARGIN, _ALPHA_MIN = (
    _f(BLUR),
    _f(NEAR),
    _f(COMPENSATION_MIN),
    _f(FRUSTUM_MARGIN),
    _f(ALPHA_MIN),
)
_MIN_NORM = _f(1e-20)


@njit(cache=True, fastmath=True, error_model="numpy")
def _sh_basis(x: Any, y: Any, z: Any, n: int, out: Any) -> None:
    out[0] = _K0
    if n > 1:
        out[1] = -_K1 * y
        out[2] = _K1 * z
        out[3] = -_K1 * x
    if n > 4:
        out[4] = _K20 * x * y
        out[5] = -_K20 * y * z
        out[6] = _K21 * (_TWO * z * z - x * x - y * y)
        out[7] = -_K20 * x * z
        out[8] = _K22 * (x * x - y * y)
    if n > 9:
        out[9] = -_K30 * y * (_THREE * x * x - y * y)
        out[10] = _K31 * x * y * z
        out[11] = -_K32 * y * (_FOUR * z * z - x * x - y * y)
        out[12] = _K33 * z * (_TWO * z * z - _THREE * x * x - _THREE * y * y)
        out[13] = -_K32 * x * (_FOUR * z * z - x * x - y * y)
        out[14] = _K34 * z * (x * x - y * y)
        out[15] = -_K30 * x * (x * x - _THREE * y * y)


@njit(cache=True, fastmath=True, error_model="numpy")
def _sh_basis_gradient(x: Any, y: Any, z: Any, n: int, out: Any) -> None:
    """Derivatives [n, 3] of the basis along x, y, z (as polynomials; the sphere's constraint is applied outside)."""
    out[0, 0] = out[0, 1] = out[0, 2] = _ZERO
    if n > 1:
        out[1, 0], out[1, 1], out[1, 2] = _ZERO, -_K1, _ZERO
        out[2, 0], out[2, 1], out[2, 2] = _ZERO, _ZERO, _K1
        out[3, 0], out[3, 1], out[3, 2] = -_K1, _ZERO, _ZERO
    if n > 4:
        out[4, 0], out[4, 1], out[4, 2] = _K20 * y, _K20 * x, _ZERO
        out[5, 0], out[5, 1], out[5, 2] = _ZERO, -_K20 * z, -_K20 * y
        out[6, 0], out[6, 1], out[6, 2] = -_TWO * _K21 * x, -_TWO * _K21 * y, _FOUR * _K21 * z
        out[7, 0], out[7, 1], out[7, 2] = -_K20 * z, _ZERO, -_K20 * x
        out[8, 0], out[8, 1], out[8, 2] = _TWO * _K22 * x, -_TWO * _K22 * y, _ZERO
    if n > 9:
        xx, yy, zz = x * x, y * y, z * z
        out[9, 0], out[9, 1], out[9, 2] = -_K30 * _SIX * x * y, -_K30 * _THREE * (xx - yy), _ZERO
        out[10, 0], out[10, 1], out[10, 2] = _K31 * y * z, _K31 * x * z, _K31 * x * y
        out[11, 0] = _TWO * _K32 * x * y
        out[11, 1] = -_K32 * (_FOUR * zz - xx - _THREE * yy)
        out[11, 2] = -_EIGHT * _K32 * y * z
        out[12, 0] = -_SIX * _K33 * x * z
        out[12, 1] = -_SIX * _K33 * y * z
        out[12, 2] = _K33 * (_SIX * zz - _THREE * xx - _THREE * yy)
        out[13, 0] = -_K32 * (_FOUR * zz - _THREE * xx - yy)
        out[13, 1] = _TWO * _K32 * x * y
        out[13, 2] = -_EIGHT * _K32 * x * z
        out[14, 0], out[14, 1], out[14, 2] = _TWO * _K34 * x * z, -_TWO * _K34 * y * z, _K34 * (xx - yy)
        out[15, 0], out[15, 1], out[15, 2] = -_THREE * _K30 * (xx - yy), _SIX * _K30 * x * y, _ZERO


@njit(cache=True, fastmath=True, error_model="numpy")
def _rotation(quats: Any, i: int, r: Any) -> Any:
    """Fill the rotation [3, 3] of quaternion i (w, x, y, z; any length); returns 1 / its length."""
    w, x, y, z = quats[i, 0], quats[i, 1], quats[i, 2], quats[i, 3]
    s = _ONE / math.sqrt(max(w * w + x * x + y * y + z * z, _MIN_NORM))
    w, x, y, z = w * s, x * s, y * s, z * s
    r[0, 0], r[0, 1], r[0, 2] = _ONE - _TWO * (y * y + z * z), _TWO * (x * y - w * z), _TWO * (x * z + w * y)
    r[1, 0], r[1, 1], r[1, 2] = _TWO * (x * y + w * z), _ONE - _TWO * (x * x + z * z), _TWO * (y * z - w * x)
    r[2, 0], r[2, 1], r[2, 2] = _TWO * (x * z - w * y), _TWO * (y * z + w * x), _ONE - _TWO * (x * x + y * y)
    return s


@njit(cache=True, fastmath=True, error_model="numpy")
def _matmul3(a: Any, b: Any, out: Any) -> None:
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]


@njit(cache=True, fastmath=True, error_model="numpy")
def _clamped(value: Any, low: Any, high: Any) -> Any:
    return min(max(value, low), high)


@njit(cache=True, fastmath=True, error_model="numpy")
def _camera_terms(pose: Any, intrinsics: Any, width: int, height: int) -> Any:
    """Focal lengths, principal point, picture size, bounds of x / z and y / z, and the camera's centre, in one row."""
    fx, fy, cx, cy = intrinsics[0], intrinsics[1], intrinsics[2], intrinsics[3]
    w, h = _f(width), _f(height)
    left, right = -(cx + _MARGIN * _HALF * w) / fx, (w - cx + _MARGIN * _HALF * w) / fx
    top, bottom = -(cy + _MARGIN * _HALF * h) / fy, (h - cy + _MARGIN * _HALF * h) / fy
    terms = np.empty(13, np.float32)
    terms[0], terms[1], terms[2], terms[3], terms[4], terms[5] = fx, fy, cx, cy, w, h
    terms[6], terms[7], terms[8], terms[9] = left, right, top, bottom
    for j in range(3):
        terms[10 + j] = -(pose[0, j] * pose[0, 3] + pose[1, j] * pose[1, 3] + pose[2, j] * pose[2, 3])
    return terms


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _project_range(
    start: int, stop: int, means: Any, quats: Any, scales: Any, opacities: Any, sh: Any, pose: Any, terms: Any, out: Any
) -> None:
    fx, fy, cx, cy, w, h = terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
    left, right, top, bottom = terms[6], terms[7], terms[8], terms[9]
    bases = sh.shape[1]
    r = np.empty((3, 3), np.float32)
    m = np.empty((3, 3), np.float32)
    basis = np.empty(16, np.float32)
    for i in range(start, stop):
        x = pose[0, 0] * means[i, 0] + pose[0, 1] * means[i, 1] + pose[0, 2] * means[i, 2] + pose[0, 3]
        y = pose[1, 0] * means[i, 0] + pose[1, 1] * means[i, 1] + pose[1, 2] * means[i, 2] + pose[1, 3]
        z = pose[2, 0] * means[i, 0] + pose[2, 1] * means[i, 1] + pose[2, 2] * means[i, 2] + pose[2, 3]
        if not z > _NEAR:
            continue
        _rotation(quats, i, r)
        # rows of J R: the derivative of the pixel with respect to the world point
        iz = _ONE / z
        j00, j02 = fx * iz, -fx * _clamped(x * iz, left, right) * iz
        j11, j12 = fy * iz, -fy * _clamped(y * iz, top, bottom) * iz
        _matmul3(pose, r, m)
        a = b = c = _ZERO
        for k in range(3):
            s = scales[i, k]
            p0 = (j00 * m[0, k] + j02 * m[2, k]) * s
            p1 = (j11 * m[1, k] + j12 * m[2, k]) * s
            a += p0 * p0
            b += p0 * p1
            c += p1 * p1
        det = a * c - b * b
        a += _BLUR
        c += _BLUR
        det_blurred = a * c - b * b
        opacity = opacities[i] * math.sqrt(max(det / det_blurred, _COMP_MIN * _COMP_MIN))
        if not opacity > _ALPHA_MIN:
            continue
        reach = _TWO * math.log(opacity / _ALPHA_MIN)
        half_w, half_h = math.sqrt(reach * a), math.sqrt(reach * c)
        u, v = fx * x * iz + cx, fy * y * iz + cy
        if not (u + half_w > _ZERO and u - half_w < w and v + half_h > _ZERO and v - half_h < h):
            continue
        dx, dy, dz = means[i, 0] - terms[10], means[i, 1] - terms[11], means[i, 2] - terms[12]
        inverse = _ONE / math.sqrt(max(dx * dx + dy * dy + dz * dz, _MIN_NORM))
        _sh_basis(dx * inverse, dy * inverse, dz * inverse, bases, basis)
        red = green = blue = _HALF
        for k in range(bases):
            red += basis[k] * sh[i, k, 0]
            green += basis[k] * sh[i, k, 1]
            blue += basis[k] * sh[i, k, 2]
        out[i, 0], out[i, 1] = u, v
        out[i, 2], out[i, 3], out[i, 4] = c / det_blurred, -b / det_blurred, a / det_blurred
        out[i, 5] = opacity
        out[i, 6], out[i, 7], out[i, 8] = max(red, _ZERO), max(green, _ZERO), max(blue, _ZERO)
        out[i, 9], out[i, 10], out[i, 11] = z, half_h, half_w


def project(
    means: Any, quats: Any, scales: Any, opacities: Any, sh: Any, pose: Any, intrinsics: Any, width: int, height: int
) -> Any:
    """Screen-space Gaussians [N, COLUMNS] float32; one that is not drawn has opacity 0.

    ``pose`` is cam_from_world [3, 4], ``intrinsics`` fx, fy, cx, cy, all float32.
    """
    out = np.zeros((len(means), COLUMNS), np.float32)
    terms = _camera_terms(pose, intrinsics, width, height)
    spread(_project_range, len(means), _LEAST, means, quats, scales, opacities, sh, pose, terms, out)
    return out


@njit(cache=True, fastmath=True, error_model="numpy")
def _project_backward_range(
    start: int,
    stop: int,
    means: Any,
    quats: Any,
    scales: Any,
    opacities: Any,
    sh: Any,
    pose: Any,
    terms: Any,
    projected: Any,
    grads: Any,
    d_means: Any,
    d_quats: Any,
    d_scales: Any,
    d_opacities: Any,
    d_sh: Any,
    g_pose: Any,
) -> None:
    fx, fy = terms[0], terms[1]
    left, right, top, bottom = terms[6], terms[7], terms[8], terms[9]
    bases = sh.shape[1]
    r, m = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    p = np.empty((2, 3), np.float32)
    d_p, d_m, d_r = np.empty((2, 3), np.float32), np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    basis, d_basis = np.empty(16, np.float32), np.empty((16, 3), np.float32)
    for i in range(start, stop):
        if projected[i, 5] == _ZERO or not grads[i].any():
            continue  # outside of the picture, or hidden behind others: about half of a solid object
        z = projected[i, 9]
        x = pose[0, 0] * means[i, 0] + pose[0, 1] * means[i, 1] + pose[0, 2] * means[i, 2] + pose[0, 3]
        y = pose[1, 0] * means[i, 0] + pose[1, 1] * means[i, 1] + pose[1, 2] * means[i, 2] + pose[1, 3]
        iz = _ONE / z
        ratio_x, ratio_y = x * iz, y * iz
        tx, ty = _clamped(ratio_x, left, right), _clamped(ratio_y, top, bottom)
        j00, j02, j11, j12 = fx * iz, -fx * tx * iz, fy * iz, -fy * ty * iz
        q_inverse = _rotation(quats, i, r)
        _matmul3(pose, r, m)
        a = b = c = _ZERO
        for k in range(3):
            s = scales[i, k]
            p[0, k] = (j00 * m[0, k] + j02 * m[2, k]) * s
            p[1, k] = (j11 * m[1, k] + j12 * m[2, k]) * s
            a += p[0, k] * p[0, k]
            b += p[0, k] * p[1, k]
            c += p[1, k] * p[1, k]
        det = a * c - b * b
        ab, cb = a + _BLUR, c + _BLUR
        det_blurred = ab * cb - b * b
        # conic = inverse of the blurred covariance: dL/dcov = -K G K
        ka, kb, kc = projected[i, 2], projected[i, 3], projected[i, 4]
        ga, gb, gc = grads[i, 2], _HALF * grads[i, 3], grads[i, 4]
        t00, t01 = ka * ga + kb * gb, ka * gb + kb * gc
        t10, t11 = kb * ga + kc * gb, kb * gb + kc * gc
        ca = -(t00 * ka + t01 * kb)
        cab = -(t00 * kb + t01 * kc)
        cc = -(t10 * kb + t11 * kc)
        # opacity compensation sqrt(det / det_blurred)
        compensation = math.sqrt(max(det / det_blurred, _COMP_MIN * _COMP_MIN))
        d_opacities[i] = grads[i, 5] * compensation
        if det / det_blurred > _COMP_MIN * _COMP_MIN:
            g = grads[i, 5] * opacities[i] * _HALF / compensation / det_blurred
            q = det / det_blurred
            ca += g * (c - q * cb)
            cc += g * (a - q * ab)
            cab += g * (-b + q * b)
        # covariance = P Pᵀ, P = J M S
        for k in range(3):
            d_p[0, k] = _TWO * (ca * p[0, k] + cab * p[1, k])
            d_p[1, k] = _TWO * (cab * p[0, k] + cc * p[1, k])
        g00 = g02 = g11 = g12 = _ZERO
        for k in range(3):
            s = scales[i, k]
            d_scales[i, k] = d_p[0, k] * (j00 * m[0, k] + j02 * m[2, k]) + d_p[1, k] * (j11 * m[1, k] + j12 * m[2, k])
            g00 += d_p[0, k] * m[0, k] * s
            g02 += d_p[0, k] * m[2, k] * s
            g11 += d_p[1, k] * m[1, k] * s
            g12 += d_p[1, k] * m[2, k] * s
            d_m[0, k] = j00 * d_p[0, k] * s
            d_m[1, k] = j11 * d_p[1, k] * s
            d_m[2, k] = (j02 * d_p[0, k] + j12 * d_p[1, k]) * s
        # the point in camera coordinates
        gu, gv = grads[i, 0], grads[i, 1]
        dx, dy = gu * fx * iz, gv * fy * iz
        dz = grads[i, 9] - (gu * fx * x + gv * fy * y) * iz * iz
        dz -= (g00 * fx + g11 * fy) * iz * iz
        dz += (g02 * fx * tx + g12 * fy * ty) * iz * iz
        if left < ratio_x < right:
            dx -= g02 * fx * iz * iz
            dz += g02 * fx * x * iz * iz * iz
        if top < ratio_y < bottom:
            dy -= g12 * fy * iz * iz
            dz += g12 * fy * y * iz * iz * iz
        # colour
        vx, vy, vz = means[i, 0] - terms[10], means[i, 1] - terms[11], means[i, 2] - terms[12]
        inverse = _ONE / math.sqrt(max(vx * vx + vy * vy + vz * vz, _MIN_NORM))
        vx, vy, vz = vx * inverse, vy * inverse, vz * inverse
        _sh_basis(vx, vy, vz, bases, basis)
        g_red = grads[i, 6] if projected[i, 6] > _ZERO else _ZERO
        g_green = grads[i, 7] if projected[i, 7] > _ZERO else _ZERO
        g_blue = grads[i, 8] if projected[i, 8] > _ZERO else _ZERO
        ex = ey = ez = _ZERO
        if bases > 1:
            _sh_basis_gradient(vx, vy, vz, bases, d_basis)
        for k in range(bases):
            d_sh[i, k, 0] = basis[k] * g_red
            d_sh[i, k, 1] = basis[k] * g_green
            d_sh[i, k, 2] = basis[k] * g_blue
            if bases > 1:
                s = sh[i, k, 0] * g_red + sh[i, k, 1] * g_green + sh[i, k, 2] * g_blue
                ex += s * d_basis[k, 0]
                ey += s * d_basis[k, 1]
                ez += s * d_basis[k, 2]
        along = ex * vx + ey * vy + ez * vz
        ex, ey, ez = (ex - along * vx) * inverse, (ey - along * vy) * inverse, (ez - along * vz) * inverse
        d_means[i, 0] = pose[0, 0] * dx + pose[1, 0] * dy + pose[2, 0] * dz + ex
        d_means[i, 1] = pose[0, 1] * dx + pose[1, 1] * dy + pose[2, 1] * dz + ey
        d_means[i, 2] = pose[0, 2] * dx + pose[1, 2] * dy + pose[2, 2] * dz + ez
        # pose: the point, the covariance (M = W R) and the camera's centre -Wᵀ t
        for j in range(3):
            g_pose[0, j] += dx * means[i, j] + d_m[0, 0] * r[j, 0] + d_m[0, 1] * r[j, 1] + d_m[0, 2] * r[j, 2]
            g_pose[1, j] += dy * means[i, j] + d_m[1, 0] * r[j, 0] + d_m[1, 1] * r[j, 1] + d_m[1, 2] * r[j, 2]
            g_pose[2, j] += dz * means[i, j] + d_m[2, 0] * r[j, 0] + d_m[2, 1] * r[j, 1] + d_m[2, 2] * r[j, 2]
            e = ex if j == 0 else (ey if j == 1 else ez)
            for k in range(3):
                g_pose[k, j] += pose[k, 3] * e
                g_pose[k, 3] += pose[k, j] * e
        g_pose[0, 3] += dx
        g_pose[1, 3] += dy
        g_pose[2, 3] += dz
        # quaternion through R: d_r = Wᵀ d_m
        for j in range(3):
            for k in range(3):
                d_r[j, k] = pose[0, j] * d_m[0, k] + pose[1, j] * d_m[1, k] + pose[2, j] * d_m[2, k]
        qw, qx = quats[i, 0] * q_inverse, quats[i, 1] * q_inverse
        qy, qz = quats[i, 2] * q_inverse, quats[i, 3] * q_inverse
        gw = _TWO * (qx * (d_r[2, 1] - d_r[1, 2]) + qy * (d_r[0, 2] - d_r[2, 0]) + qz * (d_r[1, 0] - d_r[0, 1]))
        gx = _TWO * (
            qw * (d_r[2, 1] - d_r[1, 2])
            - _TWO * qx * (d_r[1, 1] + d_r[2, 2])
            + qy * (d_r[0, 1] + d_r[1, 0])
            + qz * (d_r[0, 2] + d_r[2, 0])
        )
        gy = _TWO * (
            qw * (d_r[0, 2] - d_r[2, 0])
            + qx * (d_r[0, 1] + d_r[1, 0])
            - _TWO * qy * (d_r[0, 0] + d_r[2, 2])
            + qz * (d_r[1, 2] + d_r[2, 1])
        )
        gz = _TWO * (
            qw * (d_r[1, 0] - d_r[0, 1])
            + qx * (d_r[0, 2] + d_r[2, 0])
            + qy * (d_r[1, 2] + d_r[2, 1])
            - _TWO * qz * (d_r[0, 0] + d_r[1, 1])
        )
        along = gw * qw + gx * qx + gy * qy + gz * qz
        d_quats[i, 0] = (gw - along * qw) * q_inverse
        d_quats[i, 1] = (gx - along * qx) * q_inverse
        d_quats[i, 2] = (gy - along * qy) * q_inverse
        d_quats[i, 3] = (gz - along * qz) * q_inverse


@njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def _project_backward_chunks(
    start: int,
    stop: int,
    means: Any,
    quats: Any,
    scales: Any,
    opacities: Any,
    sh: Any,
    pose: Any,
    terms: Any,
    projected: Any,
    grads: Any,
    d_means: Any,
    d_quats: Any,
    d_scales: Any,
    d_opacities: Any,
    d_sh: Any,
    d_poses: Any,
) -> None:
    for chunk in range(start, stop):
        _project_backward_range(
            chunk * CHUNK,
            min(means.shape[0], (chunk + 1) * CHUNK),
            means,
            quats,
            scales,
            opacities,
            sh,
            pose,
            terms,
            projected,
            grads,
            d_means,
            d_quats,
            d_scales,
            d_opacities,
            d_sh,
            d_poses[chunk],
        )


def project_backward(
    means: Any,
    quats: Any,
    scales: Any,
    opacities: Any,
    sh: Any,
    pose: Any,
    intrinsics: Any,
    width: int,
    height: int,
    projected: Any,
    grads: Any,
) -> Any:
    """Gradients of means, quats, scales, opacities, sh and pose [3, 4] from ``grads`` [N, 10] of
    u, v, conic a, b, c, opacity, red, green, blue, depth."""
    bodies = (means, quats, scales, opacities, sh)
    d_bodies = tuple(np.zeros_like(body) for body in bodies)
    terms = _camera_terms(pose, intrinsics, width, height)
    chunks = -(-len(means) // CHUNK)
    d_poses = np.zeros((chunks, 3, 4), np.float32)
    known = (*bodies, pose, terms, projected, grads)
    spread(_project_backward_chunks, chunks, _LEAST // CHUNK, *known, *d_bodies, d_poses)
    return *d_bodies, d_poses.sum(axis=0, dtype=np.float64).astype(np.float32)
