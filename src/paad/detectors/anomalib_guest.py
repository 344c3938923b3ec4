"""anomalib's models as guests: ``anomalib:<Name>`` is a detector, and an object folder is one of its data modules.

Needs the extra ``anomalib`` (written for version 2). A guest keeps anomalib's own training, preprocessing and maps; its
thresholds, normalization, metrics and pictures are left out. Models that need another data set (Draem's textures),
text or no training at all are not taken care of.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paad.detectors.base import Detector
from paad.detectors.imagery import full_size, pack_module, to_square, training_batch
from paad.detectors.settings import configured, torch_device
from paad.errors import DataError, MissingDependencyError, UsageError
from paad.types import Prediction, Progress

PREFIX = "anomalib:"
INSTALL = "pip install 'paad[anomalib]'; it brings torchvision, which must suit the torch that is installed"


@dataclass(frozen=True)
class AnomalibGuestConfig:
    preset: str = "cpu"  # there is one
    weights: str | None = None  # "random", or "anomalib": what the model fetches from the network by itself
    size: int = 256  # photos are stretched to this many pixels before anomalib sees them
    epochs: int = 1  # of training; 1 is right for memory banks
    batch: int = 16  # photos a step
    options: str = "{}"  # JSON object: further arguments of the anomalib model
    seed: int = 0  # of everything random


class AnomalibGuest(Detector):
    """One anomalib model; :func:`guest_class` makes the subclass that knows which."""

    name = PREFIX
    model_name: ClassVar[str] = ""
    presets: ClassVar[dict[str, AnomalibGuestConfig]] = {"cpu": AnomalibGuestConfig()}

    def __init__(self, device: str = "auto", **options: Any) -> None:
        self.config = configured(self.name, self.presets, options)
        self.device = torch_device(device)
        self.model: Any = None

    def fit(self, views: Sequence[Any], progress: Progress | None = None) -> AnomalibGuest:
        """Train on the photos of ``views``, as anomalib's engine does.

        Raises:
            DataError: the photos cannot be used.
            UsageError: the weights are not chosen, or the model does not take the options.
            MissingDependencyError: anomalib is not installed.
        """
        images = training_batch(views, self.config.size, least=2)
        if self.config.weights not in ("random", "anomalib"):
            raise UsageError(
                f"weights is {self.config.weights!r} for {self.name}; say 'anomalib' (the model fetches its own from "
                "the network) or 'random'"
            )
        model = self._built(pre_trained=self.config.weights == "anomalib")
        from anomalib.data import ImageBatch
        from anomalib.engine import Engine
        from torch.utils.data import DataLoader

        def collate(rows: list[Tensor]) -> Any:
            return ImageBatch(image=torch.stack(rows), gt_label=torch.zeros(len(rows), dtype=torch.long))

        generator = torch.Generator().manual_seed(self.config.seed)
        loader: Any = DataLoader(
            list(images),  # type: ignore[arg-type]
            self.config.batch,
            shuffle=True,
            generator=generator,
            collate_fn=collate,
        )
        with tempfile.TemporaryDirectory() as folder, _quiet(), torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            engine = Engine(
                logger=False,
                default_root_dir=folder,
                max_epochs=self.config.epochs,
                accelerator="gpu" if self.device == "cuda" else "cpu",
                devices=1,
                enable_progress_bar=False,
                enable_model_summary=False,
                limit_val_batches=0,
                num_sanity_val_steps=0,
            )
            engine.fit(model, train_dataloaders=loader)
        self.model = model.to(self.device).eval()
        if progress:
            progress(1, 1, self.name)
        return self

    def predict(self, image: NDArray[Any]) -> Prediction:
        """anomalib's score and map of one photo, not normalized."""
        if self.model is None:
            raise UsageError(f"{self.name} has not been fitted; call fit first, or load a model")
        begin = time.perf_counter()
        batch = to_square(image, self.config.size).unsqueeze(0).to(self.device)
        with torch.inference_mode(), _quiet():
            out = self.model(batch)
        if out.anomaly_map is None:
            raise DataError(f"{self.name} gives no anomaly map; only models that locate defects can be guests")
        found = full_size(out.anomaly_map.float().reshape(out.anomaly_map.shape[-2:]), *image.shape[:2])
        score = float(found.max()) if out.pred_score is None else float(out.pred_score.reshape(-1)[0])
        seconds = time.perf_counter() - begin
        return Prediction(score=score, map=found, seconds={"score": seconds, "total": seconds})

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All parameters and buffers, and the configuration."""
        if self.model is None:
            raise UsageError(f"{self.name} has not been fitted; there is nothing to save")
        return pack_module(self.model, "model"), {"config": asdict(self.config)}

    @classmethod
    def from_state(cls, tensors: dict[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto") -> Detector:
        """The fitted guest; nothing is fetched."""
        guest = cls(device=device, **manifest["config"])
        model = guest._built(pre_trained=False)
        for name, array in tensors.items():
            _put(model, name.removeprefix("model."), torch.from_numpy(np.array(array)))
        guest.model = model.to(guest.device).eval()
        return guest

    def _built(self, pre_trained: bool) -> Any:
        """The untrained anomalib model."""
        made = _model_class(self.model_name)
        known = inspect.signature(made.__init__).parameters
        options: dict[str, Any] = json.loads(self.config.options)
        wrong = sorted(set(options) - set(known))
        if wrong:
            raise UsageError(f"option {wrong[0]!r} is not one of anomalib's {self.model_name}: {', '.join(known)}")
        if "pre_trained" in known:
            options["pre_trained"] = pre_trained
        elif not pre_trained and "backbone" in known:
            raise UsageError(
                f"anomalib's {self.model_name} always fetches weights of its backbone, so it cannot be built without a "
                "network; choose a model with 'pre_trained' (Padim, Patchcore, ...), or fit with weights 'anomalib'"
            )
        with _quiet(), torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            return made(**options, post_processor=False, evaluator=False, visualizer=False)


def guest_class(name: str) -> type[AnomalibGuest]:
    """The detector of ``anomalib:<Name>``; anomalib itself is imported when it is fitted or loaded.

    Raises:
        UsageError: no name behind the colon.
    """
    model_name = name.removeprefix(PREFIX)
    if not model_name.isidentifier():
        raise UsageError(f"method {name!r}: write {PREFIX}<Name>, such as {PREFIX}Padim")
    made = type("AnomalibGuest", (AnomalibGuest,), {"name": name, "model_name": model_name, "__module__": __name__})
    return made


def datamodule(root: str | Path, **options: Any) -> Any:
    """An object folder as anomalib's ``Folder``: train/good, test/good, and the folders of defects with their masks.

    ``options`` are ``Folder``'s own, such as ``train_batch_size``.

    Raises:
        MissingDependencyError: anomalib is not installed.
        DataError: the folder has no train/good.
    """
    folder = Path(root)
    if not (folder / "train/good").is_dir():
        raise DataError(f"{folder}: has no train/good; give an object folder")
    with _quiet():
        try:
            from anomalib.data import Folder
        except ImportError as error:
            raise _missing(error) from error
        tests = folder / "test"
        defects = sorted(p.name for p in tests.iterdir() if p.is_dir() and p.name != "good") if tests.is_dir() else []
        masks = [f"ground_truth/{d}" for d in defects if (folder / "ground_truth" / d).is_dir()]
        return Folder(
            name=folder.name,
            root=folder,
            normal_dir="train/good",
            normal_test_dir="test/good" if (tests / "good").is_dir() else None,
            abnormal_dir=[f"test/{d}" for d in defects] or None,
            mask_dir=masks or None,
            **{"num_workers": 0, **options},
        )


def _model_class(name: str) -> Any:
    with _quiet():
        try:
            from anomalib import models
        except ImportError as error:
            raise _missing(error) from error
    found = getattr(models, name, None)
    if found is None or not inspect.isclass(found):
        raise UsageError(f"anomalib has no model {name!r}; it has: {', '.join(sorted(models.__all__))}")
    return found


def _missing(error: ImportError) -> MissingDependencyError:
    return MissingDependencyError(f"guests need the package anomalib ({error}): {INSTALL}")


def _put(module: nn.Module, name: str, value: Tensor) -> None:
    """Set one parameter or buffer; a memory bank's size is only known after the fit."""
    path, _, last = name.rpartition(".")
    owner = module.get_submodule(path)
    if last in owner._parameters:
        owner._parameters[last] = nn.Parameter(value, requires_grad=False)
    else:
        owner._buffers[last] = value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without anomalib's and Lightning's remarks and warnings."""
    loggers = [logging.getLogger(n) for n in ("anomalib", "lightning", "lightning.pytorch", "timm")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before):
            logger.setLevel(level)
