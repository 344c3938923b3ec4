"""DRAEM's networks and losses against anomalib's and scikit-image's, its simulated anomalies by their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flow_reference import wave
from torch import nn

from paad.detectors.draem import (
    Draem,
    DraemConfig,
    DraemNet,
    anomaly_mask,
    focal_loss,
    simulated,
    spoil,
    structural_similarity,
)
from paad.detectors.draem_nets import Comparer, Repairer
from paad.errors import UsageError


def _filled(net: nn.Module) -> nn.Module:
    """Tensor number k: sin(0.7 i + k), times sqrt(2 / fan-in) for convolutions, times 0.3 for vectors, which get 1
    more where they are scales or variances."""
    with torch.no_grad():
        named = [(name, values) for name, values in net.state_dict().items() if values.is_floating_point()]
        for k, (name, values) in enumerate(named):
            waves = torch.sin(0.7 * torch.arange(values.numel()) + k)
            if values.ndim > 1:
                waves = waves * (2.0 / values[0].numel()) ** 0.5
            else:
                waves = 0.3 * waves + (1.0 if name.endswith(("weight", "var")) else 0.0)
            values.copy_(waves.reshape(values.shape))
    return net.eval()


@torch.no_grad()
def test_the_networks_are_anomalibs() -> None:
    """anomalib 2.7.0 (torch 2.14.1): ``ReconstructiveSubNetwork(base_width=4)`` and ``DiscriminativeSubNetwork(6, 2,
    4)``, filled as above, on a wave and on the wave with its mirror image."""
    photo = 0.5 + 0.5 * wave(1, 3, 32, 32, step=0.013)
    repaired = _filled(Repairer(4))(photo)
    expected = [-170208.203, -172901.875, -164656.672, -164261.563, -167111.609, -168968.625]
    np.testing.assert_allclose(repaired[0, 1, 10, 3:9], expected, rtol=1e-4)
    assert float(repaired.std()) == pytest.approx(368793.406, rel=1e-4)
    logits = _filled(Comparer(4))(torch.cat([photo.flip(3), photo], 1))
    expected = [3.403294, 3.274083, 3.330215, 3.320122, 3.307269, 3.282101]
    np.testing.assert_allclose(logits[0, 1, 10, 3:9], expected, rtol=1e-3)
    assert float(logits.std()) == pytest.approx(259449.078, rel=1e-3)


def test_the_losses_are_kornias() -> None:
    """``kornia.metrics.ssim(a, b, 11, padding="valid")`` and ``kornia.losses.focal_loss``, which anomalib 2.7.0 uses;
    the latter averages over both classes, of which one is zero, and so is half of ours."""
    first = 0.5 + 0.5 * wave(2, 3, 16, 16, step=0.031)
    second = 0.5 + 0.45 * wave(2, 3, 16, 16, step=0.0313)
    assert float(structural_similarity(first, second)) == pytest.approx(0.925267, abs=1e-5)
    logits, mask = wave(2, 2, 16, 16, step=0.17), (wave(2, 16, 16, step=0.11) > 0.3).float()
    for gamma, expected in ((1.0, 0.181404), (2.0, 0.095871), (4.0, 0.028380)):
        assert float(focal_loss(logits, mask, gamma)) == pytest.approx(2 * expected, abs=1e-5)


def test_similarity_is_scikit_images() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    first = rng.random((32, 40, 3)).astype(np.float32)
    second = np.clip(first + 0.2 * rng.normal(size=first.shape), 0, 1).astype(np.float32)
    _, full = metrics.structural_similarity(
        first, second, data_range=1.0, channel_axis=2, gaussian_weights=True, sigma=1.5, full=True,
        use_sample_covariance=False, truncate=3.4,
    )  # fmt: skip
    mine = structural_similarity(*(torch.from_numpy(a).permute(2, 0, 1)[None] for a in (first, second)))
    assert float(mine) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-5)


def test_focal_loss_by_hand() -> None:
    """Two pixels with p = 3/4 and p = 1/4 for the true class: ((1/4)^2 log 4/3 + (3/4)^2 log 4) / 2."""
    logits = torch.tensor([[0.0, 0.0], [np.log(3.0), np.log(3.0)]], dtype=torch.float32).reshape(1, 2, 1, 2)
    found = focal_loss(logits, torch.tensor([[[1.0, 0.0]]]))
    assert float(found) == pytest.approx((np.log(4 / 3) / 16 + 9 / 16 * np.log(4)) / 2, rel=1e-5)


def test_spoiled_pixels_by_hand() -> None:
    photo, texture = np.full((1, 2, 3), 0.2, np.float32), np.full((1, 2, 3), 1.0, np.float32)
    found = spoil(photo, np.array([[0.0, 1.0]], np.float32), texture, opacity=0.25)
    np.testing.assert_allclose(found[0, :, 0], [0.2, 0.4], rtol=1e-6)


def test_masks_are_binary_of_all_scales_and_rarely_empty() -> None:
    rng = np.random.default_rng(0)
    masks = [anomaly_mask(rng, 64, 6) for _ in range(60)]
    assert all(set(np.unique(m)) <= {0.0, 1.0} for m in masks)
    shares = np.array([m.mean() for m in masks])
    assert (shares > 0).mean() > 0.6
    assert 0.02 < shares.mean() < 0.3
    edges = np.array([np.abs(np.diff(m, axis=1)).mean() for m in masks])
    assert edges.max() > 10 * edges[edges > 0].min()


def test_only_masked_pixels_are_spoiled_and_only_in_their_share_of_photos() -> None:
    rng = np.random.default_rng(1)
    photo = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    made = [simulated(photo, rng, DraemConfig(turned=0.0)) for _ in range(80)]
    for good, spoiled, mask in made:
        np.testing.assert_array_equal(good, photo)
        np.testing.assert_allclose(spoiled[mask == 0], good[mask == 0], atol=1e-6)
    untouched = np.mean([np.array_equal(spoiled, good) for good, spoiled, _ in made])
    assert 0.4 < untouched < 0.85  # a half, and empty masks
    turned = [simulated(photo, rng, DraemConfig(turned=1.0, spoiled=0.0)) for _ in range(3)]
    assert all(not np.array_equal(good, photo) and np.array_equal(good, spoiled) for good, spoiled, _ in turned)


def test_a_score_is_the_smoothed_maps_maximum() -> None:
    net = DraemNet(DraemConfig(size=32, repair_width=2, compare_width=2, score_window=3)).eval()
    logits = torch.zeros(1, 2, 32, 32)
    logits[0, 1] = -20.0
    logits[0, 1, 10:13, 10:13] = 20.0
    net.both = lambda images: (images, logits)  # type: ignore[method-assign]
    maps, scores = net(torch.zeros(1, 3, 32, 32))
    assert float(scores) == pytest.approx(1.0, abs=1e-5)
    assert float(maps.sum()) == pytest.approx(9.0, abs=1e-4)


@pytest.mark.parametrize("options", [{"size": 100}, {"score_window": 4}])
def test_settings_that_do_not_go_together(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="multiple of 32"):
        Draem(device="cpu", **options).build(None)
