"""``paad inspect``: the JSON lines of the contract, one for every photo, whatever is wrong with some of them."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SIZE, photo
from PIL import Image

from paad.types import Prediction

KEYS = ["image", "status", "score", "threshold", "p_value", "cam_from_world", "pose_quality", "regions", "map",
        "reference", "seconds", "message"]  # fmt: skip


def _lines(text: str) -> list[dict[str, Any]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_one_record_a_photo_with_the_keys_of_the_contract(paad: Any, model: Path, toy_dir: Path) -> None:
    code, out, err = paad("inspect", model, toy_dir / "test", "--json", "-")
    assert code == 0  # defects are a result, not a failure
    records = _lines(out)
    assert [r["status"] for r in records] == ["ok"] * 3 + ["defect"] * 3
    for record in records:
        assert list(record) == KEYS
        assert list(record["seconds"]) == ["pose", "render", "score", "total"]
        assert np.array(record["cam_from_world"]).shape == (4, 4)
        assert record["map"] is record["reference"] is None
    region = records[3]["regions"][0]
    assert list(region) == ["bbox", "area_px", "peak", "kind"]
    assert (region["bbox"], region["area_px"], region["kind"]) == ([2, 4, 10, 12], 64, "stain")
    assert "6 photos: 3 defect, 3 ok" in err


def test_broken_photos_are_lines_and_the_others_are_judged(paad: Any, model: Path, tmp_path: Path) -> None:
    photo(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"")
    whole = photo(tmp_path / "whole" / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "4.jpg").write_text("text")
    Image.new("RGB", (8, 8), (0, 255, 0)).save(tmp_path / "5.png")  # no pose
    Image.new("RGB", (8, 8), (0, 0, 255)).save(tmp_path / "6.png")  # the detector fails
    photo(tmp_path / "10.png", blob=True)
    files = [
        tmp_path / name for name in ("1.png", "2.png", "3.png", "4.jpg", "5.png", "6.png", "nowhere.png", "10.png")
    ]
    code, out, _ = paad("inspect", model, *files, "--json", "-")
    assert code == 0
    records = _lines(out)
    assert [r["image"] for r in records] == [str(f) for f in files]
    assert [r["status"] for r in records] == ["ok", "error", "error", "error", "unknown", "error", "error", "defect"]
    for record, file in zip(records, files):
        assert list(record) == KEYS
        if record["status"] == "error":
            assert record["score"] is None
            assert record["regions"] == []
            assert str(file) in record["message"]
    assert records[4]["message"] == "no pose explains this photo"
    assert records[4]["score"] is None
    assert records[5]["message"] == f"{files[5]}: unexpected RuntimeError: blue is not handled (--debug shows where)"


def test_every_line_is_flushed_before_the_next_photo(
    monkeypatch: pytest.MonkeyPatch, model: Path, toy_dir: Path
) -> None:
    from paad.cli.judging import Judge
    from paad.cli.main import main

    events: list[str] = []
    judge = Judge.__call__

    def tracked(self: Judge, one: Any) -> Any:
        events.append("judge")
        return judge(self, one)

    class Out:
        def write(self, text: str) -> None:
            events.append("line")

        def flush(self) -> None:
            events.append("flush")

    monkeypatch.setattr(Judge, "__call__", tracked)
    monkeypatch.setattr("sys.stdout", Out())
    assert main(["inspect", str(model), str(toy_dir / "test/good"), "--json", "-"]) == 0
    assert events == ["judge", "line", "flush"] * 3


@pytest.mark.parametrize("argument", ["nowhere.png", "empty", "*.tif"])
def test_no_readable_photo_is_3(paad: Any, model: Path, tmp_path: Path, argument: str) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = paad("inspect", model, tmp_path / argument, "--json", "-")
    assert code == 3
    assert [r["status"] for r in _lines(out)] == ["error"]
    assert "no photo could be read, of 1" in err


def test_patterns_folders_and_repeats(paad: Any, model: Path, toy_dir: Path) -> None:
    good = toy_dir / "test/good"
    code, out, _ = paad("inspect", model, good / "*.png", good, good / "2.png", "--json", "-")
    assert code == 0
    assert [Path(r["image"]).name for r in _lines(out)] == ["0.png", "1.png", "2.png"]


def test_natural_order(tmp_path: Path) -> None:
    from paad.cli.photos import find_photos

    for name in ("a10.png", "a9.png", "b1.JPG", "a010b.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.path.name for p in find_photos([str(tmp_path)])] == ["a9.png", "a10.png", "a010b.png", "b1.JPG"]


def test_out_holds_maps_pictures_and_the_report(paad: Any, model: Path, toy_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, _, err = paad("inspect", model, toy_dir / "test", "--out", out, "--json", tmp_path / "all.jsonl")
    assert code == 0
    assert "report.html" in err
    records = _lines((tmp_path / "all.jsonl").read_text())
    # Both folders hold 0.png to 2.png, so the folder's name goes before the stem.
    assert Path(records[0]["map"]) == out / "good_0_map.npy"
    assert Path(records[3]["map"]) == out / "Stains_0_map.npy"
    values = np.load(records[0]["map"])
    assert (values.shape, values.dtype) == ((SIZE, SIZE), np.float32)
    assert math.isclose(values.max(), records[0]["score"], rel_tol=1e-6)
    with Image.open(records[0]["reference"]) as reference:
        assert reference.size == (SIZE, SIZE)
    assert (out / "Stains_0_overlay.png").is_file()
    assert len(os.listdir(out)) == 6 * 3 + 1
    assert "3 of 6" in (out / "report.html").read_text()


def test_stems_without_clash_stay_as_they_are(paad: Any, model: Path, toy_dir: Path, tmp_path: Path) -> None:
    assert paad("inspect", model, toy_dir / "test/good/1.png", "--out", tmp_path)[0] == 0
    assert sorted(os.listdir(tmp_path)) == ["1_map.npy", "1_overlay.png", "1_reference.png", "report.html"]


def test_a_reduced_photo_is_told_in_its_own_pixels(
    monkeypatch: pytest.MonkeyPatch, paad: Any, model: Path, tmp_path: Path
) -> None:
    from paad.data.images import load_image

    monkeypatch.setattr("paad.cli.judging.load_image", lambda path: load_image(path, max_pixels=SIZE * SIZE))
    big = photo(tmp_path / "big.png", blob=True, size=2 * SIZE)
    code, out, _ = paad("inspect", model, big, "--out", tmp_path / "out", "--json", "-")
    assert code == 0
    record = _lines(out)[0]
    assert np.load(record["map"]).shape == (2 * SIZE, 2 * SIZE)
    assert record["regions"][0]["bbox"] == [4, 8, 20, 24]
    assert record["regions"][0]["area_px"] == 256


def test_a_method_without_calibration_gives_no_verdict(paad: Any, toy_dir: Path, tmp_path: Path) -> None:
    model = tmp_path / "m.paad"
    assert paad("fit", toy_dir, "--out", model, "--method", "tiny", "--no-calibrated")[0] == 0
    code, out, _ = paad("inspect", model, toy_dir / "test/good/0.png", "--json", "-", "--out", tmp_path / "out")
    assert code == 0
    record = _lines(out)[0]
    assert record["status"] == "unknown"
    assert record["score"] > 0
    assert "not calibrated" in record["message"]
    assert "Promised false alarms" not in (tmp_path / "out/report.html").read_text()


def test_the_false_alarm_rate_reaches_the_detector(paad: Any, model: Path, toy_dir: Path) -> None:
    _, out, _ = paad("inspect", model, toy_dir / "test/Stains/0.png", "--json", "-", "--false-alarm-rate", "0.07")
    assert _lines(out)[0]["p_value"] == 0.07


def test_without_json_there_is_a_table(paad: Any, model: Path, toy_dir: Path, tmp_path: Path) -> None:
    code, out, _ = paad("inspect", model, toy_dir / "test/Stains/0.png", tmp_path / "gone.png")
    assert code == 0
    rows = out.splitlines()
    assert rows[0].split() == ["verdict", "score", "p-value", "pose", "regions", "photo"]
    assert rows[1].startswith("defect")
    assert "1 stain" in rows[1]
    assert rows[2].startswith("error")
    assert "no such image file" in rows[2]


def test_a_full_disk_keeps_the_verdicts(
    monkeypatch: pytest.MonkeyPatch, paad: Any, model: Path, toy_dir: Path, tmp_path: Path
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("paad.cli.judging.np.save", full)
    code, out, err = paad("inspect", model, toy_dir / "test/good", "--out", tmp_path, "--json", "-")
    assert code == 1
    records = _lines(out)
    assert [r["status"] for r in records] == ["ok"] * 3
    assert all("No space left" in r["message"] and r["map"] is None for r in records)
    assert "3 photos were judged" in err
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_name_that_is_no_text(paad: Any, model: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"bad\xff\xc3.png")
    photo(odd)
    code, out, _ = paad("inspect", model, odd, "--out", tmp_path / "out", "--json", "-")
    assert code == 0
    assert out.isascii()
    assert Path(_lines(out)[0]["image"]) == odd
    assert "bad" in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_a_map_of_another_size_is_an_error_line(
    monkeypatch: pytest.MonkeyPatch, paad: Any, model: Path, toy_dir: Path
) -> None:
    import tiny_detector

    monkeypatch.setattr(tiny_detector.Tiny, "predict", lambda *_: Prediction(0.0, np.zeros((3, 3), np.float32)))
    code, out, _ = paad("inspect", model, toy_dir / "test/good/0.png", "--json", "-")
    assert code == 0
    assert _lines(out)[0]["status"] == "error"


def test_out_must_not_be_a_file(paad: Any, model: Path, toy_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = paad("inspect", model, toy_dir / "test", "--out", tmp_path / "file")
    assert code == 2
    assert "choose another" in err


def test_a_specimen_needs_a_method_that_judges_specimens(paad: Any, model: Path, toy_dir: Path) -> None:
    code, _, err = paad("inspect", model, toy_dir / "test/good/0.png", "--specimen")
    assert code == 2
    assert "judges single photos only" in err
