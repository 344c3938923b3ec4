"""Every kind of photo is read the same way, and what cannot be read says so with its name."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paad.data.images import load_image, looks_whole, read_header, save_png
from paad.errors import DataError

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_rgb_and_alpha(tmp_path: Path) -> None:
    save_png(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), RGB)
    alpha = np.dstack([RGB, np.full((6, 9), 255, np.uint8)])
    save_png(tmp_path / "opaque.png", alpha)
    assert load_image(tmp_path / "opaque.png").shape == (6, 9, 3)
    alpha[2, 3, 3] = 0
    save_png(tmp_path / "hole.png", alpha)
    np.testing.assert_array_equal(load_image(tmp_path / "hole.png"), alpha)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LA", "I;16", "I", "F"])
def test_every_mode_becomes_8_bit_rgb(tmp_path: Path, mode: str) -> None:
    grey = np.linspace(0, 255, 54).reshape(6, 9).round().astype(np.uint8)
    path = tmp_path / ("a.png" if mode in ("L", "1", "P", "LA", "I;16") else "a.tif")
    if mode == "I;16":
        Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    elif mode == "I":
        Image.fromarray(grey.astype(np.int32) * 257).save(path)
    elif mode == "F":
        Image.fromarray(grey.astype(np.float32) / 255).save(path)
    else:
        Image.fromarray(grey).convert("RGB" if mode in ("CMYK", "YCbCr") else "L").convert(mode).save(path)
    image = load_image(path)
    assert image.dtype == np.uint8
    assert image.shape == (6, 9, 3)
    if mode != "1":
        assert np.abs(image[..., 0].astype(int) - grey).max() <= 2


def test_float_images_of_other_ranges(tmp_path: Path) -> None:
    for top in (255.0, 65535.0):
        Image.fromarray(np.full((4, 4), top, np.float32)).save(tmp_path / "f.tif")
        assert (load_image(tmp_path / "f.tif") == 255).all()
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(DataError, match=r"nan\.tif"):
        load_image(tmp_path / "nan.tif")


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "L").convert("P")
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.save(tmp_path / "p.png", transparency=0)
    out = load_image(tmp_path / "p.png")
    assert out.shape == (2, 2, 4)
    assert out[0, 1].tolist() == [0, 0, 255, 255]
    assert out[0, 0, 3] == 0
    assert read_header(tmp_path / "p.png").has_alpha


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_gives_the_upright_picture(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1], 5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, 1), 7: RGB[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(RGB, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    for suffix in ("png", "tif"):
        path = tmp_path / f"turned.{suffix}"
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
        np.testing.assert_array_equal(load_image(path), RGB)
        np.testing.assert_array_equal(load_image(path, upright=False), stored)
        assert read_header(path).upright_size == (9, 6)


def test_a_large_photo_is_reduced_and_pillow_stays_silent(tmp_path: Path) -> None:
    (tmp_path / "huge.pgm").write_bytes(b"P5 10000 10000 255\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(tmp_path / "huge.pgm").upright_size == (10000, 10000)
    Image.new("L", (3000, 2000), 200).save(tmp_path / "grey.png")
    image = load_image(tmp_path / "grey.png", max_pixels=60_000)
    assert image.shape == (200, 300, 3)
    assert (image == 200).all()
    Image.new("RGB", (1600, 800), (10, 20, 30)).save(tmp_path / "large.jpg")
    assert load_image(tmp_path / "large.jpg", max_pixels=80_000).shape == (200, 400, 3)


def test_a_gigapixel_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.ppm").write_bytes(b"P6 40000 40000 255\n")
    with pytest.raises(DataError, match=r"bomb\.ppm.*400 megapixels"):
        load_image(tmp_path / "bomb.ppm")


def test_damaged_files_name_themselves(tmp_path: Path) -> None:
    whole = save_png(tmp_path / "whole.png", RGB.repeat(20, 0)).read_bytes()
    jpeg = tmp_path / "whole.jpg"
    Image.fromarray(RGB.repeat(20, 0)).save(jpeg)
    cases = {
        "zero.png": b"", "cut.png": whole[: len(whole) // 2], "text.png": b"hello", "cut.jpg": jpeg.read_bytes()[:500],
        "flipped.png": whole[:60] + bytes(20) + whole[80:],
    }  # fmt: skip
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=re.escape(name)):
            load_image(tmp_path / name)
    for name in ("missing.png", "."):
        with pytest.raises(DataError, match="no such image"):
            load_image(tmp_path / name)
    assert looks_whole(tmp_path / "whole.png")
    assert looks_whole(jpeg)
    assert not looks_whole(tmp_path / "cut.png")
    assert not looks_whole(tmp_path / "cut.jpg")
