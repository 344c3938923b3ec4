"""What holds together and what collides, on assemblies small enough to know the answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from paad.synth.assembly import connected_components, overlaps
from paad.synth.model import Brick, BrickModel
from paad.synth.parts import part_shape
from paad.synth.parts.shape import moved_by, turned


def _model(*bricks: tuple[str, float, float, float]) -> BrickModel:
    return BrickModel("test", tuple(Brick(part, 4, moved_by(x, y, z)) for part, x, y, z in bricks))


def _groups(model: BrickModel, touching: bool = False) -> list[list[int]]:
    return [sorted(g) for g in connected_components(model, touching=touching)]


def test_a_stack_holds_and_does_not_collide() -> None:
    stack = _model(("3001", 0, 0, 0), ("3020", 20, -8, 0), ("3039", 20, -32, 10), ("98138", 10, -40, 10))
    assert _groups(stack) == [[0, 1, 2, 3]]
    assert overlaps(stack) == []


def test_neighbours_touch_without_being_joined() -> None:
    row = _model(("3001", 0, 0, 0), ("3001", 80, 0, 0), ("3001", 200, 0, 0))
    assert _groups(row, touching=True) == [[0, 1], [2]]
    assert _groups(row) == [[0], [1], [2]]


def test_a_bridge_joins() -> None:
    assert _groups(_model(("3001", 0, 0, 0), ("3001", 80, 0, 0), ("3001", 40, -24, 0))) == [[0, 1, 2]]


def test_shared_volume_is_measured() -> None:
    ((i, j, volume),) = overlaps(_model(("3005", 0, 0, 0), ("3005", 10, 0, 0)))
    assert (i, j) == (0, 1)
    assert volume == pytest.approx(10 * 24 * 20, rel=0.1)
    assert overlaps(_model(("3005", 0, 0, 0), ("3005", 20, 0, 0))) == []


def _inside(brick: Brick, points: np.ndarray) -> np.ndarray:
    """The slow twin of the solids' arithmetic: which points lie in a brick's body, by the planes of its hulls."""
    inverse = np.linalg.inv(brick.transform)
    local = points @ inverse[:3, :3].T + inverse[:3, 3]
    hulls = [ConvexHull(solid).equations for solid in part_shape(brick.part).solids]
    return np.any([(local @ h[:, :3].T + h[:, 3] <= 0).all(1) for h in hulls], axis=0)


@pytest.mark.parametrize(("first", "second"), [("3039", "3660"), ("4589", "3659"), ("3003", "4740"), ("2420", "93273")])
def test_shared_volume_agrees_with_counting_points(first: str, second: str) -> None:
    rng = np.random.default_rng(7)
    a = Brick(first, 4, np.eye(4))
    b = Brick(second, 4, moved_by(6, 3, -5) @ turned("y", rng.uniform(0, 360)) @ turned("x", rng.uniform(0, 90)))
    ((_, _, volume),) = overlaps(BrickModel("two", tuple(Brick(k.part, 4, k.transform) for k in (a, b))))
    box = np.concatenate(part_shape(first).solids)
    low, size = box.min(0), np.ptp(box, axis=0)
    points = low + rng.random((40_000, 3)) * size
    counted = (_inside(a, points) & _inside(b, points)).mean() * np.prod(size)
    studs = 2 * len(part_shape(first).studs) * 450
    assert counted * 0.93 <= volume <= counted * 1.07 + studs


def test_overlap_does_not_depend_on_the_pose() -> None:
    pose = turned("x", 33, (5, 6, 7)) @ turned("y", 71)
    plain = _model(("3039", 0, 0, 0), ("3660", 0, 5, -8))
    moved = BrickModel("moved", tuple(Brick(b.part, 4, pose @ b.transform) for b in plain.bricks))
    (first,), (second,) = overlaps(plain), overlaps(moved)
    assert first[2] == pytest.approx(second[2], rel=1e-4)
    assert first[2] > 1000


def test_a_stud_may_stand_in_an_underside_but_not_in_a_wall() -> None:
    assert overlaps(_model(("3024", 0, 0, 0), ("3005", 0, -24, 0))) == []
    assert _groups(_model(("3024", 0, 0, 0), ("3005", 0, -24, 0))) == [[0, 1]]
    sunk = _model(("3024", 0, 0, 0), ("3005", 10, -24, 0))
    assert len(overlaps(sunk)) == 1
    assert _groups(sunk) == [[0], [1]]


def test_jumpers_join_off_the_grid() -> None:
    jump = _model(("3794b", 0, 0, 0), ("3005", 0, -24, 0))
    assert _groups(jump) == [[0, 1]]
    assert overlaps(jump) == []


def test_side_studs_hold_tiles() -> None:
    tile = turned("x", 90, (0, 10, -18))
    model = BrickModel("side", (Brick("87087", 4, np.eye(4)), Brick("98138", 0, tile)))
    assert _groups(model) == [[0, 1]]
    assert overlaps(model) == []


def test_a_clip_holds_a_bar_and_a_handle() -> None:
    clip = Brick("61252", 0, np.eye(4))
    bar = Brick("87994", 0, turned("z", 90, (30, 2, -20)))
    model = BrickModel("clip", (clip, bar))
    assert _groups(model) == [[0, 1]]
    assert overlaps(model) == []
    handle = Brick("48336", 0, turned("x", 0, (0, 0, -40)) @ turned("y", 180))
    pair = BrickModel("handle", (clip, handle))
    assert _groups(pair) == [[0, 1]]
    assert overlaps(pair) == []
    off = BrickModel("off", (clip, Brick("87994", 0, turned("z", 90, (30, 6, -20)))))
    assert _groups(off) == [[0], [1]]


def test_a_hinge_holds_at_any_angle() -> None:
    for degrees in (0, 30, 60):
        about = moved_by(0, 10, 0) @ turned("x", degrees) @ moved_by(0, -10, 0)
        model = BrickModel("hinge", (Brick("3937", 0, np.eye(4)), Brick("3938", 0, about)))
        assert _groups(model) == [[0, 1]]
        assert overlaps(model) == []


def test_curved_slopes_lie_over_a_stair() -> None:
    base = Brick("3023", 4, turned("y", 90, (0, 8, 0)))
    steps = _model(("3024", 0, 0, -10), ("3024", 0, 0, 10), ("3024", 0, -8, 10))
    model = BrickModel("stair", (base, *steps.bricks, Brick("11477", 4, np.eye(4))))
    assert overlaps(model) == []
    assert _groups(model) == [[0, 1, 2, 3, 4]]
    without = BrickModel("roof", (*steps.bricks[::2], model.bricks[-1]))
    assert _groups(without) == [[0, 1, 2]]
