"""Sparse splits: published for MAD's rig, one rule for everything else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paad.bench import views
from paad.errors import UsageError
from paad.geometry.conventions import cam_from_world_of_opengl, opengl_of_cam_from_world
from paad.geometry.se3 import look_at


def _rig() -> np.ndarray:  # type: ignore[type-arg]
    """The 210 training cameras of MAD-Sim: 14 elevations by 15 azimuths, elevation-major."""
    elevations = np.linspace(-85.0, 85.0, 14)
    azimuths = np.linspace(120.0, 440.0, 15)
    poses = []
    for e in np.radians(elevations):
        for a in np.radians(azimuths):
            eye = 3.5 * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
            poses.append(look_at(eye, [0.0, 0.0, 0.0]))
    return np.stack(poses)


def test_the_published_lists_follow_the_rule() -> None:
    splits, rig = views.published_splits(), _rig()
    assert [len(splits[name]) for name in ("100%", "80%", "60%", "40%", "20%", "10%", "4-shot")] == [
        210, 168, 126, 84, 42, 21, 4,
    ]  # fmt: skip
    for views_asked in (*views.SHARES, views.SHOTS):
        assert views.choose_views(views_asked, 210, rig) == splits[views.split_name(views_asked)]


def test_splits_do_not_depend_on_scale_or_on_the_last_digits_of_the_poses() -> None:
    rig = _rig()
    written = json.loads(json.dumps([opengl_of_cam_from_world(p).round(7).tolist() for p in rig]))
    read = np.stack([cam_from_world_of_opengl(np.array(p)) for p in written])
    read[:, :3, 3] *= 2.0
    for name, share in (("20%", 0.2), ("4-shot", 4)):
        assert views.choose_views(share, 210, read) == views.published_splits()[name]


def test_splits_are_nested_and_spread() -> None:
    order = views.farthest_point_order(views.viewing_directions(_rig()))
    assert sorted(order) == list(range(210))
    directions = views.viewing_directions(_rig())
    four = directions[order[:4]]
    cosine = four @ four.T - 2 * np.eye(4)
    assert np.degrees(np.arccos(cosine.max())) > 60
    assert views.farthest_point_order(directions, seed=3) != order
    assert views.farthest_point_order(np.zeros((0, 3))) == []


def test_without_poses_the_list_is_evenly_spaced() -> None:
    assert views.choose_views(4, 8, None) == [1, 3, 5, 7]
    assert views.choose_views(0.5, 5, None) == [0, 2, 4]
    assert views.choose_views(1.0, 5, None) == [0, 1, 2, 3, 4]
    assert views.choose_views(9, 5, None) == [0, 1, 2, 3, 4]


def test_names_and_counts() -> None:
    assert [views.split_name(v) for v in (1.0, 0.2, 0.125, 4)] == ["100%", "20%", "12.5%", "4-shot"]
    with pytest.raises(UsageError, match="share in"):
        views.count_of(-1.0, 10)
