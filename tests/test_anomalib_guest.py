"""anomalib's models behind our interface; what needs anomalib itself is skipped where it is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from paad.detectors import create, load, method_class
from paad.detectors.anomalib_guest import datamodule
from paad.errors import MissingDependencyError, UsageError
from paad.synth.textures import texture_set, write_texture_object

HERE = importlib.util.find_spec("anomalib") is not None
needs_anomalib = pytest.mark.skipif(not HERE, reason="the extra 'anomalib' is not installed")
# Lightning and its friends warn about each other's versions.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_names_resolve_without_anomalib() -> None:
    found = method_class("anomalib:Padim")
    assert found.name == "anomalib:Padim"
    with pytest.raises(UsageError, match="anomalib:Padim"):
        method_class("anomalib:")
    with pytest.raises(UsageError, match="'nonsense' is not one of anomalib:Padim's"):
        create("anomalib:Padim", nonsense=1)
    with pytest.raises(UsageError, match="has not been fitted"):
        create("anomalib:Padim", device="cpu").predict(np.zeros((8, 8, 3), np.uint8))


def test_weights_must_be_chosen() -> None:
    views = texture_set("disc", side=32, n_train=3, n_good=1, n_defect=1).views()
    with pytest.raises(UsageError, match=r"say 'anomalib'.*or 'random'"):
        create("anomalib:Padim", device="cpu").fit(views)


@pytest.mark.skipif(HERE, reason="anomalib is installed")
def test_without_anomalib_the_install_line_is_given(tmp_path: Path) -> None:
    data = texture_set("disc", side=32, n_train=3, n_good=1, n_defect=1)
    with pytest.raises(MissingDependencyError, match=r"pip install 'paad\[anomalib\]'"):
        create("anomalib:Padim", device="cpu", weights="random").fit(data.views())
    with pytest.raises(MissingDependencyError, match="anomalib"):
        datamodule(write_texture_object(tmp_path, data))


@needs_anomalib
def test_a_guest_fits_predicts_saves_and_loads(tmp_path: Path) -> None:
    data = texture_set("disc", side=64, n_train=12, n_good=4, n_defect=4)
    options = '{"layers": ["layer1", "layer2"], "n_features": 20}'
    guest = create("anomalib:Padim", device="cpu", weights="random", size=64, options=options).fit(data.views())
    results = [guest.predict(image) for image in data.images]
    assert results[0].map.shape == (64, 64)
    good = max(r.score for r, label in zip(results, data.labels) if label == "good")
    assert sum(r.score > good for r, label in zip(results, data.labels) if label != "good") >= 3
    again = load(guest.save(tmp_path / "guest.paad"), device="cpu").predict(data.images[-1])
    np.testing.assert_allclose(again.map, results[-1].map, rtol=1e-5)
    assert again.score == pytest.approx(results[-1].score, rel=1e-5)


@needs_anomalib
def test_unknown_models_and_options_are_refused() -> None:
    views = texture_set("disc", side=32, n_train=3, n_good=1, n_defect=1).views()
    with pytest.raises(UsageError, match=r"no model 'Nothing'.*Padim"):
        create("anomalib:Nothing", device="cpu", weights="random").fit(views)
    with pytest.raises(UsageError, match="'colour' is not one of anomalib's Padim"):
        create("anomalib:Padim", device="cpu", weights="random", options='{"colour": 1}').fit(views)
    with pytest.raises(UsageError, match="always fetches"):
        create("anomalib:Stfpm", device="cpu", weights="random").fit(views)


@needs_anomalib
def test_an_object_folder_is_a_data_module(tmp_path: Path) -> None:
    data = texture_set("disc", side=32, n_train=5, n_good=3, n_defect=4)
    module = datamodule(write_texture_object(tmp_path / "disc", data), train_batch_size=2, val_split_mode="none")
    module.setup()
    assert len(module.train_data) == 5
    assert len(module.test_data) == 7
    items = [module.test_data[i] for i in range(7)]
    assert sum(int(item.gt_label) for item in items) == 4
    assert all(item.gt_mask.any() == bool(item.gt_label) for item in items)
