"""Attributes of a run's objects to hold against performance: the data's own, our toys', or MAD's as published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paad.bench import published
from paad.data import ObjectFolder, open_object
from paad.data.images import load_image
from paad.errors import PaadError
from paad.types import UInt8

Attributes = dict[str, dict[str, float]]

_VIEWS = 24  # evenly spaced training photos that the colour contrast is taken from


def attributes_of(root: Path, names: Sequence[str]) -> tuple[Attributes, str]:
    """Attributes by object, all of one origin, and one sentence that says which.

    Objects whose ``manifest.json`` gives attributes come first, then toys that ``paad synth`` rendered (theirs are
    computed as the paper defines them), then folders named as MAD's toys, which get MAD's published numbers.
    """
    opened = {name: _opened(root, name) for name in names}
    toys = {name: toy for name, toy in opened.items() if toy is not None}
    given = {name: dict(toy.manifest.attributes) for name, toy in toys.items() if toy.manifest.attributes}
    if given:
        return given, "Attributes as the objects' manifest.json gives them."
    made = {name: toy for name, toy in toys.items() if toy.manifest.generator == "paad-synth"}
    computed = _of_brick_toys(made)
    if computed:
        return computed, (
            "Attributes of the toys that these photos show: triangles of the model, from 0 (the simplest of the twenty "
            f"toys) to 100, and the colour contrast √(σ(L)² + σ(a)² + σ(b)²) of up to {_VIEWS} training photos."
        )
    mad = {
        name: published.mad_attributes()[known]
        for name in names
        if name not in made and (known := published.toy_name(name)) in published.mad_attributes()
    }
    return mad, (
        "Attributes of MAD's toys as published; of another rendering of a toy of the same name they hold only roughly."
    )


def _opened(root: Path, name: str) -> ObjectFolder | None:
    try:
        return open_object(root if (root / "test").is_dir() else root / name)
    except PaadError:  # the gallery says what cannot be read
        return None


def _of_brick_toys(made: dict[str, ObjectFolder]) -> Attributes:
    from paad.synth.attributes import colour_contrast, shape_complexity
    from paad.synth.toys import load_toy, toy_names

    known = toy_names()
    found = {name: toy for name, toy in made.items() if toy.manifest.source in known}
    if len(found) < 3:  # no correlation without three
        return {}
    complexity = dict(zip(known, shape_complexity([load_toy(name) for name in known]), strict=True))
    return {
        name: {
            "shape_complexity": complexity[toy.manifest.source],
            "color_contrast": colour_contrast(_photos(toy), lightness=True),
        }
        for name, toy in found.items()
    }


def _photos(toy: ObjectFolder) -> list[UInt8]:
    files = toy.train_images.files
    return [load_image(file.path) for file in files[:: max(1, len(files) // _VIEWS)][:_VIEWS]]
