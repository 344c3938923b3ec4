"""Objects to photograph: a built-in toy by name, an LDraw model, or any triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paad.errors import DataError, UsageError
from paad.synth.colors import ldraw_color
from paad.synth.defects_missing import Holds
from paad.synth.model import BrickModel
from paad.synth.render_surface import METAL, SOLID, Placement, Surface, linear_of_srgb, placed, surface_of_mesh
from paad.synth.rig import OBJECT_RADIUS

MODEL_SUFFIXES = (".ldr", ".mpd")
MESH_SUFFIXES = (".obj", ".ply", ".stl", ".glb")


@dataclass(frozen=True)
class SynthObject:
    """One object, placed in the world.

    Attributes:
        name: its folder's name.
        parts: one surface for each brick (or one, for a mesh).
        model: the bricks; None for a mesh.
        placement: where it stands.
    """

    name: str
    parts: tuple[Surface, ...]
    model: BrickModel | None
    placement: Placement
    library: Path | None = None

    @property
    def floor(self) -> float:
        """Height of the lowest point, world units."""
        return float(min(p.corners[..., 2].min() for p in self.parts))

    def holds_without(self, gone: frozenset[int]) -> bool:
        """Whether the bricks that are left hold together as well as before (and there are any).

        An official model may consist of several bodies that only stand together: none may fall apart further.
        """
        from paad.synth.assembly import connected_components

        if self.model is None:
            return False
        rest = tuple(b for i, b in enumerate(self.model.bricks) if i not in gone)
        bodies = connected_components(BrickModel(self.name, rest), self.library)
        return len(rest) > 1 and len(bodies) <= len(connected_components(self.model, self.library))

    @property
    def holds(self) -> Holds:
        """:meth:`holds_without` as a plain function."""
        return self.holds_without


def object_name(source: str) -> str:
    """The folder name of a toy, a model file or a mesh file."""
    return Path(source).stem if Path(source).suffix.lower() in (*MODEL_SUFFIXES, *MESH_SUFFIXES) else source


def load_object(source: str, library: Path | None = None) -> SynthObject:
    """A toy's name, or the path of an LDraw model or a mesh, as an object placed in the world.

    Raises:
        UsageError: neither a toy's name nor a file of a known kind.
        DataError: the file cannot be used.
    """
    suffix = Path(source).suffix.lower()
    if suffix in MESH_SUFFIXES:
        from paad.synth.mesh_io import mesh_object

        mesh = mesh_object(Path(source))
        placement = placed([mesh], OBJECT_RADIUS)
        grey = linear_of_srgb((0.62, 0.62, 0.62)).tolist()
        return SynthObject(object_name(source), (surface_of_mesh(mesh, grey, SOLID, 0, placement),), None, placement)
    if suffix in MODEL_SUFFIXES:
        from paad.synth.ldraw import read_ldr

        return _brick_object(object_name(source), read_ldr(Path(source), library), library)
    from paad.synth.toys import load_toy, toy_names

    if source not in toy_names():
        raise UsageError(
            f"{source!r} is neither a toy nor a model or mesh file; toys: {', '.join(toy_names())}; "
            f"files: {', '.join((*MODEL_SUFFIXES, *MESH_SUFFIXES))}"
        )
    return _brick_object(source, load_toy(source), library)


def _brick_object(name: str, model: BrickModel, library: Path | None) -> SynthObject:
    from paad.synth.parts import part_mesh

    if not model.bricks:
        raise DataError(f"{name}: the model has no parts; it needs at least one")
    meshes = [part_mesh(b.part, library).moved(np.asarray(b.transform)) for b in model.bricks]
    placement = placed(meshes, OBJECT_RADIUS)
    surfaces = []
    for index, (brick, mesh) in enumerate(zip(model.bricks, meshes)):
        colour = ldraw_color(brick.color)
        finish = METAL if colour.finish in ("metal", "chrome", "pearlescent") else SOLID
        surfaces.append(surface_of_mesh(mesh, linear_of_srgb(colour.rgb).tolist(), finish, index, placement))
    return SynthObject(name, tuple(surfaces), model, placement, library)
