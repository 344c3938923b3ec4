"""What holds for each detector that trains a network: repeatable, saved, exported, and clear about bad input."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import paad
from paad.detectors import method_class
from paad.detectors.imagery import training_photo
from paad.detectors.network import gaussian_blur
from paad.errors import DataError, UsageError

RANDOM = {"weights": "random", "layers": ("layer1", "layer2", "layer3")}
TINY: dict[str, dict[str, Any]] = {
    "patchcore": {**RANDOM, "size": 48, "crop": 48, "blur": 1.0},
    "stfpm": {"weights": "random", "layers": ("layer1",), "size": 48, "epochs": 2},
    "cfa": {**RANDOM, "size": 48, "epochs": 2, "blur": 1.0},
    "cutpaste": {"weights": "random", "size": 48, "layer": "layer1", "steps": 2, "frozen_steps": 1, "blur": 1.0},
    "draem": {"size": 64, "repair_width": 2, "compare_width": 2, "epochs": 2, "score_window": 3},
    "fastflow": {**RANDOM, "size": 48, "steps": 2, "epochs": 2},
    "cflow": {**RANDOM, "size": 48, "couplings": 2, "condition": 8, "meta_epochs": 1, "sub_epochs": 1},
    "favae": {**RANDOM, "size": 48, "width": 4, "latent": 8, "epochs": 2, "blur_px": 1.0},
    "ocr-gan": {"size": 32, "width": 4, "latent": 8, "epochs": 2},
    "uniad": {**RANDOM, "size": 64, "hidden": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 2,
              "feedforward": 16, "neighbours": 3, "epochs": 2},
}  # fmt: skip
NAMES = list(TINY)
WITH_BACKBONE = [name for name in NAMES if name not in ("ocr-gan", "draem")]


def _views(count: int = 3, side: int = 40, seed: int = 0) -> list[SimpleNamespace]:
    rng = np.random.default_rng(seed)
    return [SimpleNamespace(name=f"{i}.png", image=_blobs(rng, side)) for i in range(count)]


def _blobs(rng: np.random.Generator, side: int) -> np.ndarray:
    coarse = rng.integers(0, 255, (4, 4, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((side // 4, side // 4, 1), np.uint8))


def _fitted(name: str, views: list[SimpleNamespace], **options: Any) -> Any:
    return paad.create(name, device="cpu", **{**TINY[name], **options}).fit(views)


@pytest.fixture(scope="module")
def detectors() -> dict[str, Any]:
    return {name: _fitted(name, _views()) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_predicts_at_the_photos_size(detectors: dict[str, Any], name: str) -> None:
    photo = np.random.default_rng(5).integers(0, 255, (30, 50, 4)).astype(np.uint8)
    result = detectors[name].predict(photo)
    assert result.map.shape == (30, 50)
    assert result.map.dtype == np.float32
    assert np.isfinite(result.map).all()
    assert np.isfinite(result.score)
    assert result.status is None
    assert set(result.seconds) == {"score", "total"}


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(detectors: dict[str, Any], name: str) -> None:
    photo = _views(seed=3)[0].image
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again, other = (_fitted(name, _views(), seed=seed).predict(photo) for seed in (0, 1))
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    first = detectors[name].predict(photo)
    assert first.score == again.score
    np.testing.assert_array_equal(first.map, again.map)
    assert first.score != other.score


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_one_predicts_the_same(detectors: dict[str, Any], name: str, tmp_path: Path) -> None:
    photo = _views(seed=3)[0].image
    loaded = paad.load(detectors[name].save(tmp_path / "model.paad"), device="cpu")
    assert loaded.config == detectors[name].config
    expected, found = detectors[name].predict(photo), loaded.predict(photo)
    assert found.score == expected.score
    np.testing.assert_array_equal(found.map, expected.map)


@pytest.mark.parametrize("name", NAMES)
def test_onnx_gives_the_same(detectors: dict[str, Any], name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    module, example, inputs, outputs = detectors[name].onnx_module()
    file = tmp_path / "net.onnx"
    with warnings.catch_warnings():  # the exporter warns of itself and of sizes that it takes for constant
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (example,), file, input_names=inputs, output_names=outputs, dynamo=False)
    images = torch.rand(example.shape, generator=torch.Generator().manual_seed(1))
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = session.run(outputs, {inputs[0]: images.numpy()})
    for mine, theirs in zip(module(images), found, strict=True):
        np.testing.assert_allclose(theirs, mine.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_photos_of_several_sizes_and_only_one(name: str) -> None:
    mixed = [*_views(2, side=40), *_views(1, side=64)]
    assert np.isfinite(_fitted(name, mixed).predict(mixed[2].image).score)
    one = _fitted(name, _views(1))
    assert np.isfinite(one.predict(_views(1, seed=9)[0].image).score)


@pytest.mark.parametrize("name", NAMES)
def test_constant_photos(name: str) -> None:
    white = [SimpleNamespace(name=f"{i}", image=np.full((40, 40, 3), 255, np.uint8)) for i in range(2)]
    result = _fitted(name, white).predict(white[0].image)
    assert np.isfinite(result.score)
    assert np.isfinite(result.map).all()


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_used_is_refused(detectors: dict[str, Any], name: str) -> None:
    with pytest.raises(DataError, match="0 training photos"):
        paad.create(name, device="cpu", **TINY[name]).fit([])
    bad = [*_views(1), SimpleNamespace(name="bad.png", image=np.full((8, 8, 3), np.nan, np.float32))]
    with pytest.raises(DataError, match=r"bad\.png"):
        paad.create(name, device="cpu", **TINY[name]).fit(bad)
    with pytest.raises(DataError, match="shape"):
        detectors[name].predict(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(UsageError, match="not fitted"):
        paad.create(name, device="cpu").predict(_views()[0].image)
    with pytest.raises(UsageError, match="preset"):
        paad.create(name, preset="fast")
    with pytest.raises(UsageError, match="option 'steps_'"):
        paad.create(name, steps_=3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_an_absent_device(name: str) -> None:
    with pytest.raises(UsageError, match="no CUDA device"):
        paad.create(name, device="cuda")


@pytest.mark.parametrize("name", WITH_BACKBONE)
def test_features_that_are_not_finite(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import paad.backbones

    def damaged(*args: Any, **kwargs: Any) -> Any:
        net = paad.backbones.load_backbone(*args, **kwargs)
        next(net.parameters()).data.fill_(float("nan"))
        return net

    monkeypatch.setattr(f"{method_class(name).__module__}.load_backbone", damaged)
    with pytest.raises(DataError, match="layer1 gives values that are not finite"):
        _fitted(name, _views())


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_model(name: str) -> None:
    detector = _fitted(name, _views(1))
    for parameter in detector.net.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(DataError, match="not finite"):
        detector.predict(_views()[0].image)


@pytest.mark.parametrize("name", NAMES)
def test_progress_ends_at_its_total(name: str) -> None:
    calls: list[tuple[int, int]] = []
    paad.create(name, device="cpu", **TINY[name]).fit(
        _views(1), progress=lambda done, total, _: calls.append((done, total))
    )
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_blur_is_scipys() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    maps = np.random.default_rng(0).random((2, 20, 24)).astype(np.float32)
    expected = [ndimage.gaussian_filter(m, 1.5, mode="mirror") for m in maps]
    np.testing.assert_allclose(gaussian_blur(torch.from_numpy(maps), 1.5), expected, atol=1e-6)
    assert torch.equal(gaussian_blur(torch.from_numpy(maps), 0.0), torch.from_numpy(maps))


def test_objects_that_were_cut_out_are_learned_over_white() -> None:
    mask = np.zeros((20, 24), np.float32)
    mask[5:15, 6:18] = 1.0
    mask[4] = 0.5 * mask[5]
    photo = np.full((20, 24, 3), 90, np.uint8)
    cut = np.where(mask[..., None] > 0, photo, 0).astype(np.uint8)
    shown = training_photo(SimpleNamespace(image=cut, mask=mask))
    np.testing.assert_allclose(shown[0, 0], 1.0)
    np.testing.assert_allclose(shown[4, 8], 0.5 * 90 / 255 + 0.5, atol=1e-6)
    np.testing.assert_allclose(shown[8, 8], 90 / 255, atol=1e-6)
    kept = np.where(mask[..., None] > 0, photo, np.arange(20, dtype=np.uint8)[:, None, None])
    on_paper = np.where(mask[..., None] > 0, photo, 255).astype(np.uint8)
    for image, own in ((kept, mask), (on_paper, mask), (cut, None), (cut, np.ones_like(mask))):
        assert training_photo(SimpleNamespace(image=image, mask=own)) is image
