"""The inspection report: self-contained, complete, small enough, and right in what it says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paad.errors import PaadError
from paad.report import inspect, pictures
from paad.report.items import Item, Section, make_item
from paad.types import Prediction, Region

VOID = {"meta", "img", "input", "image", "rect", "line"}


class _Page(HTMLParser):
    """Checks that tags nest, and collects addresses and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.images_without_text = 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.addresses += [str(named[key]) for key in ("src", "href") if key in named]
        self.images_without_text += tag == "img" and not named.get("alt")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [str(v) for k, v in attrs if k in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _item(name: str, status: str, score: float | None, label: str | None = None, side: int = 64) -> Item:
    rng = np.random.default_rng(len(name))
    image = rng.integers(0, 256, (side, side, 3), np.uint8)
    regions = (
        (Region((5, 6, 15, 20), 90, 2.5, "burr"), Region((1, 1, 3, 3), 4, 3.5, None)) if status == "defect" else ()
    )
    prediction = Prediction(score or 0.0, rng.random((side, side), np.float32), np.eye(4), image / np.float32(255),
                            regions=regions, extra={"map_threshold": 0.7})  # fmt: skip
    record = {
        "image": name, "status": status, "score": score, "threshold": 1.0, "p_value": 0.01, "pose_quality": 0.93,
        "cam_from_world": np.eye(4).tolist(), "map": None, "reference": None, "message": "", "seconds": {"total": 0.5},
        "regions": [{"bbox": list(r.bbox), "area_px": r.area_px, "peak": r.peak, "kind": r.kind} for r in regions],
    }  # fmt: skip
    if status == "error":
        return make_item(name, {**record, "score": None, "message": "the file is <cut>"}, label=label)
    mask = np.zeros((side, side), bool)
    mask[5:15, 5:15] = label not in (None, "good")
    return make_item(name, record, image, prediction, label, mask)


@pytest.fixture
def items() -> list[Item]:
    return [
        _item("good.png", "ok", 0.3, "good"),
        _item("alarm.png", "defect", 1.1, "good"),
        _item("found.png", "defect", 2.0, "Burrs"),
        _item("missed.png", "ok", 0.8, "Burrs"),
        _item("other.png", "unknown", None, "Burrs"),
        _item("cut.png", "error", None, "good"),
    ]


def _page(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    page.text = re.sub(r"\s+", " ", page.text)
    return page


def test_the_page_says_everything_and_loads_nothing(items: list[Item], tmp_path: Path) -> None:
    evaluation = {"image": {"auroc": 0.75, "ap": None}, "pixel": {"auroc": 0.9}, "pose": None}
    section = Section(
        "duck", "paad", items, 0.05, [("PSNR of unseen good views", "38.2 dB")], {"steps": 3000}, evaluation
    )
    page = _page(inspect.write_report(tmp_path / "r.html", [section]))
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert page.images_without_text == 0
    assert "<script" not in (tmp_path / "r.html").read_text()
    for text in (
        "2 of 6 photos show a defect.",
        "about 5 % of photos of good specimens are flagged",
        "about 0.3 of them would be flagged",
        "1 of 3 photos of defective specimens were flagged; 1 were not judged.",
        "1 of 3 photos of good specimens were flagged by mistake; 1 were not judged.",
        "38.2 dB", '"steps": 3000', "75.00 %", "the file is <cut>", "5, 6, 15, 20", "0.93", "[1.0, 0.0, 0.0, 0.0]",
        "1 region", "2 burr",
    ):  # fmt: skip
        assert text in page.text, text


def test_suspicious_photos_come_first_and_mistakes_are_named(items: list[Item], tmp_path: Path) -> None:
    inspect.write_report(tmp_path / "r.html", [Section("duck", "paad", items)])
    text = (tmp_path / "r.html").read_text()
    order = re.findall(r'<article class="card (\w+)(?: wrong)?">\s*<h4>.*?class="name">([\w.]+)<', text, re.DOTALL)
    assert [name for _, name in order] == ["found.png", "alarm.png", "other.png", "cut.png", "missed.png", "good.png"]
    assert {i.name: i.mistake for i in items if i.mistake} == {"alarm.png": "false alarm", "missed.png": "missed"}


def test_a_photo_without_a_pose_shows_no_empty_map() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    unknown = Prediction(float("nan"), np.zeros((20, 20), np.float32), status="unknown")
    item = make_item("u.png", {"status": "unknown", "regions": []}, image, unknown)
    assert item.photo
    assert item.map is None
    assert not item.marked


@pytest.mark.parametrize(
    ("statuses", "headline"),
    [
        (["ok"], "No defect found in 1 photo."),
        (["unknown", "error"], "No verdict on any of 2 photos."),
        ([], "No verdict on any of 0 photos."),
    ],
)
def test_headlines(tmp_path: Path, statuses: list[str], headline: str) -> None:
    shown = [_item(f"{i}.png", s, 0.1) for i, s in enumerate(statuses)]
    page = _page(inspect.write_report(tmp_path / "r.html", [Section("duck", "paad", shown)]))
    assert headline in page.text
    assert "Promised" not in page.text


def test_a_hundred_photos_stay_below_15_mb_even_of_noise(tmp_path: Path) -> None:
    # Noise is the worst case of JPEG.
    one = _item("noise.png", "defect", 2.0, side=500)
    path = inspect.write_report(tmp_path / "r.html", [Section("duck", "paad", [one] * 10)])
    assert 10 * path.stat().st_size < 15e6


def test_only_the_most_suspicious_get_pictures(
    monkeypatch: pytest.MonkeyPatch, items: list[Item], tmp_path: Path
) -> None:
    monkeypatch.setattr(inspect, "MAX_PICTURED", 2)
    page = _page(inspect.write_report(tmp_path / "r.html", [Section("duck", "paad", items)]))
    assert "Pictures of the 2 most suspicious of 6 photos" in page.text
    assert "good.png" in page.text


def test_a_report_that_cannot_be_written(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PaadError, match="cannot write"):
        inspect.write_report(tmp_path / "file" / "r.html", [Section("duck", "paad", items)])


def test_rgb8_puts_transparent_pixels_on_white() -> None:
    image = np.zeros((1, 2, 4), np.float32)
    image[0, 1] = (1.0, 0.5, 0.0, 1.0)
    assert pictures.rgb8(image).tolist() == [[[255, 255, 255], [255, 128, 0]]]


def test_shrink_map_keeps_the_largest_value() -> None:
    values = np.zeros((101, 67), np.float32)
    values[100, 66] = 5.0
    small = pictures.shrink_map(values, 20)
    assert small.shape == (17, 12)
    assert small[-1, -1] == small.max() == 5.0


def test_the_heat_overlay_leaves_quiet_pixels_grey() -> None:
    photo = np.full((4, 4, 3), 100, np.uint8)
    values = np.zeros((4, 4), np.float32)
    values[0, 0] = 2.0
    shown = pictures.heat_overlay(photo, values, 1.0)
    assert np.ptp(shown[3, 3]) == 0
    assert shown[0, 0].tolist() == [252, 253, 191]


def test_the_content_box_cuts_only_a_plain_margin() -> None:
    image = np.full((100, 200, 3), 240, np.uint8)
    image[40:60, 90:130] = 30
    x0, y0, x1, y1 = pictures.content_box([image])
    assert (x1 - x0) == 2 * (y1 - y0)  # the photo's proportions
    assert x0 <= 90
    assert x1 >= 130
    assert y0 <= 40
    assert y1 >= 60
    assert (x1 - x0) < 80
    x0, y0, x1, y1 = pictures.content_box([image], keep=[(10, 5, 20, 8)])
    assert (x0 <= 10) & (y0 <= 5) & (x1 >= 130) & (y1 >= 60)
    noise = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    assert pictures.content_box([noise]) == (0, 0, 200, 100)
    assert pictures.content_box([np.zeros((5, 7, 3), np.uint8)]) == (0, 0, 7, 5)


def test_crop_square_stays_inside_the_photo() -> None:
    image: Any = np.random.default_rng(0).integers(0, 256, (60, 40, 3), np.uint8)
    for box in ((0, 0, 3, 3), (38, 55, 40, 60), (0, 0, 40, 60)):
        assert pictures.crop_square(image, box, 20).shape == (20, 20, 3)


def test_an_outline_is_painted_around_the_mask_only() -> None:
    photo = np.zeros((20, 20, 3), np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[5:10, 5:10] = True
    painted = pictures.outline(photo, mask).any(axis=2)
    assert not painted[5:10, 5:10].any()
    assert painted.sum() == 20
