"""The ``*.paad`` file: safetensors whose metadata holds a JSON manifest. Nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from paad._version import __version__
from paad.data.files import whole_file
from paad.errors import ModelFileError, PaadError

FORMAT = "paad-model"
FORMAT_VERSION = 9
"""Of what is written, and the only one that is read: an older file has to be fitted again. 6: thresholds that know the
training views around; 7: light that moves; 8: how training views are rolled."""


def write_model(path: str | Path, tensors: Mapping[str, NDArray[Any]], manifest: Mapping[str, Any]) -> Path:
    """Write tensors and a JSON-able manifest to one file, whole or not at all; returns the path.

    The keys "format", "format_version" and "paad_version" are added to the manifest.

    Raises:
        PaadError: the folder cannot be written or the disk is full.
    """
    full = {"format": FORMAT, "format_version": FORMAT_VERSION, "paad_version": __version__, **manifest}
    with whole_file(path) as temporary:
        try:
            save_file(
                {name: np.ascontiguousarray(array) for name, array in tensors.items()},
                str(temporary),
                metadata={"paad": json.dumps(full)},
            )
        except SafetensorError as error:  # a full disk reaches us in this dress
            raise PaadError(f"{path}: not written ({error}); free some space or choose another place") from error
    return Path(path)


def read_model(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read (tensors, manifest) of a ``*.paad`` file.

    Raises:
        ModelFileError: the file is missing, cut, not one of ours, or from a newer version.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelFileError(f"{file}: no such model file; make one with 'paad fit OBJECT_DIR --out {file.name}'")
    try:
        with safe_open(str(file), framework="numpy") as handle:
            metadata = handle.metadata() or {}
            if "paad" not in metadata:
                raise ModelFileError(f"{file}: a safetensors file, but not a paad model; use one written by 'paad fit'")
            manifest = json.loads(metadata["paad"])
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(
            f"{file}: not a whole paad model ({error}); the file is cut or of another kind. Fit or copy it again"
        ) from error
    if manifest.get("format") != FORMAT:
        raise ModelFileError(f"{file}: format is {manifest.get('format')!r}, expected {FORMAT!r}")
    version = int(manifest.get("format_version", 0))
    if version != FORMAT_VERSION:
        mend = "upgrade paad" if version > FORMAT_VERSION else "fit it again"
        raise ModelFileError(
            f"{file}: format version {version}, this paad reads {FORMAT_VERSION}; "
            f"{mend} (the file was written by {manifest.get('paad_version')})"
        )
    return tensors, manifest
