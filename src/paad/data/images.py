"""Read any photo that Pillow can open as uint8 RGB or RGBA, and read sizes without decoding pixels."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from paad.errors import DataError
from paad.types import UInt8

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
"""What counts as an image when a folder is listed, in lower case."""

MAX_PIXELS = 32_000_000
"""Larger photos are reduced while they are decoded, unless the caller asks for more."""

PIXEL_LIMIT = 400_000_000
"""No photo has this many pixels; such a file is refused before it is decoded."""

_READABLE = "use PNG, JPEG, TIFF, BMP or WebP"
_PILLOW_GLOBALS = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its pixels are decoded. ``width`` and ``height`` are as stored.

    ``orientation`` is the EXIF value, 1 for upright; 5 to 8 swap width and height.
    """

    width: int
    height: int
    mode: str
    has_alpha: bool
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) after the EXIF rotation."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_header(path: str | Path) -> Header:
    """Size, mode and orientation of an image file, without decoding it.

    Raises:
        DataError: missing, empty, not an image, or above :data:`PIXEL_LIMIT`.
    """
    with _opened(Path(path)) as image:
        has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        width, height = image.size
        if isinstance(image, TiffImageFile):  # newer Pillows give the size after the rotation
            width, height = int(image.tag_v2.get(256, width)), int(image.tag_v2.get(257, height))
        return Header(width, height, image.mode, has_alpha, _orientation(image))


def load_image(path: str | Path, max_pixels: int = MAX_PIXELS, upright: bool = True) -> UInt8:
    """Decode a photo to uint8 RGB [H, W, 3], or [H, W, 4] where its alpha channel is not opaque everywhere.

    16-bit grey is divided by 257. Float images are taken as [0, 1], [0, 255] or [0, 65535], whichever is the
    smallest range that holds them. Colour under a transparent pixel is kept as it is stored.

    Args:
        max_pixels: a photo with more pixels comes back reduced by a whole factor, so that a 100-megapixel file
            needs less than 1 GB. :func:`read_header` tells the size it has on disk.
        upright: turn the photo as its EXIF orientation says.

    Raises:
        DataError: missing, empty, truncated, not an image, not finite, or above :data:`PIXEL_LIMIT`.
    """
    file = Path(path)
    with _opened(file) as image:
        orientation = _orientation(image)
        factor = 1
        while (image.width // factor) * (image.height // factor) > max_pixels:
            factor += 1
        try:
            if factor > 1 and image.format == "JPEG":
                stored = image.size
                image.draft(image.mode, (stored[0] // factor, stored[1] // factor))
                factor = max(1, round(factor * image.width / stored[0]))
            image.load()
            reduce_first = image.mode in ("L", "RGB", "RGBA", "CMYK", "LA")
            pixels = _as_8_bit(image.reduce(factor) if factor > 1 and reduce_first else image, file)
            if factor > 1 and not reduce_first:
                pixels = pixels.reduce(factor)
            # Newer Pillows turn a TIFF when it is loaded, and then forget its orientation.
            turned = orientation != 1 and _orientation(image) == 1
            if upright and orientation != 1 and not turned:
                pixels = pixels.transpose(_TURNS[orientation])
            if turned and not upright:
                pixels = pixels.transpose(_TURNS[{6: 8, 8: 6}.get(orientation, orientation)])
            array = np.array(pixels)
        except DataError:
            raise
        except Exception as error:  # a decoder fed with broken bytes raises nearly anything
            raise DataError(
                f"{file}: the image is damaged ({error}); it is truncated or broken. Copy or export it again"
            ) from error
    if array.shape[2] == 4 and bool((array[..., 3] == 255).all()):
        array = np.ascontiguousarray(array[..., :3])
    return array


def save_png(path: str | Path, image: UInt8) -> Path:
    """Write uint8 [H, W], [H, W, 3] or [H, W, 4] as PNG, whole or not at all; returns the path."""
    from paad.data.files import whole_file

    with whole_file(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, format="PNG", compress_level=4)
    return Path(path)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """The file opened by Pillow, its pixels not yet decoded."""
    if not file.is_file():
        raise DataError(f"{file}: no such image file; give the path of an image")
    if file.stat().st_size == 0:
        raise DataError(f"{file}: the file is empty (0 bytes); copy or export it again")
    try:
        # Pillow's own limit is a global variable and a warning; ours is PIXEL_LIMIT and an error.
        with _PILLOW_GLOBALS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = Image.open(file)
            finally:
                Image.MAX_IMAGE_PIXELS = before
    except Exception as error:
        raise DataError(f"{file}: not an image that can be read; {_READABLE}") from error
    with image:
        if image.width * image.height > PIXEL_LIMIT:
            raise DataError(
                f"{file}: {image.width}x{image.height} pixels; at most {PIXEL_LIMIT // 10**6} megapixels are read. "
                "Save it smaller"
            )
        yield image


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8. Of a PNG only what stands before its pixels is read: Pillow would decode it all."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        with _PILLOW_GLOBALS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF data says nothing about the pixels
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _as_8_bit(image: Image.Image, file: Path) -> Image.Image:
    """The image in mode RGB or RGBA."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float32)
        if not np.isfinite(values).all():
            raise DataError(f"{file}: the image holds values that are not finite; export it again")
        top = float(values.max(initial=0.0))
        if image.mode.startswith("I") or top > 255.0:
            scale = 1.0 / 257.0
        else:
            scale = 255.0 if top <= 1.0 else 1.0
        return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGB", "RGBA") and "transparency" not in image.info:
        return image
    translucent = image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    return image.convert("RGBA" if translucent else "RGB")


def looks_whole(path: Path) -> bool:
    """Whether a PNG or JPEG has its end marker; decides by decoding only where the marker is not found.

    A truncated file is so found when a data set is opened, not in the middle of a fit. Other formats are
    taken to be whole.
    """
    with path.open("rb") as handle:
        start = handle.read(4)
        handle.seek(0, 2)
        handle.seek(max(0, handle.tell() - 2048))
        end = handle.read()
    marker = b"IEND" if start == b"\x89PNG" else b"\xff\xd9" if start[:3] == b"\xff\xd8\xff" else b""
    if marker in end:
        return True
    try:
        load_image(path, max_pixels=PIXEL_LIMIT)
    except DataError:
        return False
    return True
