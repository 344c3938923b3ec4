"""Parametric parts: closed, facing outward, with LDraw's dimensions, and like the real library where one is at hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from paad.errors import UsageError
from paad.synth.colors import DIRECT, known_colors, ldraw_color
from paad.synth.ldraw import in_library, library_part_mesh
from paad.synth.mesh_io import mesh_problems
from paad.synth.model import Mesh
from paad.synth.parts import canonical, known_parts, near_parts, part_mesh, part_shape
from paad.synth.parts.catalog import ALIASES, CATALOG
from paad.synth.parts.kernel import BEVEL, signed_volume
from paad.synth.parts.polygon import convex_pieces, inset, triangulate
from paad.synth.smoothing import smooth

LIBRARY = Path(__file__).parents[2] / "shared" / "data" / "ldraw"
needs_library = pytest.mark.skipif(not LIBRARY.is_dir(), reason="no LDraw library beside the repository")

# Where the parametric part leaves out or fills what the real one has: hollows behind side studs, waists, gaps, ribs.
SIMPLIFIED = {
    "2412b": 0.75, "2423": 0.4, "2555": 0.75, "15070": 0.88, "30136": 0.85, "3062b": 0.85, "3937": 0.8, "3938": 0.8,
    "4032": 0.9, "4070": 0.9, "4589": 0.85, "47905": 0.9, "4733": 0.9, "48336": 0.9, "61252": 0.88, "63868": 0.9,
    "3960": 0.88, "4085": 0.88, "30367": 0.85, "49668": 0.8, "30503": 0.85,
}  # fmt: skip


def test_the_kinds_are_many_and_of_every_family() -> None:
    parts = known_parts()
    assert len(parts) >= 45
    text = " ".join(parts.values()).lower()
    families = (
        "brick plate tile slope inverted curved double round cone dish arch dome clip bar handle hinge wedge wing"
    )
    assert [f for f in families.split() if f not in text] == []


@pytest.mark.parametrize("part", sorted(CATALOG))
def test_a_part_is_closed_and_faces_outward(part: str) -> None:
    mesh = part_mesh(part)
    assert mesh.vertices.dtype == np.float32
    assert mesh.faces.dtype == np.int32
    assert mesh_problems(mesh.welded()) == []
    assert signed_volume(mesh.vertices.astype(float), mesh.faces) > 1000
    assert mesh.normals is not None
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-4)
    corners = mesh.vertices[mesh.faces].astype(float)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(face, axis=1)
    facing = np.einsum("ic,ikc->ik", face / area[:, None].clip(1e-12), mesh.normals[mesh.faces])
    assert facing[area > 1e-3].min() > 0.3


@pytest.mark.parametrize("part", sorted(CATALOG))
def test_solids_lie_within_the_surface_s_box_and_joints_touch_them(part: str) -> None:
    shape = part_shape(part)
    points = np.concatenate(shape.solids)
    assert (points.min(0) >= shape.vertices.min(0) - BEVEL).all()
    assert (points.max(0) <= shape.vertices.max(0) + BEVEL).all()
    for base, direction in shape.studs:
        assert np.linalg.norm(direction) == pytest.approx(1)
        assert (base >= points.min(0) - 0.1).all()
        assert (base <= points.max(0) + 0.1).all()
    assert len(shape.studs) + len(shape.sockets) + len(shape.bars) + len(shape.clips) > 0


@pytest.mark.parametrize("part", sorted(CATALOG))
def test_the_surface_lies_in_the_solids_and_studs(part: str) -> None:
    shape = part_shape(part)
    free = np.ones(len(shape.vertices), dtype=bool)
    for solid in shape.solids:
        planes = ConvexHull(solid).equations
        free &= (shape.vertices @ planes[:, :3].T + planes[:, 3]).max(1) > BEVEL
    for base, direction in shape.studs:
        along = (shape.vertices - base) @ direction
        aside = np.linalg.norm(shape.vertices - base - along[:, None] * direction, axis=1)
        free &= (aside > 6.1) | (along > 4.1) | (along < -1)
    assert not free.any(), shape.vertices[free][:3]


@pytest.mark.parametrize(
    ("part", "low", "high"),
    [
        ("3001", (-40, -4, -20), (40, 24, 20)),
        ("3024", (-10, -4, -10), (10, 8, 10)),
        ("3068b", (-20, 0, -20), (20, 8, 20)),
        ("3039", (-20, -4, -30), (20, 24, 10)),
        ("3660", (-20, -4, -30), (20, 24, 10)),
        ("54200", (-10, -15.6, -10), (10, 0, 10)),
        ("87087", (-10, -4, -14), (10, 24, 10)),
        ("4589", (-10, -4, -10), (10, 24, 10)),
        ("3659", (-40, -4, -10), (40, 24, 10)),
    ],
)
def test_dimensions_are_those_of_ldraw(part: str, low: tuple[float, ...], high: tuple[float, ...]) -> None:
    vertices = part_mesh(part).vertices
    np.testing.assert_allclose(vertices.min(0), low, atol=0.2)
    np.testing.assert_allclose(vertices.max(0), high, atol=0.2)


def test_studs_stand_on_the_grid() -> None:
    studs = part_shape("3001").studs
    assert sorted({float(x) for x in studs[:, 0, 0]}) == [-30, -10, 10, 30]
    assert sorted({float(z) for z in studs[:, 0, 2]}) == [-10, 10]
    assert (studs[:, 0, 1] == 0).all()


def _silhouette(mesh: Mesh, axis: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    axes = [a for a in range(3) if a != axis]
    image = np.zeros(np.ceil((high - low)[axes[::-1]]).astype(int) + 2, np.uint8)
    for triangle in np.round((mesh.vertices[mesh.faces][..., axes] - low[axes] + 1) * 16).astype(np.int32):
        cv2.fillConvexPoly(image, triangle, 1, shift=4)
    return image


@needs_library
@pytest.mark.parametrize("part", sorted(CATALOG))
def test_parts_look_like_the_real_ones(part: str) -> None:
    if not in_library(part, LIBRARY):
        pytest.skip("not in this library")
    ours, real = part_mesh(part), library_part_mesh(part, LIBRARY)
    low = np.minimum(ours.vertices.min(0), real.vertices.min(0)).astype(float)
    high = np.maximum(ours.vertices.max(0), real.vertices.max(0)).astype(float)
    np.testing.assert_allclose(ours.vertices.min(0), real.vertices.min(0), atol=1.0)
    np.testing.assert_allclose(ours.vertices.max(0), real.vertices.max(0), atol=1.0)
    for axis in range(3):
        a, b = _silhouette(ours, axis, low, high), _silhouette(real, axis, low, high)
        assert (a & b).sum() / (a | b).sum() > SIMPLIFIED.get(part, 0.92)


def test_aliases_name_known_parts() -> None:
    assert set(ALIASES.values()) <= set(CATALOG)
    assert not set(ALIASES) & set(CATALOG)
    assert canonical("3040") == "3040b"
    assert canonical("99999") is None
    assert part_shape("3040") is not None


def test_an_unknown_part_names_its_neighbours() -> None:
    with pytest.raises(UsageError, match=r"3001x.*3001.*LDRAWDIR"):
        part_mesh("3001x")
    assert "3001" in near_parts("3001x")


def test_meshes_are_cached() -> None:
    assert part_mesh("3001") is part_mesh("3001")


def test_a_mirrored_mesh_still_faces_outward() -> None:
    mirror = np.diag([-1.0, 1, 1, 1])
    moved = part_mesh("43722").moved(mirror)
    assert signed_volume(moved.vertices.astype(float), moved.faces) > 0
    assert moved.normals is not None
    other = part_mesh("43723")
    np.testing.assert_allclose(np.sort(moved.vertices, 0), np.sort(other.vertices, 0), atol=1e-3)


def test_smoothing_keeps_a_cube_flat_and_a_ball_round() -> None:
    corner = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], dtype=np.int32)
    cube = smooth(Mesh(corner, faces))
    assert len(cube.vertices) == 24
    assert cube.normals is not None
    assert sorted(np.abs(cube.normals).max(1).round(5)) == [1.0] * 24
    assert len(smooth(Mesh(corner, faces), crease_degrees=100).vertices) == 8


def test_triangulation_fills_a_concave_polygon() -> None:
    shape = np.array([(0, 0), (4, 0), (4, 3), (3, 3), (3, 1), (1, 1), (1, 3), (0, 3)], dtype=float)
    a, b, c = (shape[triangulate(shape)[:, i]] for i in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (area > 0).all()
    assert area.sum() == pytest.approx(8)
    assert len(convex_pieces(shape)) == 3
    square = np.array([(0, 0), (4, 0), (4, 4), (0, 4)], dtype=float)
    np.testing.assert_allclose(inset(square, 1), [(1, 1), (3, 1), (3, 3), (1, 3)])
    np.testing.assert_allclose(inset(square[::-1], 1), [(1, 3), (3, 3), (3, 1), (1, 1)])


def test_colours() -> None:
    assert ldraw_color(4).name == "Red"
    assert ldraw_color(15).rgb == pytest.approx((244 / 255,) * 3)
    assert ldraw_color(47).alpha == pytest.approx(128 / 255)
    assert ldraw_color(383).finish == "chrome"
    assert ldraw_color(DIRECT + 0xFF8000).rgb == pytest.approx((1, 128 / 255, 0))
    assert len(known_colors()) > 150
    for wrong in (16, 24, 9999, -1, DIRECT - 1):
        with pytest.raises(Exception, match=f"{wrong} is unknown"):
            ldraw_color(wrong)
