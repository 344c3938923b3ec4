"""``paad data check`` and ``paad data convert``: exit codes and what is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest


def test_a_sound_folder(paad: Any, toy_dir: Path) -> None:
    code, out, _ = paad("data", "check", toy_dir)
    assert code == 0
    assert "training photos   4 (4 of 48x48), 4 with a pose from transforms.json" in out
    assert "test photos       3 good, 3 Stains; 3 with a mask, 6 with a true pose" in out
    assert out.splitlines()[-1].startswith("usable: ")
    code, out, _ = paad("data", "check", toy_dir, "--json")
    assert (code, json.loads(out)["usable"]) == (0, True)


@pytest.mark.parametrize("damage", ["nothing there", "no poses", "broken poses"])
def test_an_unusable_folder_is_3_and_names_the_file(paad: Any, toy_dir: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "square"
    named = "square"
    if damage != "nothing there":
        shutil.copytree(toy_dir, folder)
        named = "transforms.json"
    if damage == "no poses":
        (folder / "transforms.json").unlink()
    if damage == "broken poses":
        (folder / "transforms.json").write_text('{"frames": [')
    code, out, _ = paad("data", "check", folder)
    assert code == 3
    assert f"error: {folder if damage == 'nothing there' else ''}" in out
    assert named in out
    assert "NOT usable" in out
    code, out, _ = paad("data", "check", folder, "--json")
    assert (code, json.loads(out)["usable"]) == (3, False)


def test_an_empty_photo_is_named_and_left_out(paad: Any, toy_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "square"
    shutil.copytree(toy_dir, folder)
    (folder / "train/good/1.png").write_bytes(b"")
    code, out, _ = paad("data", "check", folder)
    assert code == 0
    assert "warning: train/good/1.png: left out" in out


def test_convert_writes_a_folder_that_checks(paad: Any, toy_dir: Path, tmp_path: Path) -> None:
    code, out, err = paad("data", "convert", toy_dir, tmp_path / "new", "--to", "colmap")
    assert (code, out) == (0, "")
    assert "layout of colmap" in err
    assert paad("data", "check", tmp_path / "new")[0] == 0
    assert paad("data", "convert", toy_dir, tmp_path / "new", "--to", "mad")[0] == 2
    assert paad("data", "convert", tmp_path / "nowhere", tmp_path / "other", "--to", "mad")[0] == 3
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("arguments", [(), ("check",), ("convert", "a", "b"), ("convert", "a", "b", "--to", "zip")])
def test_wrong_usage(paad: Any, arguments: tuple[str, ...]) -> None:
    assert paad("data", *arguments)[0] == 2
