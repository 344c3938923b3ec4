"""PatchCore against anomalib on the same features; the search and the coreset against their plain twins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flow_reference import wave

from paad.detectors.maps import enlarge
from paad.detectors.neighbours import Bank, greedy_coreset, greedy_coreset_plain, nearest_plain, projected
from paad.detectors.patchcore import PatchCore, PatchCoreConfig, PatchCoreNet, descriptors, reweighted
from paad.errors import UsageError


def _patches() -> torch.Tensor:
    found = descriptors([wave(2, 5, 6, 6, step=0.37), wave(2, 7, 3, 3, step=0.53)], patch=3, dimensions=0)
    return found.permute(0, 2, 3, 1).flatten(0, 2)


def test_equals_anomalib() -> None:
    """anomalib 2.7.0 (torch 2.14.1) gave the numbers.

    ``PatchcoreModel(layers=["layer2", "layer3"], backbone="resnet18", pre_trained=False, num_neighbors=4)``, its
    ``feature_pooler`` and ``generate_embedding`` on the two waves of ``_patches``, ``memory_bank = wave(20, 12,
    step=0.71)``, then ``nearest_neighbors(..., 1)``, ``compute_anomaly_score``, and the blur of its
    ``anomaly_map_generator`` after bilinear enlarging to 48 x 48 (its own is to the nearest pixel).
    """
    patches, bank = _patches(), wave(20, 12, step=0.71)
    expected = [-0.007084, 0.040120, 0.065596, 0.055545, 0.015414, -0.189930,
                0.192727, 0.212124, -0.168300, -0.231505, 0.141640, 0.247816]  # fmt: skip
    np.testing.assert_allclose(patches[36 + 2 * 6 + 3], expected, atol=2e-6)
    squares, index = Bank.of(bank.numpy()).nearest(patches.numpy())
    distances = np.sqrt(squares)
    np.testing.assert_allclose(distances[:5], [2.209261, 2.138188, 2.156401, 2.170723, 2.173850], atol=1e-5)
    assert index[:8].tolist() == [15, 15, 1, 1, 18, 18, 8, 8]
    assert distances.sum() == pytest.approx(161.827744, abs=1e-3)
    worst = distances.reshape(2, 36).argmax(1) + np.array([0, 36])
    found = reweighted(
        patches[worst], torch.from_numpy(distances[worst]), torch.from_numpy(index[worst]), bank, count=4
    )
    np.testing.assert_allclose(found, [1.821322, 1.823952], atol=1e-5)
    maps = enlarge(torch.from_numpy(distances).reshape(2, 6, 6), 48, 4.0)
    np.testing.assert_allclose(
        maps[0, 20, 10:16], [2.328563, 2.328564, 2.328877, 2.329497, 2.330390, 2.331496], atol=1e-5
    )


def test_the_coresets_order_is_anomalibs() -> None:
    """``KCenterGreedy(embedding, 0.2).select_coreset_idxs()`` of anomalib 2.7.0 without its projection, begun at 17."""
    points = (wave(60, 6, step=0.83) + 0.3 * wave(60, 6, step=1.7)).numpy()
    expected = [17, 14, 49, 42, 16, 5, 56, 31, 28, 59, 39, 24]
    assert greedy_coreset(points, 12, 17).tolist() == expected
    assert greedy_coreset_plain(points, 12, 17).tolist() == expected


def test_coreset_by_hand() -> None:
    """On a line: from 0 the farthest is 10, then the middle 4 (4 from 0, 6 from 10), then 7 (3 from 4 and 10)."""
    points = np.array([[0.0], [1.0], [4.0], [7.0], [10.0]], np.float32)
    assert greedy_coreset(points, 5, 0).tolist() == [0, 4, 2, 3, 1]


@pytest.mark.parametrize(("count", "length"), [(300, 3), (500, 40)])
def test_the_coreset_is_its_plain_twins(count: int, length: int) -> None:
    rng = np.random.default_rng(count)
    centres = rng.normal(size=(12, length))
    points = (centres[rng.integers(0, 12, count)] + 0.2 * rng.normal(size=(count, length))).astype(np.float32)
    assert greedy_coreset(points, 60, 7).tolist() == greedy_coreset_plain(points, 60, 7).tolist()


def test_a_coreset_of_equal_points_takes_each_once() -> None:
    assert sorted(greedy_coreset(np.ones((5, 3), np.float32), 5, 2).tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("queries", "points"), [(1, 1), (5, 513), (2050, 700)])
def test_the_search_is_its_plain_twins(queries: int, points: int) -> None:
    rng = np.random.default_rng(queries)
    asked, known = (rng.normal(size=(n, 24)).astype(np.float32) for n in (queries, points))
    squares, index = Bank.of(known).nearest(asked)
    expected, where = nearest_plain(asked, known)
    assert index.tolist() == where.tolist()
    np.testing.assert_allclose(squares, expected, rtol=1e-4, atol=1e-4)


def test_a_projection_about_keeps_distances() -> None:
    points = np.random.default_rng(0).normal(size=(50, 600)).astype(np.float32)
    small = projected(points, 128, seed=1)
    assert small.shape == (50, 128)
    ratio = np.linalg.norm(small[1:] - small[0], axis=1) / np.linalg.norm(points[1:] - points[0], axis=1)
    assert ratio.min() > 0.75
    assert ratio.max() < 1.25
    assert projected(points, 600, seed=1) is points


def test_descriptors_by_hand() -> None:
    """A single one in a 3 x 3 map: its average over 3 x 3 with zeros outside is 1/9 at all positions; pairs of channels
    are averaged to half as many."""
    one = torch.zeros(1, 4, 3, 3)
    one[0, 1:3, 1, 1] = 1.0
    found = descriptors([one], patch=3, dimensions=2)
    np.testing.assert_allclose(found, np.full((1, 2, 3, 3), 0.5 / 9), rtol=1e-6)


def test_weight_by_hand() -> None:
    """Bank 0, 1, 2 on a line, patch at 4: distances 4, 3, 2; the weight is 1 - e^2 / (e^2 + e^3 + e^4)."""
    bank = torch.tensor([[0.0], [1.0], [2.0]])
    found = reweighted(torch.tensor([[4.0]]), torch.tensor([2.0]), torch.tensor([2]), bank, count=3)
    assert float(found) == pytest.approx(2.0 * (1 - 1 / (1 + np.e + np.e**2)), rel=1e-6)
    alone = reweighted(torch.tensor([[4.0]]), torch.tensor([2.0]), torch.tensor([0]), bank[2:], count=3)
    assert float(alone) == 2.0


def test_both_searches_agree() -> None:
    net = PatchCoreNet(PatchCoreConfig(), torch.nn.Identity())
    net.bank = wave(40, 12, step=0.71)
    fast = net.search(_patches())
    net.fast = False
    plain = net.search(_patches())
    assert torch.equal(fast[1], plain[1])
    np.testing.assert_allclose(fast[0], plain[0], atol=1e-4)


def test_outside_the_crop_the_map_is_lowest() -> None:
    rng = np.random.default_rng(0)
    photos = [type("V", (), {"image": rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)})() for _ in range(2)]
    detector = PatchCore(device="cpu", weights="random", size=64, crop=48, blur=1.0).fit(photos)
    assert len(detector.fitted().bank) == 18
    found = detector.predict(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)).map
    assert (found[:8] == found.min()).all()
    assert (found[:, 56:] == found.min()).all()
    assert found[8:56, 8:56].max() > found.min()


@pytest.mark.parametrize("options", [{"crop": 200}, {"coreset": 0.0}, {"patch": 2}, {"blur": 40.0}])
def test_settings_that_do_not_go_together(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must be in 1 to size"):
        PatchCore(device="cpu", weights="random", **options).build("random")
