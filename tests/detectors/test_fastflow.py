"""FastFlow against anomalib on the same weights, and the coupling steps against automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flow_reference import fill_flow, jacobian_log_det, wave
from torch import nn

from paad.detectors.fastflow import FastFlow, FastFlowConfig, anomaly_map, conv_subnet, flow_loss
from paad.detectors.flows import coupling_flow
from paad.detectors.network import repeatable


def test_equals_anomalib() -> None:
    """anomalib 2.7.0 (torch 2.14.1) gave the numbers with ``fill_flow`` and ``wave`` of ``flow_reference``:

    ``create_fast_flow_block([6, 4, 4], conv3x3_only=False, hidden_ratio=1.0, flow_steps=4)`` on
    ``wave(2, 6, 4, 4, step=0.37)``, ``create_fast_flow_block([4, 2, 2], True, 0.5, 3)`` on
    ``wave(2, 4, 2, 2, step=0.53)``; their ``FastflowLoss()`` and ``AnomalyMapGenerator((8, 8))`` (ours is 1 more).
    """
    first = coupling_flow((6, 4, 4), [conv_subnet(k, 1.0) for k in (3, 1, 3, 1)], 2.0)
    second = coupling_flow((4, 2, 2), [conv_subnet(3, 0.5)] * 3, 2.0)
    z1, d1 = fill_flow(first)(wave(2, 6, 4, 4, step=0.37))
    z2, d2 = fill_flow(second)(wave(2, 4, 2, 2, step=0.53))
    np.testing.assert_allclose(d1.detach(), [2.849752, -1.213612], atol=1e-5)
    np.testing.assert_allclose(d2.detach(), [-0.116579, -0.000677], atol=1e-5)
    assert flow_loss([z1, z2], [d1, d2]).item() == pytest.approx(27.270306, abs=1e-4)
    found = anomaly_map([z1, z2], 8).detach()
    expected = [-0.789103, -0.781686, -0.764581, -0.758056, -0.764382, -0.772248, -0.783926, -0.790900]
    np.testing.assert_allclose(found[0, 3], np.add(expected, 1.0), atol=1e-5)
    assert (found - 1.0).sum().item() == pytest.approx(-99.895950, abs=1e-3)


@pytest.mark.parametrize("kernel", [1, 3])
def test_log_determinant_is_the_jacobians(kernel: int) -> None:
    with repeatable(3):
        flow = coupling_flow((4, 3, 3), [conv_subnet(kernel, 1.0)] * 3, 2.0)
        x = torch.randn(1, 4, 3, 3)
    assert flow(x)[1].item() == pytest.approx(jacobian_log_det(flow, x), abs=1e-4)


def test_a_flow_can_be_inverted() -> None:
    with repeatable(0):
        flow = coupling_flow((4, 3, 3), [conv_subnet(3, 1.0)] * 4, 2.0)
        x = torch.randn(2, 4, 3, 3)
    np.testing.assert_allclose(flow(flow(x)[0], rev=True)[0].detach(), x, atol=1e-4)


def test_map_by_hand() -> None:
    """|z|^2 / C = 4 in one map, 0 in the other: (1 - exp(-2)) / 2."""
    found = anomaly_map([torch.full((1, 3, 2, 2), 2.0), torch.zeros(1, 5, 1, 1)], 4)
    np.testing.assert_allclose(found, np.full((1, 4, 4), (1 - np.exp(-2.0)) / 2), rtol=1e-6)


def test_kernels_alternate() -> None:
    def kernels(**options: object) -> list[int]:
        detector = FastFlow(device="cpu", weights="random", size=32, layers=("layer2",), steps=4, **options)
        with repeatable(0):
            flow = detector.build("random").flows[0]
        convs = [m for m in flow.modules() if isinstance(m, nn.Conv2d)]
        return [conv.kernel_size[0] for conv in convs[::2]]

    assert kernels() == [3, 1, 3, 1]
    assert kernels(only_3x3=True) == [3, 3, 3, 3]


def test_the_papers_settings() -> None:
    paper = FastFlow.presets["paper"]
    assert paper == FastFlowConfig(
        "paper", backbone="wide_resnet50_2", size=256, epochs=500, batch=32, trained_norm=True
    )
    assert (paper.steps, paper.lr, paper.weight_decay, paper.clamp) == (8, 1e-3, 1e-5, 2.0)
