"""Convert an object folder to another layout. Coordinates are never recentred or rescaled."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from paad.data.colmap_writer import write_model
from paad.data.images import PIXEL_LIMIT, load_image, read_header, save_png
from paad.data.intrinsics import undistort
from paad.data.masks import read_mask
from paad.data.objects import ObjectFolder, open_object
from paad.data.transforms import write_transforms
from paad.data.views import Frame
from paad.errors import DataError, PaadError, UsageError
from paad.geometry.camera import Camera
from paad.types import Float64

Layout = Literal["mad", "nerfstudio", "colmap"]
_LAYOUTS = ("mad", "nerfstudio", "colmap")


def convert_object(src: str | Path, dst: str | Path, to: Layout = "mad") -> Path:
    """Write the object folder ``src`` anew as ``dst``, whole or not at all; returns ``dst``.

    Images are copied as they are, but those with lens distortion or an EXIF rotation are written as upright PNGs of
    the pinhole camera. "mad" also holds the test images, their masks and poses; the other layouts have no place
    for them.

    Raises:
        UsageError: no such layout; ``dst`` is ``src``, lies inside it, or holds something already.
        DataError: ``src`` cannot be used.
        PaadError: ``dst`` cannot be written.
    """
    if to not in _LAYOUTS:
        raise UsageError(f"layout {to!r} is not known; choose one of {', '.join(_LAYOUTS)}")
    source, target = Path(src).resolve(), Path(dst).resolve()
    if target == source or source in target.parents:
        raise UsageError(f"{dst}: lies in the data set that is read; choose another folder")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{dst}: exists and is not empty; choose another folder or remove it")
    folder = open_object(source)
    if not folder.has_poses:
        raise DataError(f"{source / 'transforms.json'}: no poses to convert; add transforms.json or a COLMAP model")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise PaadError(f"{dst}: cannot write here ({error.strerror}); choose another folder") from error
    try:
        _WRITERS[to](folder, work)
        os.chmod(work, 0o755)
        if target.exists():
            target.rmdir()
        os.replace(work, target)
    except OSError as error:
        raise PaadError(f"{dst}: not written ({error.strerror or error}); free some space") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Path(dst)


def _write_mad(folder: ObjectFolder, out: Path) -> None:
    names, masks = _write_images(folder, out, "train/good")
    _write_poses(folder, out, names, masks)
    moved: dict[str, str] = {}
    for query in folder.test:
        moved[query.name] = f"test/{query.label}/{query.path.name}"
        _copy(query.path, out / moved[query.name])
        if query.mask_path:
            mask = f"{query.path.stem}_mask{query.mask_path.suffix}"
            _copy(query.mask_path, out / "ground_truth" / query.label / mask)
    poses = {moved[name]: pose for name, pose in folder.test_poses.items() if name in moved}
    if poses:
        write_transforms(out / "test_transforms.json", folder.train.cameras[0], poses)


def _write_nerfstudio(folder: ObjectFolder, out: Path) -> None:
    names, masks = _write_images(folder, out, "images")
    _write_poses(folder, out, names, masks)


def _write_colmap(folder: ObjectFolder, out: Path) -> None:
    names, _ = _write_images(folder, out, "images")
    short = [Path(name).name for name in names]
    views = folder.train
    write_model(out / "sparse/0", dict(zip(short, views.cameras)), dict(zip(short, views.poses)), folder.points)


_WRITERS: dict[str, Callable[[ObjectFolder, Path], None]] = {
    "mad": _write_mad,
    "nerfstudio": _write_nerfstudio,
    "colmap": _write_colmap,
}


def _write_poses(folder: ObjectFolder, out: Path, names: list[str], masks: dict[str, str]) -> None:
    cameras = folder.train.cameras
    poses: dict[str, Float64] = dict(zip(names, folder.train.poses))
    camera: Camera | dict[str, Camera] = cameras[0] if len(set(cameras)) == 1 else dict(zip(names, cameras))
    write_transforms(out / "transforms.json", camera, poses, masks)


def _write_images(folder: ObjectFolder, out: Path, place: str) -> tuple[list[str], dict[str, str]]:
    """Names of the written training images in the order of the views, and the names of their masks."""
    names: list[str] = []
    masks: dict[str, str] = {}
    taken: set[str] = set()
    for frame in folder.train.frames:
        photo = frame.photo
        rewritten = bool(frame.distortion) or read_header(photo.path).orientation != 1
        stem, suffix = photo.path.stem, ".png" if rewritten else photo.path.suffix
        if stem.lower() in taken:  # the same name in two folders of the source
            stem = photo.name.replace("/", "_").rsplit(".", 1)[0]
        taken.add(stem.lower())
        names.append(f"{place}/{stem}{suffix}")
        if rewritten:
            _write_pinhole(frame, out / names[-1])
        else:
            _copy(photo.path, out / names[-1])
        if photo.mask_path:
            masks[names[-1]] = f"masks/{stem}{suffix}.png" if place == "images" else f"masks/{stem}.png"
            mask = read_mask(photo.mask_path)
            mask = undistort(mask, frame.camera, frame.distortion) if frame.distortion else mask
            save_png(out / masks[names[-1]], mask)
    return names, masks


def _write_pinhole(frame: Frame, path: Path) -> None:
    image = load_image(frame.photo.path, max_pixels=PIXEL_LIMIT, upright=frame.photo.upright)
    save_png(path, undistort(image, frame.camera, frame.distortion) if frame.distortion else image)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
