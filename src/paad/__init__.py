"""paad: pose-agnostic anomaly detection. Names load on first use, so that ``import paad`` stays cheap."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paad._version import __version__

if TYPE_CHECKING:
    from paad.data import open_object
    from paad.detectors import create, load

_HOMES = {"open_object": "paad.data", "create": "paad.detectors", "load": "paad.detectors"}

__all__ = ["__version__", "create", "load", "open_object"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'paad' has no attribute '{name}'")
