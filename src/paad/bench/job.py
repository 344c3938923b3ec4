"""One job: fit a detector on its views, predict every query once, score what was predicted. Runs in its own process."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from paad.bench.grid import Job
from paad.bench.predictions import PredictionWriter, Stored, dequantize, quantize
from paad.bench.rows import Status, empty_row
from paad.bench.scoring import Scorer
from paad.bench.views import choose_views
from paad.data import ObjectFolder, open_object
from paad.data.queries import Query
from paad.detectors import method_class, methods
from paad.errors import DataError, PaadError, UsageError
from paad.types import Prediction

_SOME_MAPS = 3  # of each label, with keep_maps="some"


def run_job(job: Job, folder: Path) -> dict[str, Any]:
    """Do the job, write its predictions into ``folder``, return its row. Whatever fails becomes a row that says so."""
    begin = time.perf_counter()
    try:
        row = _run(job, folder)
    except MemoryError as error:
        row = empty_row(job, "out_of_memory", f"out of memory: {error}".rstrip(": "))
    except Exception as error:  # a benchmark's job may fail in any way; its row tells how
        kind: Status = "out_of_memory" if _is_out_of_memory(error) else "failed"
        text = str(error) if isinstance(error, PaadError) else f"{type(error).__name__}: {error}"
        row = empty_row(job, kind, " ".join(text.split()))
    row["seconds"] = {**row.get("seconds", {}), "job": round(time.perf_counter() - begin, 4)}
    row["peak_rss_mb"] = peak_rss_mb()
    row["machine"] = {"platform": platform.platform(), "cpus": os.cpu_count()}
    return row


def _run(job: Job, folder: Path) -> dict[str, Any]:
    if job.problem:
        raise DataError(job.problem)
    toy = open_object(job.object_dir)
    cls = method_class(job.method)
    needs_poses = methods()[job.method].needs_poses or getattr(cls, "needs_poses", False)
    if needs_poses and not toy.has_poses:
        return empty_row(job, "skipped", f"{job.method} needs camera poses, and {toy.root} has none")
    if not toy.test:
        raise DataError(f"{toy.root / 'test'}: no labelled photos; expected test/good/*.png and test/<defect>/*.png")
    _seed_everything(job.seed)
    threads = job.settings["threads"]
    with threadpool_limits(threads):
        _limit_threads(threads)
        detector = _create(cls, job)
        views, n_all = _training_views(toy, job.views)
        start = time.perf_counter()
        detector.fit(views)
        fit_seconds = time.perf_counter() - start
        model_bytes = _model_bytes(detector)
        scorer, stored = _predict_all(job, toy, detector, folder)
    failed = [record for record in stored if record.error]
    if len(failed) == len(stored):
        raise DataError(f"none of {len(stored)} photos could be judged; the first: {failed[0].error}")
    seconds = [record.seconds for record in stored if not record.error]
    stages = sorted({stage for record in stored for stage in record.stages})
    remarks = [f"{len(failed)} photos failed; the first: {failed[0].error}"] if failed else []
    return {
        **empty_row(job, "ok", "; ".join(remarks + scorer.problems)),
        "predictions": job.folder,
        **scorer.figures(),
        "n_views": len(views),
        "n_views_all": n_all,
        "n_failed": len(failed),
        "seconds": {
            "fit": round(fit_seconds, 4),
            "per_image": round(float(np.mean(seconds)), 5),
            "per_image_p95": round(float(np.quantile(seconds, 0.95)), 5),
            "predict": round(sum(record.seconds for record in stored), 4),
            "stages": {s: round(float(np.mean([r.stages.get(s, 0.0) for r in stored])), 5) for s in stages},
        },
        "model_bytes": model_bytes,
        "config": _config(detector),
    }


def _create(cls: type[Any], job: Job) -> Any:
    """A new detector; the seed is passed if its constructor takes one."""
    options = dict(job.settings["options"])
    device = job.settings["device"]
    parameters = inspect.signature(cls).parameters.values()
    if "seed" in options or any(p.name == "seed" for p in parameters):
        return cls(device=device, **{"seed": job.seed, **options})
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        try:
            return cls(device=device, seed=job.seed, **options)
        except (UsageError, TypeError):  # no such option; a wrong one among ``options`` is refused again below
            return cls(device=device, **options)
    return cls(device=device, **options)


def _config(detector: Any) -> dict[str, Any] | None:
    """The whole configuration that the options led to, None where the detector has no dataclass ``config``."""
    config = getattr(detector, "config", None)
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        return None
    text = json.dumps(dataclasses.asdict(config), default=str)
    plain: dict[str, Any] = json.loads(text, parse_constant=str)  # a row is strict JSON: no nan
    return plain


def _training_views(toy: ObjectFolder, views: float) -> tuple[Sequence[Any], int]:
    """The views of the split and how many there are in all; images without poses where there are no poses."""
    if toy.has_poses:
        return toy.train.subset(choose_views(views, len(toy.train), toy.train.poses)), len(toy.train)
    photos = toy.train_images
    return photos.subset(choose_views(views, len(photos), None)), len(photos)


def _predict_all(job: Job, toy: ObjectFolder, detector: Any, folder: Path) -> tuple[Scorer, list[Stored]]:
    scorer = Scorer(toy, job.settings["false_alarm_rate"])
    writer = PredictionWriter(folder)
    takes_rate = "false_alarm_rate" in inspect.signature(detector.predict).parameters
    options = {"false_alarm_rate": job.settings["false_alarm_rate"]} if takes_rate else {}
    seen: dict[str, int] = {}
    records = []
    for i, query in enumerate(toy.test):
        seen[query.label] = seen.get(query.label, 0) + 1
        keep = job.keep_maps == "all" or (job.keep_maps == "some" and seen[query.label] <= _SOME_MAPS)
        records.append(_predict_one(i, query, detector, options, scorer, writer, keep))
    writer.close()
    return scorer, records


def _predict_one(
    i: int,
    query: Query,
    detector: Any,
    options: dict[str, Any],
    scorer: Scorer,
    writer: PredictionWriter,
    keep: bool,
) -> Stored:
    """Predict, store and score one query. A query that fails counts as wrong; running out of memory ends the job."""
    shape: tuple[int, ...] | None = None
    values = anomaly_map = None
    start = time.perf_counter()
    try:
        photo = query.load_image()
        shape = photo.shape
        start = time.perf_counter()
        prediction = detector.predict(photo, **options)
        seconds = time.perf_counter() - start
        values, offset, exponent = quantize(_checked_map(prediction, shape))
        anomaly_map = dequantize(values, offset, exponent)
        record = _record(i, query, prediction, seconds, offset, exponent, keep)
    except MemoryError:
        raise
    except Exception as error:  # whatever a detector raises on one photo is that photo's failure
        if _is_out_of_memory(error):
            raise
        message = " ".join(f"{type(error).__name__}: {error}".split())
        record = Stored(query.name, query.label, seconds=time.perf_counter() - start, error=message)
        values = anomaly_map = None
    writer.add(record, values if keep else None)
    scorer.add(query, record, anomaly_map, shape)
    return record


def _checked_map(prediction: Prediction, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if np.shape(prediction.map) != shape[:2]:
        raise DataError(f"the map has shape {np.shape(prediction.map)}, the photo {shape[:2]}; they must be the same")
    return prediction.map


def _record(
    i: int, query: Query, prediction: Prediction, seconds: float, offset: float, exponent: int, keep: bool
) -> Stored:
    pose = prediction.cam_from_world
    return Stored(
        query.name,
        query.label,
        score=float(prediction.score) if np.isfinite(prediction.score) else None,
        map_file=f"maps/{i:04d}.npy" if keep else None,
        map_offset=offset,
        map_exponent=exponent,
        cam_from_world=None if pose is None or not np.isfinite(pose).all() else np.asarray(pose, float).tolist(),
        status=prediction.status,
        p_value=prediction.p_value,
        seconds=seconds,
        stages={name: float(value) for name, value in prediction.seconds.items()},
    )


def _model_bytes(detector: Any) -> int | None:
    """Size of the saved model, None where the detector cannot be saved."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(detector.save(Path(folder) / "model.paad")).stat().st_size
        except (PaadError, NotImplementedError, AttributeError):
            return None


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - detectors of third parties may draw from the global generator
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)


def _limit_threads(threads: int) -> None:
    """As many threads as the job was given, in the libraries that keep pools of their own."""
    import cv2

    from paad.render.threads import set_threads

    cv2.setNumThreads(threads)
    set_threads(threads)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)


def _is_out_of_memory(error: Exception) -> bool:
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def peak_rss_mb() -> int | None:
    """The most memory this process held so far in MB (10^6 bytes), None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6)
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)
