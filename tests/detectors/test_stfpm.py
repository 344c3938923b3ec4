"""STFPM against anomalib on the same features; its loss by hand; which epoch is kept."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flow_reference import wave

from paad.detectors.stfpm import Stfpm, anomaly_map, feature_distance, pyramid_loss
from paad.errors import UsageError


def test_equals_anomalib() -> None:
    """anomalib 2.7.0 (torch 2.14.1): ``STFPMLoss()`` and ``AnomalyMapGenerator()`` at (12, 12) on these features.

    Its loss is a sum over positions, divided by their number and not by that of the photos: 2 photos, twice ours.
    """
    teacher = [wave(2, 4, 6, 6, step=0.37), wave(2, 6, 3, 3, step=0.53)]
    student = [wave(2, 4, 6, 6, step=0.41), wave(2, 6, 3, 3, step=0.61)]
    assert 2 * float(pyramid_loss(teacher, student)) == pytest.approx(3.983565, abs=1e-5)
    maps = anomaly_map(teacher, student, 12)
    np.testing.assert_allclose(maps[0, 4, 3:9], [1.326121, 1.362067, 1.383445, 1.389712, 1.382516, 1.361439], atol=1e-5)
    assert float(maps.sum()) == pytest.approx(285.207275, abs=1e-3)


def test_distance_by_hand() -> None:
    """Equal directions: 0, whatever their length; right angles: 1; opposite: 2."""
    teacher = torch.tensor([[3.0, 0.0], [2.0, 0.0], [5.0, 0.0]]).T.reshape(1, 2, 1, 3)
    student = torch.tensor([[0.1, 0.0], [0.0, 7.0], [-1.0, 0.0]]).T.reshape(1, 2, 1, 3)
    np.testing.assert_allclose(feature_distance(teacher, student)[0, 0], [0.0, 1.0, 2.0], atol=1e-6)


def _photos(count: int) -> list[SimpleNamespace]:
    rng = np.random.default_rng(0)
    return [SimpleNamespace(image=rng.integers(0, 255, (48, 48, 3)).astype(np.uint8)) for _ in range(count)]


def test_the_student_learns() -> None:
    """After training, photos that it saw are nearer to the teacher than with an untrained student."""
    options = {"weights": "random", "size": 48, "layers": ("layer1",), "device": "cpu"}
    photos = _photos(2)
    before, after = (Stfpm(epochs=epochs, **options).fit(photos).predict(photos[0].image) for epochs in (0, 8))
    assert after.map.mean() < 0.7 * before.map.mean()


def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that ruins the student in the last epoch does not reach the fitted one."""
    import paad.detectors.stfpm as module

    options = {"weights": "random", "size": 48, "layers": ("layer1",), "device": "cpu", "hold_out": 0.25, "batch": 3}
    photos = _photos(4)
    good = Stfpm(epochs=2, **options).fit(photos).predict(photos[0].image)
    steps = []

    def spoiling(optimizer: torch.optim.Optimizer, loss: torch.Tensor, name: str) -> None:
        steps.append(1)
        descend(optimizer, loss, name)
        if len(steps) == 3:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.data.mul_(-3.0)

    descend = module.descend
    monkeypatch.setattr(module, "descend", spoiling)
    kept = Stfpm(epochs=3, **options).fit(photos).predict(photos[0].image)
    assert len(steps) == 3
    np.testing.assert_allclose(kept.map, good.map, rtol=1e-5)


def test_a_whole_share_held_out_is_refused() -> None:
    with pytest.raises(UsageError, match="hold_out"):
        Stfpm(device="cpu", hold_out=1.0).build("random")
