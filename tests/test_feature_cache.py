"""Kept features are those of the network, and the folder stays below its limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from paad.backbones import load_backbone
from paad.backbones.cache import FeatureCache, computed, key_of
from paad.errors import UsageError

LAYERS = ("layer1", "layer2")


def photos(seed: int, count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_the_second_call_reads_what_the_first_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = load_backbone("bricknet", LAYERS, weights="random")
    cache = FeatureCache(tmp_path / "kept")
    first = cache.features(net, photos(0), batch=2)
    expected = net(photos(0))
    monkeypatch.setattr(net, "forward", lambda images: pytest.fail("computed again"))
    second = cache.features(net, photos(0))
    for layer in LAYERS:
        assert torch.equal(first[layer], second[layer])
        torch.testing.assert_close(first[layer], expected[layer])


def test_whatever_changes_the_features_changes_the_key() -> None:
    nets = [load_backbone("bricknet", LAYERS, weights="random", seed=s) for s in (0, 1)]
    nets.append(load_backbone("bricknet", LAYERS[:1], weights="random"))
    keys = {key_of(net, photos(seed)) for net in nets for seed in (0, 1)}
    assert len(keys) == 6
    assert key_of(nets[0], photos(0)) != key_of(nets[0], photos(0).reshape(3, 3, 16, 64))


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    net = load_backbone("bricknet", LAYERS, weights="random")
    size = sum(v.numel() * 4 for v in computed(net, photos(0)).values())
    cache = FeatureCache(tmp_path, limit_mb=2.5 * (size + 4096) / 1e6)
    for seed, age in ((0, 100), (1, 200)):
        cache.features(net, photos(seed))
        os.utime(tmp_path / f"{key_of(net, photos(seed))}.safetensors", (age, age))
    cache.features(net, photos(0))  # used: now the younger one
    cache.features(net, photos(2))
    assert {f.stem for f in tmp_path.iterdir()} == {key_of(net, photos(s)) for s in (0, 2)}
    cache.features(net, photos(3, count=9))  # too large to be kept
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_file_is_computed_anew(tmp_path: Path) -> None:
    net = load_backbone("bricknet", LAYERS, weights="random")
    cache = FeatureCache(tmp_path)
    first = cache.features(net, photos(0))
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(cache.features(net, photos(0))["layer2"], first["layer2"])


def test_what_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="trainable"):
        FeatureCache(tmp_path).features(load_backbone("bricknet", LAYERS, "random", trainable=True), photos(0))
    with pytest.raises(UsageError, match="limit_mb is 0"):
        FeatureCache(tmp_path, limit_mb=0)
