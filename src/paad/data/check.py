"""Say what was understood of an object folder, and list everything that is wrong with it. Decodes every image."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paad.data.colmap import read_points
from paad.data.images import PIXEL_LIMIT, load_image
from paad.data.listing import list_folders, list_images, relative_name
from paad.data.masks import read_mask
from paad.data.problems import Problem
from paad.data.survey import MINIMUM_VIEWS, Survey, survey
from paad.data.views import PosedViews, decide_masks
from paad.errors import DataError
from paad.geometry.camera import Camera
from paad.geometry.views import optical_axes, view_volume


@dataclass
class CheckReport:
    """What ``paad data check`` prints.

    Attributes:
        usable: a detector that needs poses can be fitted to it: no problem is an error.
        usable_without_poses: there are enough training images for the other detectors.
        format: where the poses come from: a file's name, "colmap" or "none".
        posed_views, train_images: how many training images have a usable pose, and how many there are.
        test_images: number by label.
        test_masks, test_poses: how many test images have a defect mask, a pose.
        image_sizes: number of training images by "WIDTHxHEIGHT".
        camera: intrinsics of the first view.
        mask_source, mask_confidence, background: see :class:`paad.data.views.MaskPolicy`.
        points: number of COLMAP points.
        centre, radius: the ball that the views have in common, in the units of the poses.
        problems: everything found, errors first.
    """

    path: str
    usable: bool = False
    usable_without_poses: bool = False
    format: str = "none"
    posed_views: int = 0
    train_images: int = 0
    test_images: dict[str, int] = field(default_factory=dict)
    test_masks: int = 0
    test_poses: int = 0
    image_sizes: dict[str, int] = field(default_factory=dict)
    camera: dict[str, float] | None = None
    mask_source: str = "none"
    mask_confidence: float = 0.0
    background: list[float] | None = None
    points: int = 0
    centre: list[float] | None = None
    radius: float | None = None
    problems: list[Problem] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The same as a JSON-able dictionary."""
        return asdict(self)


def check_object(path: str | Path) -> CheckReport:
    """Read everything below an object folder and collect what is wrong. Never raises for bad data."""
    found = survey(Path(path))
    report = CheckReport(str(path), format=found.format)
    report.posed_views, report.train_images = len(found.frames), len(found.photos)
    report.test_images = dict(Counter(query.label for query in found.queries))
    report.test_masks = sum(query.mask_path is not None for query in found.queries)
    report.test_poses = len(found.test_poses)
    if found.format == "none" and found.photos:
        message = "no transforms.json and no COLMAP model: only methods that need no poses can use this folder"
        found.tell("transforms.json", "error", message)
    report.image_sizes = _check_training_images(found)
    _check_queries(found)
    _check_unused_masks(found)
    _check_duplicates(found)
    if found.frames:
        report.camera = {k: float(v) for k, v in asdict(found.frames[0].camera).items()}
        _check_geometry(found, report)
    _describe_masks(found, report)
    if found.model_folder:
        try:
            points = read_points(found.model_folder)
            report.points = len(points.xyz) if points else 0
        except DataError as error:
            found.tell(relative_name(found.model_folder, found.root), "warning", str(error))
    order = {"error": 0, "warning": 1, "notice": 2}
    report.problems = sorted(found.problems, key=lambda problem: order[problem.severity])
    report.usable = bool(found.frames) and not found.errors
    report.usable_without_poses = report.train_images >= MINIMUM_VIEWS
    return report


def _check_training_images(found: Survey) -> dict[str, int]:
    """Decode all training images and their masks; returns the number of images by size."""
    sizes: Counter[str] = Counter()
    sound = []
    for photo in found.photos:
        try:
            image = load_image(photo.path, max_pixels=PIXEL_LIMIT, upright=photo.upright)
            sizes[f"{image.shape[1]}x{image.shape[0]}"] += 1
            if photo.mask_path:
                mask = read_mask(photo.mask_path)
                if mask.shape != image.shape[:2]:
                    raise DataError(
                        f"its mask {photo.mask_path} is {mask.shape[1]}x{mask.shape[0]}, the image "
                        f"{image.shape[1]}x{image.shape[0]} pixels; they must be the same"
                    )
            sound.append(photo)
        except DataError as error:
            found.tell(photo.name, "error", f"{error}. Or remove it")
    found.photos = sound
    if len(sizes) > 1:
        listed = ", ".join(f"{count} of {size}" for size, count in sizes.most_common())
        found.tell("train", "notice", f"images of mixed sizes: {listed}; each has its own camera")
    return dict(sizes)


def _check_queries(found: Survey) -> None:
    for query in found.queries:
        try:
            image = query.load_image()
            if query.mask_path:
                mask = read_mask(query.mask_path)
                name = relative_name(query.mask_path, found.root)
                if mask.shape != image.shape[:2]:
                    size, wanted = mask.shape[::-1], image.shape[1::-1]
                    found.tell(name, "warning", f"the mask is {size}, its image {wanted} pixels; it is resampled")
                elif not (mask > 127).any():
                    found.tell(name, "warning", "the mask is empty, though the image shows a defect")
        except DataError as error:
            found.tell(query.name, "warning", f"this test image cannot be used: {error}")
    if not found.queries:
        found.tell("test", "notice", "no test images; the object can be fitted but not evaluated")


def _check_unused_masks(found: Survey) -> None:
    used = {query.mask_path for query in found.queries}
    for folder in list_folders(found.root / "ground_truth"):
        for mask in list_images(folder):
            if mask not in used:
                found.tell(relative_name(mask, found.root), "warning", "a mask without an image in test/")


def _check_duplicates(found: Survey) -> None:
    """The same pose twice, the same file twice, and test images that were trained on."""
    seen: dict[bytes, str] = {}
    for frame in found.frames:
        key = np.round(frame.cam_from_world, 9).tobytes()
        if key in seen:
            found.tell(frame.photo.name, "warning", f"has the same pose as {seen[key]}")
        seen.setdefault(key, frame.photo.name)
    files = [(photo.name, photo.path) for photo in found.photos]
    files += [(query.name, query.path) for query in found.queries]
    by_size = Counter(path.stat().st_size for _, path in files)
    contents: dict[bytes, str] = {}
    for name, path in files:
        if by_size[path.stat().st_size] < 2:
            continue
        key = hashlib.sha256(path.read_bytes()).digest()
        if key in contents:
            found.tell(name, "warning", f"is the same file as {contents[key]}")
        contents.setdefault(key, name)


def _check_geometry(found: Survey, report: CheckReport) -> None:
    """Do the cameras look at one place?"""
    views = PosedViews(found.frames)
    try:
        centre, radius = view_volume(views.cameras, views.poses)
    except DataError as error:
        found.tell(found.format, "warning", str(error))
        return
    report.centre, report.radius = centre.tolist(), radius
    centres, axes = optical_axes(views.poses)
    towards = centre - centres
    cosine = np.einsum("ni,ni->n", towards, axes) / np.maximum(np.linalg.norm(towards, axis=1), 1e-12)
    away = np.flatnonzero(cosine < np.cos(np.array([_half_diagonal(c) for c in views.cameras])))
    for i in away:
        angle = np.degrees(np.arccos(np.clip(cosine[i], -1.0, 1.0)))
        message = f"the camera looks {angle:.0f} degrees past the views' common centre; is its pose right?"
        found.tell(views.names[i], "warning", message)


def _half_diagonal(camera: Camera) -> float:
    return float(np.arctan(np.hypot(0.5 * camera.width / camera.fx, 0.5 * camera.height / camera.fy)))


def _describe_masks(found: Survey, report: CheckReport) -> None:
    if not found.photos:
        return
    posed = {frame.photo.name for frame in found.frames}
    photos = [photo for photo in found.photos if photo.name in posed] or found.photos
    try:
        policy = decide_masks(photos)
    except DataError as error:
        found.tell("train", "error", str(error))
        return
    report.mask_source, report.mask_confidence = policy.source, policy.confidence
    report.background = None if policy.background is None else policy.background.tolist()
