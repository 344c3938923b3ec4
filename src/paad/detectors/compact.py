"""Numbers for a small model file: signed bytes by a root law, 16-bit places in a box, and squeezed arrays."""

from __future__ import annotations

import lzma
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paad.types import Float32

Tensors = dict[str, NDArray[Any]]


def as_bytes(values: Float32) -> tuple[NDArray[np.int8], Float32]:
    """Signed bytes of values [N, ...], and what 127 stands for in each column, float32 [...].

    Bytes grow with the root of a value: a few Gaussians have values many times the usual ones, which in a linear law
    would leave the usual ones a handful of steps.
    """
    top = np.maximum(np.abs(values).max(axis=0, initial=0.0), np.float32(1e-12)).astype(np.float32)
    share = values / top
    return np.rint(127.0 * np.sign(share) * np.sqrt(np.abs(share))).astype(np.int8), top


def of_bytes(code: NDArray[np.int8], top: Float32) -> Float32:
    """What :func:`as_bytes` coded, to within a hundredth of the column's largest value."""
    root = code.astype(np.float32) / np.float32(127.0)
    out: Float32 = np.sign(root) * root * root * top
    return out


def as_places(points: Float32) -> tuple[NDArray[np.uint16], Float32]:
    """Points [N, 3] in 65,535 steps along each side of the box that holds them, and its corners float32 [2, 3]."""
    box = np.stack([points.min(axis=0), points.max(axis=0)]) if len(points) else np.zeros((2, 3), np.float32)
    size = np.maximum(np.diff(box.astype(np.float64), axis=0)[0], 1e-12)
    return np.rint((points - box[0].astype(np.float64)) / size * 65535.0).astype(np.uint16), box.astype(np.float32)


def of_places(code: NDArray[np.uint16], box: Float32) -> Float32:
    """What :func:`as_places` coded; coded again, it gives the same."""
    size = np.maximum(np.diff(box.astype(np.float64), axis=0)[0], 1e-12)
    out: Float32 = (code / 65535.0 * size + box[0]).astype(np.float32)
    return out


def squeezed(name: str, array: NDArray[Any]) -> Tensors:
    """Two tensors that stand for ``array``: its bytes after LZMA, and its shape."""
    packed = lzma.compress(np.ascontiguousarray(array).tobytes(), preset=4)
    return {name: np.frombuffer(packed, np.uint8), f"{name}.shape": np.array(array.shape, np.int64)}


def unsqueezed(name: str, tensors: Tensors, dtype: type[np.generic]) -> NDArray[Any]:
    """What :func:`squeezed` squeezed.

    Raises:
        KeyError: it is not among ``tensors``.
        ValueError: the bytes do not fit the shape or cannot be inflated.
    """
    shape = tuple(int(n) for n in tensors[f"{name}.shape"])
    try:
        flat = np.frombuffer(lzma.decompress(tensors[name].tobytes()), dtype)
    except lzma.LZMAError as error:
        raise ValueError(f"tensor {name!r} cannot be inflated ({error})") from error
    return flat.reshape(shape).copy()
