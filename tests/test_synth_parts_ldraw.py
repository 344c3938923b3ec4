"""Reading and writing LDraw files, real library geometry, and what is said of files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paad.errors import DataError, PaadError, UsageError
from paad.synth.ldraw import find_library, library_part_mesh, read_ldr, write_ldr
from paad.synth.model import Brick, BrickModel
from paad.synth.parts import part_mesh
from paad.synth.parts.kernel import signed_volume
from paad.synth.parts.shape import turned

LIBRARY = Path(__file__).parents[2] / "shared" / "data" / "ldraw"
needs_library = pytest.mark.skipif(not LIBRARY.is_dir(), reason="no LDraw library beside the repository")
IDENTITY = "1 0 0 0 1 0 0 0 1"


def _file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _library(folder: Path, **parts: str) -> Path:
    for room in ("parts", "p"):
        (folder / room).mkdir(parents=True)
    for name, text in parts.items():
        (folder / "parts" / f"{name}.dat").write_text(text)
    return folder


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    bricks = (
        Brick("3001", 4, turned("y", 90, (10, -24, 30.5))),
        Brick("3023", 0x2FF8800, turned("x", 30, (0, 0.125, 0))),
    )
    path = write_ldr(tmp_path / "model.ldr", BrickModel("A model", bricks))
    again = read_ldr(path)
    assert again.name == "model"
    assert [(b.part, b.color) for b in again.bricks] == [(b.part, b.color) for b in bricks]
    for ours, theirs in zip(bricks, again.bricks):
        np.testing.assert_allclose(ours.transform, theirs.transform, atol=1e-4)
    assert path.read_text().splitlines()[0] == "0 A model"


def test_submodels_are_flattened_and_inherit_their_colour(tmp_path: Path) -> None:
    _file(tmp_path, "Wheel.LDR", f"1 16 0 -8 0 {IDENTITY} 3024.dat")
    path = _file(
        tmp_path,
        "car.mpd",
        "0 FILE main.ldr",
        f"1 4 100 0 0 {IDENTITY} Side piece.ldr",
        f"1 2 0 0 0 {IDENTITY} wheel.ldr",
        "0 NOFILE",
        "0 a comment between files",
        "0 FILE side piece.ldr",
        "1 16 0 0 5 0 0 1 0 1 0 -1 0 0 3001.DAT",
        f"1 15 0 0 0 {IDENTITY} 3040.dat",
    )
    model = read_ldr(path)
    assert [(b.part, b.color) for b in model.bricks] == [("3001", 4), ("3040b", 15), ("3024", 2)]
    np.testing.assert_allclose(model.bricks[0].transform[:3, 3], [100, 0, 5])
    np.testing.assert_allclose(model.bricks[0].transform[:3, 0], [0, 0, -1])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([f"1 4 0 0 0 {IDENTITY} 30011.dat"], r"30011 \(near: .*3001.*\); .*--ldraw DIR"),
        ([f"1 4999 0 0 0 {IDENTITY} 3001.dat"], "bad.ldr line 1: LDraw colour 4999 is unknown"),
        ([f"1 16 0 0 0 {IDENTITY} 3001.dat"], "colour 16 has no parent"),
        (["1 4 0 0 0 1 0 0 0 1 0 0 3001.dat"], "bad.ldr line 1: not '1 colour x y z"),
        (["1 4 0 0 zero 1 0 0 0 1 0 0 0 1 3001.dat"], "line 1: not '1 colour"),
        (["1 4 0 0 nan 1 0 0 0 1 0 0 0 1 3001.dat"], "line 1: holds a number that is not finite"),
        (["0 nothing here"], "holds no part"),
        (["1 4 0 0 0 1 0 0 0 0 0 0 0 1 3001.dat"], "flattens the part"),
        (["3 4 0 0 0 1 0 0 0 0 1"], "loose triangles"),
        ([f"1 4 0 0 0 {IDENTITY} missing.ldr"], "neither in it nor beside it"),
        (["0 FILE a.ldr", f"1 4 0 0 0 {IDENTITY} b.ldr", "0 FILE b.ldr", f"1 4 0 0 0 {IDENTITY} a.ldr"],
         "holds itself: a.ldr > b.ldr > a.ldr"),
        ([f"1 4 0 0 0 {IDENTITY} bad.ldr"], "holds itself: bad.ldr > bad.ldr"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_used_says_why(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_ldr(_file(tmp_path, "bad.ldr", *lines))


def test_every_unknown_part_is_listed_at_once(tmp_path: Path) -> None:
    path = _file(tmp_path, "many.ldr", *(f"1 4 0 0 0 {IDENTITY} x{i}.dat" for i in range(12)))
    with pytest.raises(DataError, match=r"x0; .* and 4 more"):
        read_ldr(path)


def test_a_missing_file_and_a_full_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_ldr(tmp_path / "none.ldr")
    (tmp_path / "file").write_text("kept")
    with pytest.raises(PaadError, match="cannot write here"):
        write_ldr(tmp_path / "file" / "model.ldr", BrickModel("m", (Brick("3001", 4, np.eye(4)),)))
    assert (tmp_path / "file").read_text() == "kept"


def test_the_library_is_the_option_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LDRAWDIR", raising=False)
    assert find_library(None) is None
    library = _library(tmp_path / "ldraw")
    assert find_library(library) == library
    monkeypatch.setenv("LDRAWDIR", str(library))
    assert find_library(None) == library
    with pytest.raises(UsageError, match="not an LDraw library"):
        find_library(tmp_path)


def test_winding_is_turned_to_face_outward(tmp_path: Path) -> None:
    corners = ["0 0 0", "10 0 0", "0 10 0", "0 0 10"]
    faces = [(0, 1, 3), (0, 2, 1), (0, 3, 2), (1, 2, 3)]
    tetrahedron = [f"3 16 {corners[a]} {corners[b]} {corners[c]}" for a, b, c in faces]
    turned_around = [f"3 16 {corners[c]} {corners[b]} {corners[a]}" for a, b, c in faces]
    volumes = []
    library = _library(
        tmp_path / "ldraw",
        right="\n".join(["0 BFC CERTIFY CCW", *tetrahedron]),
        left="\n".join(["0 BFC CERTIFY CW", *turned_around]),
        inner="\n".join(["0 BFC CERTIFY CCW", *turned_around]),
        inverted=f"0 BFC CERTIFY CCW\n0 BFC INVERTNEXT\n1 16 0 0 0 {IDENTITY} inner.dat",
        mirrored="0 BFC CERTIFY CCW\n1 16 0 0 0 -1 0 0 0 1 0 0 0 1 right.dat",
    )
    for part in ("right", "left", "inverted", "mirrored"):
        mesh = library_part_mesh(part, library)
        volumes.append(signed_volume(mesh.vertices.astype(float), mesh.faces))
    np.testing.assert_allclose(volumes, 1000 / 6, rtol=1e-4)


def test_a_damaged_library_is_named(tmp_path: Path) -> None:
    library = _library(
        tmp_path / "ldraw",
        hollow=f"1 16 0 0 0 {IDENTITY} gone.dat",
        flat="3 16 0 0 0 1 0 0 2 0 0",
        circle=f"1 16 0 0 0 {IDENTITY} circle.dat",
        torn="3 16 0 0 0 1 0 x 2 0 0",
    )
    for part, message in (
        ("hollow", "needs gone.dat"),
        ("flat", "no triangle"),
        ("circle", "holds itself"),
        ("torn", "torn.dat: not"),
    ):
        with pytest.raises(DataError, match=message):
            library_part_mesh(part, library)
    with pytest.raises(UsageError, match="not in the LDraw library"):
        library_part_mesh("3001", library)


def test_the_library_comes_before_the_parametric_part(tmp_path: Path) -> None:
    text = "0 BFC CERTIFY CCW\n4 16 0 0 0 1 0 0 1 1 0 0 1 0\n"
    library = _library(tmp_path / "ldraw", **{"3001": text, "x99": text})
    assert len(part_mesh("3001", library).faces) == 2
    assert len(part_mesh("3003", library).faces) > 100
    model = read_ldr(_file(tmp_path, "m.ldr", f"1 4 0 0 0 {IDENTITY} x99.dat"), library)
    assert model.bricks[0].part == "x99"


@needs_library
def test_a_real_model_with_submodels_and_shortcuts() -> None:
    path = next((LIBRARY / "models").glob("6831*.mpd"))
    model = read_ldr(path, LIBRARY)
    assert len(model.bricks) > 40
    assert {"3001", "3039"} & {b.part for b in model.bricks}
    assert sum(len(part_mesh(b.part, LIBRARY).faces) for b in model.bricks) > 10_000
    with pytest.raises(DataError, match="unknown parts"):
        read_ldr(path)


@needs_library
def test_real_parts_face_outward() -> None:
    for part in ("3001", "3005", "54200", "6141", "3660"):
        mesh = library_part_mesh(part, LIBRARY)
        assert signed_volume(mesh.vertices.astype(float), mesh.faces) > 0
