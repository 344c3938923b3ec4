"""Damage is done to the specimen in space, holds its promises, and depends on its seed only."""

from __future__ import annotations

import numpy as np
import pytest

from paad.synth.defects import SHARE_MEDIAN, SHARE_RANGE, Spot, area_of_share, exposed_spot, tangents, wanted_share
from paad.synth.defects_burrs import burr, convex_edges
from paad.synth.defects_missing import chip, remove_parts, slice_triangles
from paad.synth.defects_noise import SpaceNoise
from paad.synth.defects_stains import MIN_CONTRAST, refined, stain
from paad.synth.looks import SIM_LIGHTING
from paad.synth.model import Mesh
from paad.synth.render_scene import Scene
from paad.synth.render_surface import Surface, concatenate, pictured, placed, surface_of_mesh, triangle_areas
from paad.synth.rig import ANGLE_X, orbit

BOXES = (
    ((80, 24, 40), (0, 0, 0), (0.7, 0.02, 0.02)),
    ((40, 24, 40), (20, -24, 0), (0.8, 0.8, 0.8)),
    ((20, 24, 20), (30, -48, 10), (0.02, 0.02, 0.02)),
    ((20, 24, 20), (-30, 24, 10), (0.8, 0.6, 0.05)),
)
"""Size and middle (LDU), linear colour: a body, a neck, a head on it, a leg."""


def box(size: tuple[int, ...], at: tuple[int, ...]) -> Mesh:
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size + at
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]
    return Mesh(corners.astype(np.float32), np.array(faces, np.int32))


def box_toy() -> list[Surface]:
    meshes = [box(size, at) for size, at, _ in BOXES]
    placement = placed(meshes, 0.85)
    return [surface_of_mesh(m, c, 0, i, placement) for i, (m, (_, _, c)) in enumerate(zip(meshes, BOXES))]


@pytest.fixture(scope="module")
def parts() -> list[Surface]:
    return box_toy()


@pytest.fixture(scope="module")
def whole(parts: list[Surface]) -> Surface:
    return concatenate(parts)


def top_spot(surface: Surface, part: int) -> Spot:
    """The middle of a part's upper face."""
    faces = np.flatnonzero((surface.part == part) & (surface.normals[:, 0, 2] > 0.9))
    return Spot(surface.corners[faces].reshape(-1, 3).mean(axis=0).astype(float), np.eye(3)[2], int(faces[0]), part)


def test_areas_spread_as_in_mad() -> None:
    from paad.geometry.camera import Camera

    camera = Camera.from_angle_x(ANGLE_X, 800, 800)
    rng = np.random.default_rng(0)
    shares = (
        np.array([area_of_share(wanted_share(rng), camera, 3.0) for _ in range(4000)]) * camera.fx**2 / 9.0 / 800**2
    )
    assert abs(np.median(shares) / SHARE_MEDIAN - 1.0) < 0.1
    assert shares.min() >= SHARE_RANGE[0] * 0.999
    assert shares.max() <= SHARE_RANGE[1] * 1.001


def test_a_spot_lies_on_the_surface_it_names(whole: Surface) -> None:
    from paad.geometry.camera import Camera

    scene, camera = Scene(whole, SIM_LIGHTING), Camera.from_angle_x(ANGLE_X, 100, 80)
    for seed in range(5):
        pose = orbit(20.0, 70.0 * seed, 3.0)
        spot = exposed_spot(scene, pose, camera, np.random.default_rng(seed))
        assert spot is not None
        corner = whole.corners[spot.triangle, 0]
        assert abs((spot.point - corner) @ spot.normal) < 1e-5
        assert spot.part == whole.part[spot.triangle]
        np.testing.assert_allclose(spot.normal, whole.normals[spot.triangle, 0], atol=1e-5)


def test_tangents_are_a_right_handed_frame() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = rng.normal(size=3)
        n /= np.linalg.norm(n)
        u, v = tangents(n, rng)
        np.testing.assert_allclose(np.cross(u, v), n, atol=1e-12)


def test_noise_is_bounded_smooth_and_seeded() -> None:
    points = np.random.default_rng(0).normal(size=(5000, 3))
    noise = SpaceNoise(np.random.default_rng(1))
    values = noise(points, 2.0)
    assert 0.1 < values.std() < 0.8
    assert np.abs(values).max() < 2.0
    assert np.abs(noise(points + 1e-5, 2.0) - values).max() < 1e-3
    np.testing.assert_array_equal(SpaceNoise(np.random.default_rng(1))(points, 2.0), values)


def test_missing_takes_only_what_nothing_hangs_on(parts: list[Surface], whole: Surface) -> None:
    def holds(gone: frozenset[int]) -> bool:
        return not ({1} <= gone and 2 not in gone) and 0 not in gone  # the head hangs on the neck, all on the body

    for seed in range(8):
        damage = remove_parts(parts, holds, 0.05, top_spot(whole, 1), np.random.default_rng(seed))
        assert damage is not None
        gone = set(damage.facts["parts"])
        assert gone
        assert holds(frozenset(gone))
        assert set(damage.surface.part.tolist()) == set(range(len(parts))) - gone
    assert remove_parts(parts, lambda gone: False, 0.05, top_spot(whole, 1), np.random.default_rng(0)) is None


def test_a_chip_is_flat_and_leaves_the_rest(parts: list[Surface]) -> None:
    body = parts[0]
    damage = chip(body, 0.02, top_spot(body, 0), np.random.default_rng(3))
    assert damage is not None
    *normal, level = damage.facts["plane"]
    height = damage.surface.corners.astype(float) @ np.array(normal)
    assert height.max() < level + 1e-6
    # The cut closes the hole: the surface stays one closed sheet, so its vector area is zero.
    c = damage.surface.corners.astype(float)
    vector_area = 0.5 * np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]).sum(axis=0)
    np.testing.assert_allclose(vector_area, 0.0, atol=1e-5)


def test_slicing_keeps_the_area(whole: Surface) -> None:
    cut = slice_triangles(whole, np.array([0.6, 0.0, 0.8]), 0.1)
    assert len(cut) > len(whole)
    assert triangle_areas(cut.corners).sum() == pytest.approx(triangle_areas(whole.corners).sum(), rel=1e-6)


def test_a_stain_recolours_and_nothing_else(whole: Surface) -> None:
    spot = top_spot(whole, 0)
    base = pictured(whole.colours[spot.triangle])
    made = [damage for seed in range(12) if (damage := stain(whole, 0.03, spot, np.random.default_rng(seed)))]
    assert len(made) > 6
    for damage in made:
        assert triangle_areas(damage.surface.corners).sum() == pytest.approx(
            triangle_areas(whole.corners).sum(), rel=1e-5
        )
        reach = np.linalg.norm(damage.touched - spot.point, axis=1).max()
        assert reach < 2.5 * damage.facts["length"]
        contrast = np.abs(pictured(damage.surface.colours[damage.surface.part == 0]) - base).max()
        assert contrast >= 0.7 * MIN_CONTRAST
        assert damage.facts["shape"] in ("blot", "smear", "scratch", "fading")


def test_a_stain_shows_on_black_through_the_sheen(whole: Surface) -> None:
    black = Surface(whole.corners, whole.normals, np.full_like(whole.colours, 0.008), whole.part, whole.finish)
    spot = top_spot(black, 0)
    base = pictured(black.colours[spot.triangle])
    made = [damage for seed in range(12) if (damage := stain(black, 0.03, spot, np.random.default_rng(seed)))]
    assert made
    for damage in made:
        assert damage.facts["ink"] not in ("black ink", "grease")
        assert np.abs(pictured(damage.surface.colours) - base).max() >= 0.7 * MIN_CONTRAST


def test_a_stain_follows_the_surface_over_an_edge(whole: Surface) -> None:
    spot = top_spot(whole, 0)
    edge = whole.corners[whole.part == 0].reshape(-1, 3)
    spot = Spot(np.array([spot.point[0], edge[:, 1].max() - 0.02, spot.point[2]]), spot.normal, spot.triangle, 0)
    sides = set()
    made = [damage for seed in range(9) if (damage := stain(whole, 0.05, spot, np.random.default_rng(seed)))]
    assert len(made) > 3
    for damage in made:
        n = damage.surface.normals[:, 0]
        changed = np.abs(damage.surface.colours - whole.colours[spot.triangle]).max(axis=1) > 1e-3
        sides |= {int(np.abs(v).argmax()) for v in n[changed & (damage.surface.part == 0)]}
    assert {1, 2} <= sides


def test_burrs_grow_outwards_in_the_colour_of_the_part(whole: Surface) -> None:
    shapes = set()
    for seed in range(12):
        damage = burr(whole, 0.01, top_spot(whole, 1), np.random.default_rng(seed))
        assert damage is not None
        grown = damage.surface.take(np.arange(len(whole), len(damage.surface)))
        assert set(grown.part.tolist()) == {1}
        ratio = grown.colours[0] / whole.colours[whole.part == 1][0]
        assert (ratio > 0.8).all()
        assert (ratio < 1.25).all()
        np.testing.assert_array_equal(damage.surface.corners[: len(whole)], whole.corners)
        low, high = (f(whole.corners[whole.part == 1].reshape(-1, 3), axis=0) for f in (np.min, np.max))
        outside = ((grown.corners < low - 1e-4) | (grown.corners > high + 1e-4)).any(axis=(1, 2))
        assert outside.mean() > 0.3
        shapes.add(damage.facts["shape"])
    assert shapes == {"flash", "spikes", "ragged"}


def test_a_box_has_twelve_convex_edges(parts: list[Surface]) -> None:
    edges = convex_edges(parts[2])
    assert len(edges.ends) == 12
    centre = parts[2].corners.reshape(-1, 3).mean(axis=0)
    assert (((edges.ends.mean(axis=1) - centre) * edges.outward).sum(axis=1) > 0).all()


@pytest.mark.parametrize("kind", [stain, burr])
def test_damage_depends_on_the_seed_only(whole: Surface, kind: object) -> None:
    first, second, other = (kind(whole, 0.01, top_spot(whole, 1), np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.surface.corners, second.surface.corners)
    np.testing.assert_array_equal(first.surface.colours, second.surface.colours)
    assert len(first.surface) != len(other.surface) or (first.surface.corners != other.surface.corners).any()


def test_refined_triangles_are_small_where_the_stain_is(whole: Surface) -> None:
    from paad.synth.defects_stains import _patch

    patch = _patch("blot", 0.02, top_spot(whole, 0), np.random.default_rng(0))
    fine = refined(whole, patch)
    covered = patch.strength(fine.corners.mean(axis=1, dtype=float)) > 0.0
    sides = np.linalg.norm(fine.corners[:, [1, 2, 0]] - fine.corners, axis=2).max(axis=1)
    top = np.abs(fine.corners[..., 2].mean(axis=1) - patch.spot.point[2]) < 1e-4
    assert sides[covered & top].max() <= patch.detail * 1.001


def test_a_part_without_edges_gets_its_burr_where_it_is_seen() -> None:
    trimesh = pytest.importorskip("trimesh")
    ball = trimesh.creation.icosphere(subdivisions=4)
    mesh = Mesh(ball.vertices.astype(np.float32), np.asarray(ball.faces, np.int32))
    whole = surface_of_mesh(mesh, (0.5, 0.5, 0.5), 0, 0, placed([mesh], 0.85))
    assert len(convex_edges(whole).ends) == 0
    top = whole.corners.reshape(-1, 3)[whole.corners.reshape(-1, 3)[:, 2].argmax()].astype(float)
    spot = Spot(top, np.eye(3)[2], top_spot(whole, 0).triangle, 0)
    for seed in range(6):
        damage = burr(whole, 0.02, spot, np.random.default_rng(seed))
        assert damage is not None
        grown = damage.surface.corners[damage.grown_from :].reshape(-1, 3)
        radius = np.linalg.norm(grown, axis=1) / np.linalg.norm(whole.corners.reshape(-1, 3), axis=1).max()
        assert radius.max() > 1.01  # it sticks out
        assert radius.min() < 1.0  # and does not float
