"""A grid of objects x methods x seeds x view shares, and the jobs it consists of."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, entry_points, version
from itertools import product
from pathlib import Path
from typing import Any, Literal

from paad._version import __version__
from paad.bench.views import count_of, split_name
from paad.data import open_object
from paad.data.listing import natural_key
from paad.detectors import ENTRY_POINT_GROUP
from paad.detectors import methods as known_methods
from paad.errors import DataError, UsageError

PROTOCOL = 2
"""Raised whenever figures of the same predictions could change; rows of different protocols are never mixed."""

KeepMaps = Literal["all", "some", "none"]


@dataclass(frozen=True)
class Grid:
    """What ``paad bench run`` is asked for.

    Attributes:
        data: a folder of object folders, or one object folder.
        methods: names of ``paad methods``.
        objects: names of folders in ``data``; empty means all.
        seeds: one run of every detector for each.
        views: shares of the training views in (0, 1], or numbers of views above 1.
        options: options of a method's constructor by method name.
        keep_maps: "all" (figures can be computed again), "some" (those the report shows) or "none".
        false_alarm_rate: what detectors are asked to promise; checked in the block "calibration".
        device: "auto", "cpu" or "cuda".
        threads: that each job may use; timings depend on it, so it is among the settings.
    """

    data: Path
    methods: tuple[str, ...]
    objects: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    views: tuple[float, ...] = (1.0,)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep_maps: KeepMaps = "all"
    false_alarm_rate: float = 0.02
    device: str = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Job:
    """One fit and the prediction of all queries. ``settings`` is everything its figures depend on, as JSON."""

    object: str
    object_dir: Path
    method: str
    seed: int
    views: float
    settings: dict[str, Any] = field(hash=False)
    keep_maps: KeepMaps = "all"
    problem: str = ""
    """Why this job cannot run, empty if it can."""

    @property
    def key(self) -> str:
        """The job's name, unique in a run: "object/method/seed/split"."""
        return f"{self.object}/{self.method}/{self.seed}/{split_name(self.views)}"

    @property
    def folder(self) -> str:
        """The name of its predictions folder, safe on every file system."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", self.key)
        return f"{plain}-{hashlib.sha256(self.key.encode()).hexdigest()[:6]}"

    @property
    def settings_hash(self) -> str:
        """A short fingerprint of ``settings``."""
        return hash_of(self.settings)


def hash_of(settings: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of canonical JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def find_objects(data: Path, names: Sequence[str] = ()) -> list[Path]:
    """Object folders in ``data`` (or ``data`` itself), in natural order of their names.

    Raises:
        DataError: there are none.
        UsageError: a name in ``names`` is not among them.
    """
    if not data.is_dir():
        raise DataError(f"{data}: no such folder; give a folder of object folders (each with train/ and test/)")
    if (data / "test").is_dir():
        return [data]
    found = sorted((d for d in data.iterdir() if (d / "test").is_dir()), key=lambda d: natural_key(d.name))
    if not found:
        raise DataError(f"{data}: no object folder in it; an object folder has train/ and test/")
    known = {folder.name: folder for folder in found}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"--objects {' '.join(unknown)}: not in {data}; choose from: {', '.join(known)}")
    return [known[name] for name in names] if names else found


def plan(grid: Grid) -> list[Job]:
    """All jobs of a grid. One job of every method comes first, so that the time of the rest can be estimated early.

    Raises:
        UsageError: an unknown method or object, or a split that is neither share nor number.
        DataError: no object folder.
    """
    known = known_methods()
    unknown = [m for m in (*grid.methods, *grid.options) if m not in known]
    if unknown or not grid.methods:
        raise UsageError(f"--methods {' '.join(unknown)}: choose from: {', '.join(sorted(known))}")
    for views in grid.views:
        count_of(views, 1000)
    folders = find_objects(grid.data, grid.objects)
    stamps = {folder: _fingerprint(folder) for folder in folders}
    common = {name: _method_settings(grid, name) for name in grid.methods}
    jobs = [
        Job(
            folder.name if folder != grid.data else folder.resolve().name,
            folder.resolve(),
            method,
            seed,
            views,
            {**common[method], "data_fingerprint": stamps[folder][0], "seed": seed, "views": views},
            grid.keep_maps,
            stamps[folder][1],
        )
        for folder, seed, views, method in product(folders, grid.seeds, grid.views, grid.methods)
    ]
    probes = {job.method: job for job in reversed(jobs) if not job.problem}
    first = [probes[m] for m in grid.methods if m in probes]
    return first + [job for job in jobs if job not in first]


def _fingerprint(folder: Path) -> tuple[str, str]:
    """The data's fingerprint, and why the folder cannot be used (empty if it can)."""
    try:
        return open_object(folder).fingerprint(), ""
    except DataError as error:
        return "unusable", str(error)


def _method_settings(grid: Grid, method: str) -> dict[str, Any]:
    return {
        "protocol": PROTOCOL,
        "method": method,
        "options": dict(grid.options.get(method, {})),
        "device": grid.device,
        "threads": grid.threads,
        "false_alarm_rate": grid.false_alarm_rate,
        "versions": {"paad": __version__, **_versions("numpy", "torch"), **_owner(method)},
    }


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def _owner(method: str) -> dict[str, str]:
    """Name and version of the third-party distribution that registers ``method``."""
    points = entry_points(group=ENTRY_POINT_GROUP, name=method)
    return {point.dist.name: point.dist.version for point in points if point.dist is not None}
