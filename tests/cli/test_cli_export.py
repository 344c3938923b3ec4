"""``paad export``: a model's field to a file; methods without a field are wrong usage."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import tiny_detector


@pytest.fixture(autouse=True)
def ply(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the writer of splat files."""
    module = ModuleType("paad.fields.ply")
    module.write_ply = lambda gaussians, path: Path(path).write_text(f"ply of {gaussians}")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "paad.fields.ply", module)


def test_a_field_is_written(monkeypatch: pytest.MonkeyPatch, paad: Any, model: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(tiny_detector.Tiny, "field", SimpleNamespace(gaussians="three splats"), raising=False)
    code, out, err = paad("export", model, "--to", "ply", tmp_path / "a.ply")
    assert (code, out) == (0, "")
    assert (tmp_path / "a.ply").read_text() == "ply of three splats"
    assert "a.ply" in err


def test_a_method_without_a_field_is_wrong_usage(paad: Any, model: Path, tmp_path: Path) -> None:
    code, _, err = paad("export", model, "--to", "ply", tmp_path / "a.ply")
    assert code == 2
    assert "'tiny' learns no 3D field" in err
    assert not (tmp_path / "a.ply").exists()


def test_a_missing_model_is_3_and_a_folder_as_target_is_2(paad: Any, model: Path, tmp_path: Path) -> None:
    assert paad("export", tmp_path / "none.paad", "--to", "ply", tmp_path / "a.ply")[0] == 3
    assert paad("export", model, "--to", "ply", tmp_path)[0] == 2
