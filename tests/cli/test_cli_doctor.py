"""``paad doctor`` reports what is broken and goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paad.cli import doctor


def test_one_broken_thing_does_not_hide_the_next(monkeypatch: pytest.MonkeyPatch, paad: Any) -> None:
    def broken() -> doctor.Look:
        raise OSError("no such\nlibrary")

    for what in ("torch", "numba", "mitsuba"):
        monkeypatch.setitem(doctor._LOOKS, what, broken)
    monkeypatch.setattr(doctor, "OPTIONAL", {"surely-not-installed": "nothing", "pytest": "tests"})
    code, out, _ = paad("doctor", "--json")
    assert code == 0
    found = {f["what"]: f for f in json.loads(out)}
    assert found["mitsuba"] == {"what": "mitsuba", "state": "warning", "text": "OSError: no such library"}
    assert found["memory"]["state"] == "ok"
    assert found["surely-not-installed"]["text"].endswith("pip install surely-not-installed")
    assert found["pytest"]["state"] == "ok"
    assert "!!  mitsuba" in paad("doctor")[1]


def test_numba_and_the_kernel_cache() -> None:
    state, text = doctor._numba()
    assert state == "ok"
    assert "kernels shared among" in text


def test_a_cache_that_cannot_be_written_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    state, text = doctor._cache()
    assert state == "warning"
    assert "NUMBA_CACHE_DIR" in text


@pytest.mark.parametrize("how", ["ends badly", "never ends"])
def test_the_renderer_is_tried_in_a_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, how: str) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\n" + ("kill -ABRT $$" if how == "ends badly" else "exec sleep 20"))
    script.chmod(0o755)
    monkeypatch.setattr(doctor.sys, "executable", str(script))
    monkeypatch.setattr(doctor, "PROBE_SECONDS", 0.2 if how == "never ends" else 20)
    finding = doctor._guarded("mitsuba", doctor._mitsuba)
    assert finding.state == "warning"
    assert ("ended by signal 6" in finding.text) == (how == "ends badly")
