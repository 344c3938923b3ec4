"""The twenty toys: there, standing, holding together, free of overlaps, and in MAD's spread of colours."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from paad.errors import DataError, UsageError
from paad.synth.assembly import connected_components, overlaps
from paad.synth.attributes import MAD, colour_contrast, shape_complexity, table
from paad.synth.colors import ldraw_color
from paad.synth.ldraw import write_ldr
from paad.synth.mesh_io import mesh_problems
from paad.synth.parts import part_mesh, part_shape
from paad.synth.toys import build, load_toy, toy_names

SHARED = Path(__file__).parents[2] / "shared"
NEARLY_BLACK = ("Gorilla", "Owl", "Zalika")
NEARLY_WHITE = ("Unicorn", "Sabertooth", "Parrot", "Puppy")
MIXED = ("Mallard", "Bird", "Sheep", "Pig", "Phoenix", "Bear")


def test_there_are_twenty_with_mad_s_names() -> None:
    assert len(toy_names()) == 20
    assert set(toy_names()) == set(MAD)
    assert load_toy("gorilla") is load_toy("gorilla")
    with pytest.raises(UsageError, match=r"no toy 'Girilla'; did you mean Gorilla"):
        load_toy("Girilla")


@pytest.mark.parametrize("name", toy_names())
def test_a_toy_holds_together_and_nothing_overlaps(name: str) -> None:
    toy = load_toy(name)
    assert 20 <= len(toy.bricks) <= 90
    assert len({b.part for b in toy.bricks}) >= 5
    assert [len(group) for group in connected_components(toy, touching=False)] == [len(toy.bricks)]
    assert overlaps(toy) == []


@pytest.mark.parametrize("name", toy_names())
def test_the_file_is_what_the_design_makes(name: str, tmp_path: Path) -> None:
    shipped = Path(build.__file__).parent / f"{name}.ldr"
    made = write_ldr(tmp_path / f"{name}.ldr", build.build(name))
    assert made.read_text() == shipped.read_text(), "run python -m paad.synth.toys.build"


def _share(name: str, dark: bool) -> float:
    """Share of the surface's area whose colour is black (or very dark), or white."""
    total = hit = 0.0
    for brick in load_toy(name).bricks:
        mesh = part_mesh(brick.part)
        corners = mesh.vertices[mesh.faces]
        area = float(
            np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
        )
        rgb = ldraw_color(brick.color).rgb
        total += area
        hit += area * (max(rgb) < 0.25 if dark else min(rgb) > 0.9)
    return hit / total


def test_colours_spread_as_mad_s() -> None:
    assert min(_share(name, True) for name in NEARLY_BLACK) > 0.6
    assert min(_share(name, False) for name in NEARLY_WHITE) > 0.75
    for name in MIXED:
        assert len({b.color for b in load_toy(name).bricks}) >= 3
        assert _share(name, True) < 0.6


@pytest.mark.parametrize("name", toy_names())
def test_a_toy_stands_on_its_lowest_parts(name: str) -> None:
    """The centre of mass lies above the hull of the points that touch the table."""
    solids = [
        points @ b.transform[:3, :3].T + b.transform[:3, 3]
        for b in load_toy(name).bricks
        for points in part_shape(b.part).solids
    ]
    weights = np.array([np.prod(np.ptp(p, axis=0)) for p in solids])
    centre = np.average([(p.min(0) + p.max(0)) / 2 for p in solids], axis=0, weights=weights)
    points = np.concatenate(solids)
    feet = points[points[:, 1] > points[:, 1].max() - 0.5][:, [0, 2]].astype(np.float32)
    assert cv2.pointPolygonTest(cv2.convexHull(feet), (float(centre[0]), float(centre[2])), measureDist=False) >= 0


def test_the_builder_mirrors_and_attaches() -> None:
    builder = build.Builder("test")
    left, right = builder.pair("87087", 4, 0, 0, 0, turn=1)
    np.testing.assert_allclose(left.transform[[0, 2], 3] + right.transform[[0, 2], 3], [80, 20])
    tile = builder.onto(left, -1, "98138", 0)
    np.testing.assert_allclose(tile.transform[:3, 1] @ [1, 0, 0], 1)
    wall = build.Builder("wall")
    stem = wall.put("3005", 4, 0, 0, 0)
    hung = wall.onto(stem, 0, "3024", 4)
    np.testing.assert_allclose(hung.transform[:3, 3], [10, -32, 10])
    assert [len(g) for g in connected_components(wall.model(), touching=False)] == [2]


def test_the_build_command_writes_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["build", "--out", str(tmp_path)])
    build.main()
    assert sorted(p.stem for p in tmp_path.glob("*.ldr")) == sorted(toy_names())


def test_every_part_of_every_toy_renders() -> None:
    parts = {b.part for name in toy_names() for b in load_toy(name).bricks}
    assert all(mesh_problems(part_mesh(part).welded()) == [] for part in parts)
    colours = {b.color for name in toy_names() for b in load_toy(name).bricks}
    assert all(ldraw_color(c).alpha == 1.0 for c in colours)


def test_shape_complexity_runs_from_0_to_100() -> None:
    toys = [load_toy(name) for name in toy_names()]
    values = shape_complexity(toys)
    assert min(values) == 0
    assert max(values) == 100
    assert shape_complexity([part_mesh("3005"), part_mesh("3001"), part_mesh("3031")])[::2] == [0, 100]
    with pytest.raises(UsageError, match="at least two"):
        shape_complexity(toys[:1])


def test_colour_contrast_follows_its_formula() -> None:
    half = np.zeros((10, 10, 3), np.uint8)
    half[:, 5:] = (255, 0, 0)
    a, b = 80.09, 67.20  # CIELAB of sRGB red
    assert colour_contrast([half]) == pytest.approx(np.hypot(a, b) / 2, rel=1e-2)
    grey = np.zeros((10, 10, 3), np.uint8)
    grey[:, 5:] = 255
    assert colour_contrast([grey]) == pytest.approx(0, abs=0.1)
    assert colour_contrast([grey], lightness=True) == pytest.approx(127.5, abs=0.5)
    with pytest.raises(UsageError, match="at least one image"):
        colour_contrast([])


@pytest.mark.skipif(not (SHARED / "data" / "mad_sim_tiles").is_dir(), reason="no tiles of MAD beside the repository")
def test_mad_s_published_contrast_counts_lightness() -> None:
    with (SHARED / "published" / "mad_attributes_pad2023.csv").open() as lines:
        published = [float(row["color_contrast"]) for row in csv.DictReader(lines)]
    folders = sorted((SHARED / "data" / "mad_sim_tiles").iterdir())
    pictures = [
        [cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in sorted(d.glob("query_*.png"))[::5]]
        for d in folders
    ]
    with_lightness = [colour_contrast(p, lightness=True) for p in pictures]
    as_written = [colour_contrast(p) for p in pictures]
    assert np.corrcoef(with_lightness, published)[0, 1] > 0.97
    assert np.median(np.array(with_lightness) / published) == pytest.approx(1, abs=0.1)
    assert np.corrcoef(as_written, published)[0, 1] < 0.5
    assert [c for _, c in MAD.values()] == published


def test_the_table_sets_ours_beside_mad_s(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder of a toy"):
        table(tmp_path)
    rng = np.random.default_rng(0)
    for name, n in itertools.product(("Cat", "Owl"), range(2)):
        folder = tmp_path / name / "train" / "good"
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{n}.png"), rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    lines = table(tmp_path).splitlines()
    assert len(lines) == 4
    assert any(line.startswith("| Cat |") and line.endswith("| 61.3 |") for line in lines)
    with pytest.raises(DataError, match="20 objects"):
        table(tmp_path, tmp_path)
    for number, (_, contrast) in enumerate(MAD.values()):  # grey stripes: no colour, lightness in MAD's order
        folder = tmp_path / "mad" / f"{number + 1:02d}"
        folder.mkdir(parents=True)
        stripes = np.zeros((8, 8), np.uint8)
        stripes[:, 4:] = round(2 * contrast)
        cv2.imwrite(str(folder / "query_0.png"), stripes + (np.arange(8) % 2).astype(np.uint8))
        cv2.imwrite(str(folder / "mask_0.png"), stripes)
    lines = table(tmp_path, tmp_path / "mad").splitlines()
    assert lines[2].count("|") == 9
    assert float(lines[-1].split()[-1]) > 0.98
