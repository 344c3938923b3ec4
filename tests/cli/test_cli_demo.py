"""``paad demo`` with a stand-in for the renderer and the tests' detector: its stages, its report, and going on."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paad.cli import demo

pytest.importorskip("paad.synth.dataset")


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch, toy_dir: Path) -> list[Path]:
    """``generate`` copies the tests' object folder; the list holds the folders it was asked for."""
    asked: list[Path] = []

    def generate(out: Path, toys: Any, profile: Any, **_: Any) -> Path:
        asked.append(out)
        for name in toys:
            shutil.copytree(toy_dir, out / name, dirs_exist_ok=True)
        return out

    monkeypatch.setattr("paad.synth.dataset.generate", generate)
    # The tests' detector knows no time limit.
    monkeypatch.setitem(demo.PROFILES, "quick", replace(demo.PROFILES["quick"], options={}))
    return asked


def test_the_demo_ends_in_a_report_and_goes_on_after_an_interruption(
    monkeypatch: pytest.MonkeyPatch, rendered: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = demo.make_demo(tmp_path / "demo", "quick", method="tiny")
    assert report == tmp_path / "demo/report.html"
    page = report.read_text()
    assert "6 of 12 photos show a defect." in page
    for name in demo.TOYS:
        assert f'<h2 id="s{demo.TOYS.index(name) + 1}-name">{name}</h2>' in page
        assert (tmp_path / f"demo/{name}.paad").is_file()
        made = os.listdir(tmp_path / "demo" / name)
        assert {"evaluate.json", "photos.jsonl", "report.html", "good_0_map.npy", "Stains_2_overlay.png"} <= set(made)
    first = capsys.readouterr()
    assert "rendering photos" in first.err
    (tmp_path / f"demo/{demo.TOYS[1]}.paad").write_bytes(b"cut")
    demo.make_demo(tmp_path / "demo", "quick", method="tiny")
    again = capsys.readouterr().err
    assert "kept" in again
    assert "learning again" in again
    assert rendered == [tmp_path / "demo/data/quick"] * 2


def test_other_photos_are_learned_anew(rendered: list[Path], tmp_path: Path, toy_dir: Path) -> None:
    from paad.data import open_object

    demo.make_demo(tmp_path, "quick", method="tiny")
    model = tmp_path / f"{demo.TOYS[0]}.paad"
    assert demo._kept(model, open_object(toy_dir).fingerprint("train")) is not None
    assert demo._kept(model, "another") is None


def test_the_demo_shows_about_forty_photos() -> None:
    full, quick = demo.PROFILES["full"], demo.PROFILES["quick"]
    assert 36 <= len(demo.TOYS) * (full.good + full.defect) <= 44
    assert len(demo.TOYS) * (quick.good + quick.defect) < 30
    assert full.defect % 3 == quick.defect % 3 == 0
