"""CFA's loss and coordinates against anomalib's, its scores and centres by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flow_reference import wave

from paad.detectors.cfa import (
    Cfa,
    CfaConfig,
    CfaNet,
    anomaly_scores,
    hypersphere_loss,
    squared_distances,
    with_coordinates,
)


@pytest.mark.parametrize(("radius", "expected"), [(0.5, 212.588409), (1.0, 34.830009), (1.5, 392.966278)])
def test_the_loss_is_anomalibs(radius: float, expected: float) -> None:
    """``CfaLoss(3, 3, radius)`` of anomalib 2.7.0 on the squared distances of 40 points to 9 centres."""
    distances = (2 * wave(40, 9, step=0.29)).square().topk(6, largest=False).values
    found = hypersphere_loss(distances, torch.tensor(radius), nearest=3, nu=1e-3, margin=0.1)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_loss_by_hand() -> None:
    """Radius 1: 1.5 lies 0.5 outside, 0.5 inside; the negatives 0.7 and 2.0 should be beyond 1, with margin 0.1."""
    distances = torch.tensor([[0.5, 1.5, 0.7, 2.0]])
    radius = torch.tensor(1.0, requires_grad=True)
    found = hypersphere_loss(distances, radius, nearest=2, nu=0.5, margin=0.1)
    assert found.item() == pytest.approx((0.5 / 2 + 0.2 / 2) / 0.5)
    found.backward()  # -2 r / 2 from the attracted, 2 r / 2 from the repelled
    assert float(radius.grad) == pytest.approx(0.0, abs=1e-6)


def test_coordinates() -> None:
    """AddCoords of anomalib 2.7.0 gives the same planes, in the order y, x."""
    found = with_coordinates(torch.zeros(2, 1, 3, 4))
    np.testing.assert_allclose(found[1, 1, 2], [-1.0, -1 / 3, 1 / 3, 1.0], atol=1e-6)
    np.testing.assert_allclose(found[0, 2, :, 1], [-1.0, 0.0, 1.0])


def test_scores_by_hand() -> None:
    """Distances 1, 2, 3: the softmin's first share is 1 / (1 + e^-1 + e^-2)."""
    found = anomaly_scores(torch.tensor([1.0, 2.0, 3.0]))
    assert float(found) == pytest.approx(1 / (1 + np.exp(-1) + np.exp(-2)), rel=1e-6)


def _net(**options: object) -> CfaNet:
    backbone = SimpleNamespace(channels={"layer2": 4}, strides={"layer2": 8})
    net = CfaNet(CfaConfig(layers=("layer2",), size=24, **options), _Fake(backbone))
    net.centres = wave(9, net.centres.shape[1], step=0.71)
    return net


class _Fake(torch.nn.Module):
    def __init__(self, facts: SimpleNamespace) -> None:
        super().__init__()
        self.channels, self.strides = facts.channels, facts.strides


def test_chosen_distances_have_the_gradients_of_all_distances() -> None:
    net = _net()
    points = wave(5, 4, step=0.37).requires_grad_()
    quick = net.to_nearest(points, 4)
    plain = squared_distances(points, net.centres).topk(4, largest=False).values
    np.testing.assert_allclose(quick.detach(), plain.detach(), atol=1e-5)
    weights = wave(5, 4, step=0.9)
    first, second = (torch.autograd.grad((d * weights).sum(), points)[0] for d in (quick, plain))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_the_descriptor_can_be_narrower() -> None:
    assert _net(width_divisor=2).centres.shape == (9, 2)


def test_centres_are_the_average_descriptors_of_good_photos() -> None:
    """The seed gives the untrained descriptor, and the centres of two photos are the mean of those of each."""
    rng = np.random.default_rng(0)
    photos = [SimpleNamespace(image=rng.integers(0, 255, (48, 48, 3)).astype(np.uint8)) for _ in range(3)]
    options = {"device": "cpu", "weights": "random", "size": 48, "epochs": 0, "batch": 2}
    both, *each = (Cfa(**options).fit(part).fitted().centres for part in (photos, *([p] for p in photos)))
    np.testing.assert_allclose(both, torch.stack(each).mean(0), atol=1e-5)


def test_training_draws_good_descriptors_to_the_centres() -> None:
    rng = np.random.default_rng(0)
    photos = [SimpleNamespace(image=rng.integers(0, 255, (48, 48, 3)).astype(np.uint8)) for _ in range(3)]
    options = {"device": "cpu", "weights": "random", "size": 48, "layers": ("layer2",), "blur": 1.0, "lr": 2e-4}
    before, after = (Cfa(epochs=epochs, **options).fit(photos).predict(photos[0].image) for epochs in (0, 60))
    assert after.map.mean() < 0.9 * before.map.mean()
