"""Meshes of users: taken when closed, refused with a reason when not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from paad.errors import DataError, UsageError
from paad.synth.dataset_objects import load_object
from paad.synth.mesh_io import SUFFIXES, mesh_object
from paad.synth.parts.kernel import signed_volume
from paad.synth.random_bodies import write_body


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_solid(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ball{suffix}"
    trimesh.creation.icosphere(subdivisions=3, radius=5.0).export(path)
    mesh = mesh_object(path)
    assert signed_volume(mesh.vertices.astype(float), mesh.faces) == pytest.approx(4 / 3 * np.pi * 125, rel=0.02)
    assert mesh.normals is not None
    np.testing.assert_allclose(np.ptp(mesh.vertices, 0), 10, rtol=1e-3)


def test_several_bodies_in_one_file_keep_their_places(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box((1, 1, 1)))
    scene.add_geometry(trimesh.creation.box((1, 1, 1)), transform=trimesh.transformations.translation_matrix((5, 0, 0)))
    scene.export(tmp_path / "two.glb")
    mesh = mesh_object(tmp_path / "two.glb")
    assert np.ptp(mesh.vertices[:, 0]) == pytest.approx(6)


def test_a_surface_turned_inside_out_is_put_right(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 2, 3))
    trimesh.Trimesh(box.vertices, box.faces[:, ::-1], process=False).export(tmp_path / "box.ply")
    mesh = mesh_object(tmp_path / "box.ply")
    assert signed_volume(mesh.vertices.astype(float), mesh.faces) == pytest.approx(6)


@pytest.mark.parametrize(("suffix", "up", "size"), [(".stl", None, 3), (".obj", None, 2), (".stl", "y", 2)])
def test_up_becomes_ldraw_s(tmp_path: Path, suffix: str, up: str | None, size: float) -> None:
    box = trimesh.creation.box((1, 2, 3))
    box.export(tmp_path / f"box{suffix}")
    mesh = mesh_object(tmp_path / f"box{suffix}", up)
    assert np.ptp(mesh.vertices[:, 1]) == pytest.approx(size)
    assert signed_volume(mesh.vertices.astype(float), mesh.faces) == pytest.approx(6)
    with pytest.raises(UsageError, match="use y or z"):
        mesh_object(tmp_path / f"box{suffix}", "x")


def test_the_top_of_a_file_is_the_top_of_the_object(tmp_path: Path) -> None:
    cone = trimesh.creation.cone(radius=1, height=4)  # its tip points to +z
    cone.export(tmp_path / "cone.stl")
    mesh = mesh_object(tmp_path / "cone.stl")
    tip = mesh.vertices[mesh.vertices[:, 1].argmin()]
    np.testing.assert_allclose(tip, [0, -4, 0], atol=1e-5)


def _write(path: Path, vertices: np.ndarray, faces: np.ndarray) -> Path:
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in faces]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_open_twisted_flat_and_empty_meshes_are_refused(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 2, 3))
    vertices, faces = np.asarray(box.vertices), np.asarray(box.faces)
    twisted = faces.copy()
    twisted[0] = twisted[0][::-1]
    cases = {
        "open": (vertices, faces[1:], r"open.obj: 3 edges are open .* near \("),
        "twisted": (vertices, twisted, "wound against each other"),
        "flat": (vertices * [1, 1, 0], faces, "flat.obj: "),
        "point": (vertices * 0, faces, "one place"),
        "nan": (np.where(vertices == vertices[0], np.nan, vertices), faces, "not numbers|cannot be read"),
    }
    for name, (v, f, message) in cases.items():
        with pytest.raises(DataError, match=message):
            mesh_object(_write(tmp_path / f"{name}.obj", v, f))


def test_files_that_are_no_meshes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="suffixes are"):
        mesh_object(tmp_path / "model.step")
    with pytest.raises(DataError, match="no such file"):
        mesh_object(tmp_path / "none.obj")
    (tmp_path / "noise.glb").write_bytes(b"not a mesh at all")
    with pytest.raises(DataError, match="cannot be read"):
        mesh_object(tmp_path / "noise.glb")
    (tmp_path / "empty.obj").write_text("# nothing\n")
    with pytest.raises(DataError, match=r"no triangle|cannot be read"):
        mesh_object(tmp_path / "empty.obj")


def test_colours_of_faces_stay_with_them(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 2, 3))
    top = np.asarray(box.face_normals)[:, 2] > 0.5
    box.visual.face_colors = np.where(top[:, None], (255, 0, 0, 255), (0, 51, 0, 255)).astype(np.uint8)
    box.export(tmp_path / "box.ply")
    mesh = mesh_object(tmp_path / "box.ply")  # a PLY's top is +z, LDraw's -y
    assert mesh.colours is not None
    corners = mesh.vertices[mesh.faces]
    lid = np.ptp(corners[:, :, 1], axis=1) < 1e-6
    lid &= corners[:, 0, 1] < 0
    np.testing.assert_allclose(mesh.colours[lid], [[1.0, 0.0, 0.0]] * 2)
    np.testing.assert_allclose(mesh.colours[~lid], [[0.0, 0.2, 0.0]] * 10, atol=1e-6)
    surface = load_object(str(tmp_path / "box.ply")).parts[0]
    facing_up = surface.normals[:, 0, 2] > 0.5
    np.testing.assert_allclose(surface.colours[facing_up], [[1.0, 0.0, 0.0]] * 2)
    np.testing.assert_allclose(surface.colours[~facing_up], [[0.0, 0.033105, 0.0]] * 10, atol=1e-5)


def test_a_mesh_without_colours_has_none(tmp_path: Path) -> None:
    trimesh.creation.box((1, 2, 3)).export(tmp_path / "box.stl")
    assert mesh_object(tmp_path / "box.stl").colours is None


def test_random_bodies_are_closed_coloured_and_the_same_for_a_seed(tmp_path: Path) -> None:
    write_body(tmp_path / "one.ply", 3)
    write_body(tmp_path / "two.ply", 3)
    write_body(tmp_path / "other.ply", 4)
    one, two, other = (mesh_object(tmp_path / f"{name}.ply") for name in ("one", "two", "other"))
    np.testing.assert_array_equal(one.vertices, two.vertices)
    np.testing.assert_array_equal(one.colours, two.colours)
    assert one.colours is not None
    assert len(np.unique(one.colours, axis=0)) > 1
    assert len(one.faces) != len(other.faces) or not np.array_equal(one.vertices, other.vertices)
