"""Open an object folder: posed training views, labelled queries, points, and what is wrong with the data."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from paad.data.colmap import Points
from paad.data.manifest import Manifest, read_manifest
from paad.data.problems import Problem
from paad.data.queries import Query
from paad.data.survey import Format, Survey, survey
from paad.data.views import Photos, PosedViews
from paad.errors import DataError
from paad.types import Float64


def open_object(path: str | Path) -> ObjectFolder:
    """Open the folder of one object as DESIGN.md's contract describes it; pixels are decoded when asked for.

    Views that cannot be used are left out and named in ``problems``. A folder without any poses opens too: its
    images are ``train_images``.

    Raises:
        DataError: no such folder, no images in it, a broken pose file, or fewer than 3 usable posed views.
    """
    found = survey(Path(path))
    if found.errors:
        worst = found.errors[0]
        file = str(found.root / worst.file) if not Path(worst.file).is_absolute() else worst.file
        raise DataError(worst.message if file in worst.message else f"{file}: {worst.message}")
    return ObjectFolder(found)


class ObjectFolder:
    """One object's data. Nothing is ever written into it."""

    def __init__(self, found: Survey) -> None:
        self._found = found
        self._views = PosedViews(found.frames, model_folder=found.model_folder)

    def __repr__(self) -> str:
        return f"<object {self.name}: {len(self._views)} posed views, {len(self.test)} queries>"

    @property
    def root(self) -> Path:
        """The folder."""
        return self._found.root

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._found.root.resolve().name

    @property
    def format(self) -> Format:
        """Where the poses come from; "none" for a folder without poses."""
        return self._found.format

    @property
    def problems(self) -> list[Problem]:
        """What was left out or guessed when the folder was opened."""
        return list(self._found.problems)

    @property
    def has_poses(self) -> bool:
        """Whether ``train`` can be used."""
        return len(self._views) > 0

    @property
    def train(self) -> PosedViews:
        """The posed views of good specimens.

        Raises:
            DataError: the folder has no poses.
        """
        if not self._views:
            raise DataError(
                f"{self.root / 'transforms.json'}: no such file, nor a COLMAP model in sparse/; this method needs "
                "camera poses. Add them, or choose a method that does without"
            )
        return self._views

    @cached_property
    def train_images(self) -> Photos:
        """All training images, posed or not, without their poses."""
        found = self._found
        return Photos(found.photos, lambda: self._views.mask_policy) if found.frames else Photos(found.photos)

    @property
    def test(self) -> list[Query]:
        """The labelled test images, "good" first."""
        return list(self._found.queries)

    @property
    def test_poses(self) -> dict[str, Float64]:
        """True ``cam_from_world`` [4, 4] by ``Query.name``, for the evaluation of poses only."""
        return dict(self._found.test_poses)

    @cached_property
    def manifest(self) -> Manifest:
        """What an optional ``manifest.json`` says: the specimen that a photo shows, attributes of the object."""
        return read_manifest(self.root)

    @property
    def points(self) -> Points | None:
        """COLMAP's points in the frame of the poses, where the poses come from COLMAP, else None.

        Raises:
            DataError: the points file is broken.
        """
        return self._views.points

    def fingerprint(self, part: Literal["all", "train"] = "all") -> str:
        """SHA-256 over names, poses, intrinsics, specimens and, of each file, its size and its first and last 4 KB."""
        digest = hashlib.sha256()
        for frame in self._found.frames:
            digest.update(np.round(frame.cam_from_world, 9).tobytes() + repr(frame.camera).encode())
        files = [(photo.name, photo.path, photo.mask_path) for photo in self._found.photos]
        if part == "all":
            files += [(query.name, query.path, query.mask_path) for query in self._found.queries]
            if self.manifest.specimens:
                digest.update(repr(sorted(self.manifest.specimens.items())).encode())
        for name, path, mask_path in files:
            digest.update(name.encode())
            for file in (path, mask_path):
                if file is not None:
                    digest.update(_sample(file))
        return digest.hexdigest()


def _sample(file: Path) -> bytes:
    """The size of a file, and its first and last 4 KB."""
    with file.open("rb") as handle:
        start = handle.read(4096)
        size = handle.seek(0, 2)
        handle.seek(max(0, size - 4096))
        return str(size).encode() + start + handle.read()
