"""``paad evaluate``: the record of the contract, the table, the report; a failed photo counts as wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def test_the_record_of_the_contract(paad: Any, model: Path, toy_dir: Path) -> None:
    code, out, err = paad("evaluate", model, toy_dir, "--json", "-")
    assert code == 0
    record = json.loads(out)
    assert list(record) == ["object", "method", "n_good", "n_defect", "image", "pixel", "pose", "seconds",
                            "peak_rss_mb", "settings"]  # fmt: skip
    assert (record["object"], record["method"], record["n_good"], record["n_defect"]) == ("square", "tiny", 3, 3)
    assert list(record["image"]) == ["auroc", "ap", "f1_max", "tpr_at_fpr_2"]
    assert list(record["pixel"]) == ["auroc", "ap", "f1_max", "aupro_30", "aupro_5", "aupimo"]
    assert {"rot_deg_median", "rot_deg_max", "trans_rel_median", "auc_5deg"} <= set(record["pose"])
    assert record["image"]["auroc"] == record["pixel"]["auroc"] == 1.0
    assert record["seconds"]["fit"] == 1.5
    assert 0 < record["seconds"]["per_image"] < 1
    assert record["peak_rss_mb"] > 10
    assert record["settings"]["config"]["threshold"] == 0.2
    assert record["settings"]["more"]["calibration"]["false_alarms"] == 0
    assert "image auroc" in err


def test_json_file_table_and_report(paad: Any, model: Path, toy_dir: Path, tmp_path: Path) -> None:
    code, out, _ = paad("evaluate", model, toy_dir, "--json", tmp_path / "e.json", "--out", tmp_path / "out")
    assert code == 0
    assert "100.00 %" in out
    assert json.loads((tmp_path / "e.json").read_text()) == json.loads((tmp_path / "out/evaluate.json").read_text())
    photos = [json.loads(line) for line in (tmp_path / "out/photos.jsonl").read_text().splitlines()]
    assert [p["label"] for p in photos] == ["good"] * 3 + ["Stains"] * 3
    page = (tmp_path / "out/report.html").read_text()
    assert "image AUROC" in page
    assert "<b>3 of 3</b> photos of defective specimens were flagged" in page


def test_a_broken_photo_counts_as_wrong(paad: Any, model: Path, toy_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "square"
    shutil.copytree(toy_dir, copy)
    (copy / "test/Stains/0.png").write_bytes(b"broken")
    (copy / "ground_truth/Stains/1_mask.png").write_bytes(b"broken")
    code, out, err = paad("evaluate", model, copy, "--json", "-")
    assert code == 0
    record = json.loads(out)
    assert record["n_defect"] == 3
    assert record["settings"]["n_failed"] == 1
    assert record["image"]["auroc"] == pytest.approx(2 / 3)
    assert "left out of the pixel figures" in err


@pytest.mark.parametrize("what", ["no object", "no test photos", "all broken"])
def test_unusable_objects_are_3(paad: Any, model: Path, toy_dir: Path, tmp_path: Path, what: str) -> None:
    copy = tmp_path / "square"
    if what != "no object":
        shutil.copytree(toy_dir, copy)
    if what == "no test photos":
        shutil.rmtree(copy / "test")
    if what == "all broken":
        for file in (copy / "test").rglob("*.png"):
            file.write_bytes(b"broken")
    code, out, err = paad("evaluate", model, copy, "--json", "-")
    assert (code, out) == (3, "")
    assert "square" in err
