"""Readers, checks and converters of object folders, photos and masks. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paad.data.check import CheckReport, check_object
    from paad.data.colmap import Points
    from paad.data.convert import convert_object
    from paad.data.images import load_image, read_header, save_png
    from paad.data.masks import MaskEstimate, estimate_mask
    from paad.data.objects import ObjectFolder, open_object
    from paad.data.problems import Problem
    from paad.data.queries import Query
    from paad.data.transforms import write_transforms
    from paad.data.views import MaskPolicy, Photo, Photos, PosedViews

_HOMES = {
    "CheckReport": "check", "check_object": "check", "Points": "colmap", "convert_object": "convert",
    "load_image": "images", "read_header": "images", "save_png": "images", "MaskEstimate": "masks",
    "estimate_mask": "masks", "ObjectFolder": "objects", "open_object": "objects", "Problem": "problems",
    "Query": "queries", "write_transforms": "transforms", "MaskPolicy": "views", "Photo": "views",
    "Photos": "views", "PosedViews": "views",
}  # fmt: skip

__all__ = [
    "CheckReport",
    "MaskEstimate",
    "MaskPolicy",
    "ObjectFolder",
    "Photo",
    "Photos",
    "Points",
    "PosedViews",
    "Problem",
    "Query",
    "check_object",
    "convert_object",
    "estimate_mask",
    "load_image",
    "open_object",
    "read_header",
    "save_png",
    "write_transforms",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"paad.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'paad.data' has no attribute '{name}'")
