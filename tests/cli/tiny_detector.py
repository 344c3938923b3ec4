"""A detector of thirty lines for the tests of the command line: the mean photo, and how far a photo is from it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from paad.detectors.base import Detector, float_image
from paad.errors import PoseError, UsageError
from paad.types import Prediction, Region


@dataclass(frozen=True)
class TinyConfig:
    """Options of the tests' detector."""

    threshold: float = 0.2  # largest mean difference of a good photo
    steps: int = 3  # how often fit reports
    pause: float = 0.0  # seconds between two reports
    kind: Literal["stain", "burr"] = "stain"
    calibrated: bool = True
    sizes: tuple[int, ...] = (1, 2)
    limit: float | None = None
    anything: Any = None


class Tiny(Detector):
    """Photos of pure green have no pose; pure blue ones break the detector."""

    name: ClassVar[str] = "tiny"
    needs_poses: ClassVar[bool] = True

    def __init__(self, device: str = "auto", **options: Any) -> None:
        try:
            self.config = TinyConfig(**options)
        except TypeError as error:
            raise UsageError(str(error)) from error
        self.mean = np.zeros((1, 1, 3), np.float32)

    def fit(self, views: Any, progress: Any = None) -> Tiny:
        self.mean = np.mean([v.image / np.float32(255) for v in views], axis=0, dtype=np.float32)
        for i in range(self.config.steps):
            time.sleep(self.config.pause)
            if progress:
                progress(i + 1, self.config.steps, "averaging")
        return self

    def predict(self, image: Any, false_alarm_rate: float = 0.02) -> Prediction:
        rgb, _ = float_image(image)
        if (rgb == (0, 1, 0)).all():
            raise PoseError("no pose explains this photo")
        if (rgb == (0, 0, 1)).all():
            raise RuntimeError("blue\nis not handled")
        difference = np.abs(rgb - self.mean.mean((0, 1)) if rgb.shape != self.mean.shape else rgb - self.mean)
        values = difference.mean(2).astype(np.float32)
        score = float(values.max())
        defect = score > self.config.threshold
        if not self.config.calibrated:
            return Prediction(score, values)
        return Prediction(
            score, values, np.eye(4), np.broadcast_to(self.mean.mean((0, 1)), rgb.shape).astype(np.float32),
            "defect" if defect else "ok", self.config.threshold, false_alarm_rate if defect else 0.5, 0.9,
            (Region((2, 4, 10, 12), 64, score, self.config.kind),) if defect else (),
            {"pose": 0.001, "render": 0.002, "score": 0.003}, "", {"map_threshold": self.config.threshold},
        )  # fmt: skip

    def summary(self) -> dict[str, Any]:
        return {"mean_brightness": float(self.mean.mean())}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"mean": self.mean}, {"config": asdict(self.config)}

    @classmethod
    def from_state(cls, tensors: Any, manifest: Any, device: str = "auto") -> Tiny:
        tiny = cls(device, **{k: tuple(v) if isinstance(v, list) else v for k, v in manifest["config"].items()})
        tiny.mean = tensors["mean"]
        return tiny


def register() -> None:
    """Make ``tiny`` a method of this process."""
    import paad.detectors as detectors

    detectors._BUILT_IN = (
        *detectors._BUILT_IN,
        detectors.Method("tiny", f"{__name__}:Tiny", "mean", "tests", 2026, True),
    )
