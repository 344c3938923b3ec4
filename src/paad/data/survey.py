"""Look over an object folder without decoding pixels: which views, poses and queries it has, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paad.data.colmap import find_model, read_model
from paad.data.images import Header, looks_whole, read_header
from paad.data.intrinsics import Intrinsics
from paad.data.listing import ImageFinder, list_folders, list_images, natural_key, relative_name
from paad.data.problems import Problem, Severity
from paad.data.queries import Query, list_queries
from paad.data.transforms import PoseRecord, read_transforms
from paad.data.views import Frame, PhotoFile
from paad.errors import DataError
from paad.types import Float64

Format = Literal["transforms.json", "transforms_train.json", "colmap", "none"]

_PHOTO_FOLDERS = ("train/good", "images", "train", "input")
MINIMUM_VIEWS = 3


@dataclass
class Survey:
    """What an object folder holds.

    Attributes:
        format: which file the poses come from.
        frames: the usable posed training views, in natural order of their names.
        photos: all usable training images, posed or not.
        queries: the test images by label, "good" first.
        test_poses: ``cam_from_world`` of test images by name.

    """

    root: Path
    format: Format = "none"
    model_folder: Path | None = None
    frames: list[Frame] = field(default_factory=list)
    photos: list[PhotoFile] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    test_poses: dict[str, Float64] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def tell(self, file: str, severity: Severity, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(file, severity, message))

    @property
    def errors(self) -> list[Problem]:
        """The problems that make the folder unusable."""
        return [p for p in self.problems if p.severity == "error"]


def survey(root: Path) -> Survey:
    """Everything that can be known of an object folder from file names, headers and pose files. Never raises
    for bad data: what is wrong is in ``problems``."""
    found = Survey(root)
    if not root.is_dir():
        found.tell(str(root), "error", "no such folder; give the folder of one object")
        return found
    finder = ImageFinder(root, _PHOTO_FOLDERS)
    try:
        _read_training(found, finder)
        _read_tests(found, finder)
        _find_unposed(found)
    except (DataError, OSError) as error:
        found.tell(str(root), "error", str(error))
        return found
    if not (found.frames or found.photos or found.queries or found.errors):
        inside = [f.name for f in list_folders(root) if (f / "train").is_dir() or (f / "transforms.json").is_file()]
        hint = (
            f"it holds the objects {', '.join(inside)}; give one of them"
            if inside
            else "expected train/good and transforms.json"
        )
        found.tell(str(root), "error", f"no images of an object here; {hint}")
    return found


def _read_training(found: Survey, finder: ImageFinder) -> None:
    root = found.root
    if (root / "transforms.json").is_file():
        found.format = "transforms.json"
        records, problems = read_transforms(root / "transforms.json")
    elif (root / "transforms_train.json").is_file():
        found.format = "transforms_train.json"
        records, problems = read_transforms(root / "transforms_train.json")
    elif (folder := find_model(root)) is not None:
        found.format, found.model_folder = "colmap", folder
        records, problems = read_model(folder)
    else:
        return
    found.problems.extend(problems)
    _place(found, finder, records)
    if len(found.frames) < MINIMUM_VIEWS:
        source = found.format if found.model_folder is None else relative_name(found.model_folder, root)
        first = f"; first: {found.problems[0].file}: {found.problems[0].message}" if found.problems else ""
        found.tell(
            source, "error", f"{len(found.frames)} usable posed views; at least {MINIMUM_VIEWS} are needed{first}"
        )


def _place(found: Survey, finder: ImageFinder, records: Iterable[PoseRecord]) -> None:
    """Turn pose records into frames: find each image, read its header, fit the intrinsics to its size."""
    seen: set[str] = set()
    notes: dict[str, list[str]] = {}
    for record in records:
        try:
            path = finder.find(record.file_path)
            if path is None:
                raise DataError("no such image")
            name = relative_name(path, found.root)
            if name in seen:
                raise DataError("listed twice; the first pose is kept")
            seen.add(name)
            if name.startswith("test/") and found.format != "transforms_train.json":
                found.test_poses[name] = record.cam_from_world
                notes.setdefault("test images are not trained on, though the pose file lists them", []).append(name)
                continue
            found.frames.append(_frame(found, finder, record, path, name, notes))
        except DataError as error:
            found.tell(record.file_path, "warning", f"left out: {error}")
    found.frames.sort(key=lambda frame: natural_key(frame.photo.name))
    for message, names in notes.items():
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        found.tell(names[0], "warning" if message.startswith("!") else "notice", message.lstrip("!") + more)


def _frame(
    found: Survey, finder: ImageFinder, record: PoseRecord, path: Path, name: str, notes: dict[str, list[str]]
) -> Frame:
    header = read_header(path)
    if not looks_whole(path):
        raise DataError("the image is truncated or broken; copy or export it again")
    upright = _keeps_exif(header, record.intrinsics, found.format)
    width, height = header.upright_size if upright else (header.width, header.height)
    if header.orientation != 1:
        done = "applied" if upright else "ignored, since the intrinsics fit the image as stored"
        notes.setdefault(f"EXIF rotation is {done}", []).append(name)
    stated = (record.intrinsics.width or width, record.intrinsics.height or height)
    if stated != (width, height):
        same_shape = abs(stated[0] * height / (stated[1] * width) - 1.0) < 0.01
        message = f"intrinsics are for {stated[0]}x{stated[1]}, the image is {width}x{height} pixels; they are scaled"
        notes.setdefault(message if same_shape else f"!{message}, though the shapes differ", []).append(name)
    mask = None
    if record.mask_path:
        mask = finder.find(record.mask_path)
        if mask is None:
            found.tell(record.mask_path, "warning", f"no such mask; {name} is used without one")
    camera = record.intrinsics.camera(width, height)
    return Frame(PhotoFile(name, path, mask, upright), camera, record.cam_from_world, record.intrinsics.distortion)


def _keeps_exif(header: Header, intrinsics: Intrinsics, source: Format) -> bool:
    """Whether to turn a posed photo upright. Pose tools read pixels as stored, so a stated size that fits only
    those decides against it; COLMAP always states one."""
    if intrinsics.width is None or intrinsics.height is None:
        return True
    landscape = intrinsics.width > intrinsics.height
    fits_stored = landscape == (header.width > header.height)
    width, height = header.upright_size
    fits_upright = landscape == (width > height)
    return not fits_stored if source == "colmap" else fits_upright or not fits_stored


def _read_tests(found: Survey, finder: ImageFinder) -> None:
    root = found.root
    found.queries, problems = list_queries(root)
    found.problems.extend(problems)
    for name in ("test_transforms.json", "transforms_test.json"):
        if not (root / name).is_file():
            continue
        records, problems = read_transforms(root / name)
        found.problems.extend(problems)
        for record in records:
            path = finder.find(record.file_path)
            if path is None:
                found.tell(record.file_path, "warning", f"{name} has a pose for it, but there is no such image")
                continue
            found.test_poses[relative_name(path, root)] = record.cam_from_world
        if name == "transforms_test.json":
            found.queries = [q for q in found.queries if q.name in found.test_poses or "/" in q.name[5:]]


def _find_unposed(found: Survey) -> None:
    """All training images: those of the frames, and those in the folders for training images without a pose."""
    root = found.root
    found.photos = [frame.photo for frame in found.frames]
    known = {photo.path for photo in found.photos}
    folders = _PHOTO_FOLDERS if not found.photos else ("train/good",)
    for folder in folders:
        paths = [path for path in list_images(root / folder) if path not in known]
        for path in paths:
            name = relative_name(path, root)
            try:
                read_header(path)
                if not looks_whole(path):
                    raise DataError("the image is truncated or broken; copy or export it again")
                found.photos.append(PhotoFile(name, path))
            except DataError as error:
                if not any(p.file == name for p in found.problems):
                    found.tell(name, "warning", f"left out: {error}")
        if paths:
            break
    found.photos.sort(key=lambda photo: natural_key(photo.name))
    unposed = len(found.photos) - len(found.frames)
    if found.frames and unposed:
        posed = {frame.photo.name for frame in found.frames}
        first = next(photo.name for photo in found.photos if photo.name not in posed)
        found.tell(
            first, "warning", f"{unposed} training images have no usable pose; only methods without poses see them"
        )
