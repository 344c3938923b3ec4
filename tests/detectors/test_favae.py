"""FAVAE: its divergence, its error map and its alignment of features by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paad.detectors.favae import Favae, kl_divergence
from paad.detectors.network import repeatable
from paad.errors import UsageError

OPTIONS: dict[str, Any] = {
    "weights": "random", "layers": ("layer1", "layer2", "layer3"), "size": 48, "width": 4, "latent": 6, "blur_px": 0.0
}  # fmt: skip


def _untrained(**options: Any) -> tuple[Favae, Any]:
    detector = Favae(device="cpu", **{**OPTIONS, **options})
    with repeatable(0):
        return detector, detector.build("random")


def _images(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def test_divergence_by_hand() -> None:
    """Means 0 and 2, variances 1 and 1/e: (0 + 4 + (1/e - 1 + 1)) / 2; and torch's own."""
    mean, log_var = torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, -1.0]])
    assert kl_divergence(mean, log_var).item() == pytest.approx((4.0 + np.exp(-1.0)) / 2, rel=1e-6)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, (0.5 * log_var).exp()), normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_divergence(mean, log_var), expected)


@torch.no_grad()
def test_decoded_features_have_the_teachers_shape() -> None:
    _, net = _untrained()
    found = net.backbone(_images())
    picture, decoded = net.decode(net.encode(_images())[0])
    assert picture.shape == (2, 3, 48, 48)
    assert [x.shape for x in decoded] == [found[name].shape for name in OPTIONS["layers"]]


@torch.no_grad()
def test_error_map_by_hand() -> None:
    """A decoder that always paints 0.5 and features of 2: photo error 3 * 0.25, feature error C * (2 - 5)^2."""
    _, net = _untrained(layers=("layer2",))
    net.picture[0].weight.zero_()
    net.picture[0].bias.zero_()
    net.adapters[0][2].weight.zero_()
    net.adapters[0][2].bias.fill_(2.0)
    channels = net.backbone.channels["layer2"]
    found = net.error_map(torch.zeros(1, 3, 48, 48), [torch.full((1, channels, 6, 6), 5.0)])
    torch.testing.assert_close(found, torch.full((1, 48, 48), 0.75 + 9.0 * channels))


@torch.no_grad()
def test_map_and_score_stand_on_the_error_map() -> None:
    _, net = _untrained()
    images = _images()
    features = net.backbone(images)
    expected = net.error_map(images, [features[name] for name in OPTIONS["layers"]])
    maps, scores = net(images)
    torch.testing.assert_close(maps, expected)
    torch.testing.assert_close(scores, expected.flatten(1).max(1).values)


def test_loss_is_the_sum_of_its_parts() -> None:
    """With a latent variance near 0 nothing is random, and the loss is the error map's sum plus the divergence."""
    detector, net = _untrained(layers=("layer1",), kl_weight=0.5)
    convolution = net.encoder[-2]
    with torch.no_grad():
        convolution.bias[6:] -= 60.0
    images = _images()
    target = [net.backbone(images)["layer1"]]
    picture, decoded = net.decode(net.encode(images)[0])
    parts = (picture - images).square().sum() + (decoded[0] - target[0]).square().sum()
    expected = parts / 2 + 0.5 * kl_divergence(*net.encode(images)).mean()
    torch.testing.assert_close(detector.loss(net, images, target), expected)


def test_standardized_features() -> None:
    detector, net = _untrained(epochs=0)
    detector.train(net, _images(6), None)
    found = net.backbone(_images(6))
    for x in net.standardized([found[name] for name in OPTIONS["layers"]]):
        np.testing.assert_allclose(x.mean((0, 2, 3)), 0.0, atol=1e-4)
        deviation = x.std((0, 2, 3), correction=0)
        assert deviation.max() < 1.01
        assert deviation.median() == pytest.approx(1.0, abs=0.01)


def test_sizes_and_layers_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="size is 50"):
        Favae(device="cpu", **{**OPTIONS, "size": 50}).build("random")
    with pytest.raises(UsageError, match="strides"):
        Favae(device="cpu", **{**OPTIONS, "layers": ("layer4",)}).build("random")


def test_the_public_settings() -> None:
    paper = Favae.presets["paper"]
    assert (paper.size, paper.width, paper.latent, paper.kl_weight, paper.blur_px) == (128, 128, 100, 1.0, 4.0)
    assert (paper.epochs, paper.batch, paper.lr, paper.weight_decay, paper.standardize) == (100, 64, 5e-3, 1e-5, False)
