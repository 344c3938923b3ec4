"""Detectors by name. Modules are named by strings and load on first use; third parties join by entry point."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from paad.errors import MissingDependencyError, ModelFileError, UsageError

ENTRY_POINT_GROUP = "paad.detectors"


@dataclass(frozen=True)
class Method:
    """One line of ``paad methods``. ``target`` is "module:Class"; ``needs_poses``: fits on posed views only."""

    name: str
    target: str
    paradigm: str
    paper: str
    year: int
    needs_poses: bool = False


_BUILT_IN = (
    Method("paad", "paad.detectors.paad:Paad", "render and compare", "this project", 2026, needs_poses=True),
    Method("omniposead", "paad.detectors.omniposead:OmniposeAD", "render and compare", "arXiv 2310.07716", 2023, True),
    Method("splatpose", "paad.detectors.splatpose:SplatPose", "render and compare", "arXiv 2404.06832", 2024, True),
    Method(
        "splatpose-plus",
        "paad.detectors.splatpose_plus:SplatPosePlus",
        "render and compare",
        "arXiv 2410.12080",
        2024,
        needs_poses=True,
    ),
    Method("piad", "paad.detectors.piad:Piad", "render and compare", "CVPR 2025", 2025, needs_poses=True),
    Method("patchcore", "paad.detectors.patchcore:PatchCore", "memory bank", "arXiv 2106.08265", 2022),
    Method("stfpm", "paad.detectors.stfpm:Stfpm", "teacher and student", "arXiv 2103.04257", 2021),
    Method("fastflow", "paad.detectors.fastflow:FastFlow", "distribution map", "arXiv 2111.07677", 2021),
    Method("cflow", "paad.detectors.cflow:CFlow", "distribution map", "arXiv 2107.12571", 2022),
    Method("cfa", "paad.detectors.cfa:Cfa", "coupled hyperspheres", "arXiv 2206.04325", 2022),
    Method("cutpaste", "paad.detectors.cutpaste:CutPaste", "pseudo-anomalies", "arXiv 2104.04015", 2021),
    Method("draem", "paad.detectors.draem:Draem", "autoencoder, pseudo-anomalies", "arXiv 2108.07610", 2021),
    Method("favae", "paad.detectors.favae:Favae", "variational autoencoder", "arXiv 2008.05369", 2020),
    Method("ocr-gan", "paad.detectors.ocrgan:OcrGan", "adversarial reconstruction", "arXiv 2203.00259", 2023),
    Method("uniad", "paad.detectors.uniad:UniAD", "transformer reconstruction", "arXiv 2206.03687", 2022),
)


def methods() -> dict[str, Method]:
    """All detectors by name: the built-in ones, then those of the entry-point group ``paad.detectors``."""
    found = {method.name: method for method in _BUILT_IN}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(
            point.name, Method(point.name, point.value, "third party", point.dist.name if point.dist else "", 0)
        )
    return found


def method_class(name: str) -> type[Any]:
    """The detector class registered under ``name``, or the guest that ``anomalib:<Name>`` names.

    Raises:
        UsageError: no such method.
        MissingDependencyError: its module needs a package that is not installed.
    """
    if name.startswith("anomalib:"):
        from paad.detectors.anomalib_guest import guest_class

        return guest_class(name)
    known = methods()
    if name not in known:
        raise UsageError(f"method {name!r} is not known; choose one of: {', '.join(sorted(known))}")
    module, _, attribute = known[name].target.partition(":")
    try:
        found: type[Any] = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"method {name!r} needs the package {error.name!r}: pip install {error.name}"
        ) from error
    return found


def create(name: str, device: str = "auto", **options: Any) -> Any:
    """A new, unfitted detector. ``options`` are the fields of the method's configuration; unknown ones are refused.

    Raises:
        UsageError: no such method, option or device.
    """
    return method_class(name)(device=device, **options)


def load(path: str | Path, device: str = "auto") -> Any:
    """A fitted detector from a ``*.paad`` file.

    Raises:
        ModelFileError: the file is missing, cut, from a newer version, or not one of ours.
        UsageError: it was written by a method that is not installed here.
    """
    from paad.detectors.modelfile import read_model

    tensors, manifest = read_model(path)
    if not isinstance(manifest.get("method"), str):
        raise ModelFileError(f"{path}: its manifest names no method; fit the model again")
    try:
        detector = method_class(manifest["method"]).from_state(tensors, manifest, device=device)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path}: the model lacks a part or holds a damaged one ({error}); fit it again"
        ) from error
    detector.about = manifest.get("about", {})
    return detector
