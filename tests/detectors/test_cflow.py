"""CFlow against anomalib on the same weights; its position code, determinant and learning rate by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flow_reference import fill_flow, jacobian_log_det, wave
from torch import Tensor
from torch.nn import functional as F

from paad.detectors.cflow import (
    CFlow,
    CFlowConfig,
    anomaly_map,
    learning_rate,
    linear_subnet,
    log_likelihood,
    position_code,
)
from paad.detectors.flows import coupling_flow
from paad.detectors.network import repeatable
from paad.errors import UsageError


def _likelihoods(channels: int, couplings: int, side: int) -> Tensor:
    decoder = fill_flow(coupling_flow((channels,), [linear_subnet] * couplings, 1.9, condition=8))
    code = position_code(8, side, side).reshape(8, -1).T.repeat(2, 1)
    return log_likelihood(*decoder(wave(2 * side * side, channels, step=0.41), [code])).detach()


def test_equals_anomalib() -> None:
    """anomalib 2.7.0 (torch 2.14.1) gave the numbers with ``fill_flow`` and ``wave`` of ``flow_reference``:

    ``cflow_head(8, 3, 1.9, 6)`` on ``wave(32, 6, step=0.41)`` and ``cflow_head(8, 2, 1.9, 4)`` on
    ``wave(8, 4, step=0.41)``, each with ``positional_encoding_2d(8, side, side)`` of two maps; ``get_logp / C``,
    the mean of ``-logsigmoid`` of it, and ``AnomalyMapGenerator`` at (8, 8), whose zero is the smallest value.
    """
    first, second = _likelihoods(6, 3, 4), _likelihoods(4, 2, 2)
    np.testing.assert_allclose(first[:4], [-1.273659, -1.044636, -1.261553, -1.149883], atol=1e-5)
    np.testing.assert_allclose(second[:4], [-1.347125, -1.356798, -1.027051, -1.141400], atol=1e-5)
    assert -F.logsigmoid(first).mean().item() == pytest.approx(1.461010, abs=1e-5)
    peaks = torch.stack([first.amax(), second.amax()])
    np.testing.assert_allclose(peaks, [-1.021879, -1.027051], atol=1e-5)
    maps = anomaly_map([first.reshape(2, 4, 4), second.reshape(2, 2, 2)], peaks, 8)
    maps = maps - maps.min()
    row = [0.248839, 0.259852, 0.270864, 0.238029, 0.183270, 0.163510, 0.213750, 0.263990]
    np.testing.assert_allclose(maps[0, 3], row, atol=1e-5)
    row = [0.138111, 0.118393, 0.098674, 0.116574, 0.153282, 0.178013, 0.178788, 0.179563]
    np.testing.assert_allclose(maps[1, 6], row, atol=1e-5)


def test_position_code_by_hand() -> None:
    """Half of the channels: sin x, cos x, sin x / 100, cos x / 100; the other half the same of y."""
    code = position_code(8, 3, 4)
    expected = [f(p / d) for p in (2, 1) for d in (1, 100) for f in (math.sin, math.cos)]
    np.testing.assert_allclose(code[:, 1, 2], expected, atol=1e-6)
    assert len(torch.unique(position_code(16, 9, 9).flatten(1).T, dim=0)) == 81
    with pytest.raises(UsageError, match="condition is 10"):
        position_code(10, 2, 2)


def test_log_determinant_is_the_jacobians() -> None:
    with repeatable(3):
        flow = coupling_flow((6,), [linear_subnet] * 3, 1.9, condition=4, soft_permutation=True)
        x, condition = torch.randn(1, 6), torch.randn(1, 4)
    assert flow(x, [condition])[1].item() == pytest.approx(jacobian_log_det(flow, x, condition), abs=1e-5)


def test_rotations_are_orthogonal() -> None:
    with repeatable(3):
        flow = coupling_flow((6,), [linear_subnet] * 2, 1.9, condition=4, soft_permutation=True)
        x, condition = torch.randn(3, 6), torch.randn(3, 4)
    for step in flow:
        torch.testing.assert_close(step.w_perm @ step.w_perm.T, torch.eye(6), atol=1e-6, rtol=0)
        assert (step.w_perm.abs() < 0.99).all()
    back = flow(flow(x, [condition])[0], [condition], rev=True)[0]
    torch.testing.assert_close(back, x, atol=1e-5, rtol=1e-5)


def test_the_condition_matters() -> None:
    with repeatable(3):
        flow = coupling_flow((6,), [linear_subnet] * 2, 1.9, condition=4)
        x = torch.randn(1, 6)
    assert not torch.allclose(flow(x, [torch.zeros(1, 4)])[0], flow(x, [torch.ones(1, 4)])[0])


def test_likelihood_is_the_normal_distributions() -> None:
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) / 3
    np.testing.assert_allclose(log_likelihood(z, torch.zeros(5)), expected, atol=1e-6)


def test_learning_rate_by_hand() -> None:
    """Up from a tenth to the cosine's value at the second epoch, then half a cosine down to a thousandth."""
    config = CFlowConfig(lr=1.0, meta_epochs=8)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
    second = 0.001 + 0.999 * (1 + math.cos(math.pi / 4)) / 2
    assert learning_rate(config, 1, 1.0) == pytest.approx(second)
    assert learning_rate(config, 0, 1.0) == pytest.approx((0.1 + second) / 2)
    assert learning_rate(config, 4, 0.7) == pytest.approx(0.001 + 0.999 / 2)


def test_training_makes_good_fibers_likelier() -> None:
    detector = CFlow(
        device="cpu",
        weights="random",
        layers=("layer2",),
        size=32,
        couplings=2,
        condition=8,
        meta_epochs=3,
        fibers=64,
        lr=1e-2,
    )
    image = np.kron(np.random.default_rng(0).integers(0, 255, (4, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    views = [SimpleNamespace(name="a", image=image)] * 4
    with repeatable(0):
        before = detector.build("random")
    net = detector.fit(views).net
    features = [net.backbone(torch.from_numpy(image / 255.0).float().permute(2, 0, 1)[None])["layer2"]]
    before.backbone = net.backbone
    with torch.no_grad():
        assert net.likelihoods(features)[0].mean() > before.likelihoods(features)[0].mean() + 0.1
        assert net.peaks[0].item() == pytest.approx(net.likelihoods(features)[0].max().item(), abs=1e-4)


def test_the_papers_settings() -> None:
    paper = CFlow.presets["paper"]
    assert (paper.backbone, paper.layers, paper.size) == ("wide_resnet50_2", ("layer2", "layer3", "layer4"), 256)
    assert (paper.couplings, paper.condition, paper.clamp, paper.soft_permutation) == (8, 128, 1.9, True)
    assert (paper.meta_epochs, paper.sub_epochs, paper.batch, paper.fibers, paper.lr) == (25, 8, 32, 256, 2e-4)
