"""What holds for every command: help is fast, wrong usage is 2, errors become one line and the right code."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from paad.cli import main as entry
from paad.errors import DataError, MissingDependencyError, PaadError, UsageError


def _fails_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(args: Any) -> None:
        raise error

    monkeypatch.setattr("paad.cli.methods.run", run)


def test_help_is_fast_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from paad.cli.main import main; code = main(['--help']);"
        "heavy = {'torch', 'numpy', 'numba', 'cv2', 'rich', 'PIL'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    seconds = []
    for _ in range(3):  # processor time, because other work may hold the processor; it waits for nothing else
        before = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < 0.3
    for command in ("demo", "data", "fit", "inspect", "evaluate", "bench", "export", "methods", "doctor"):
        assert f"  {command} " in done.stdout


def test_version_and_module_entry() -> None:
    done = subprocess.run([sys.executable, "-m", "paad", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("paad ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("fit",),
        ("fit", "somewhere"),
        ("fit", "somewhere", "--out", "m.paad", "--method", "tiny", "--bogus", "1"),
        ("fit", "somewhere", "--out", "m.paad", "--method", "tiny", "--steps", "many"),
        ("fit", "somewhere", "--out", "m.paad", "--method", "tiny", "--kind", "hole"),
        ("fit", "somewhere", "--out", "m.paad", "--method", "unheard-of"),
        ("fit", "somewhere", "--out", "m.paad", "--method", "tiny", "--device", "abacus"),
        ("inspect", "m.paad"),
        ("inspect", "m.paad", "a.png", "--false-alarm-rate", "0"),
        ("inspect", "m.paad", "a.png", "--false-alarm-rate", "1.5"),
        ("inspect", "m.paad", "a.png", "--false-alarm-rate", "few"),
        ("inspect", "m.paad", "a.png", "--fals", "0.1"),
        ("evaluate", "m.paad"),
        ("export", "m.paad", "--to", "obj", "x.obj"),
        ("methods", "--bogus"),
    ],
)
def test_wrong_usage_is_2(paad: Any, arguments: tuple[str, ...]) -> None:
    code, out, err = paad(*arguments)
    assert (code, out) == (2, "")
    assert "usage:" in err or err.startswith("paad: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PaadError("plain"), 1),
        (UsageError("usage"), 2),
        (DataError("data"), 3),
        (MissingDependencyError("missing"), 4),
        (KeyboardInterrupt(), 1),
        (MemoryError(), 1),
        (ValueError("first line\nsecond line"), 1),
    ],
)
def test_errors_become_one_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, paad: Any, error: BaseException, code: int
) -> None:
    _fails_with(monkeypatch, error)
    got, out, err = paad("methods")
    assert (got, out) == (code, "")
    assert err.startswith("paad: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("by", ["flag before", "flag after", "environment"])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, paad: Any, by: str) -> None:
    _fails_with(monkeypatch, ValueError("deep inside"))
    if by == "environment":
        monkeypatch.setenv("PAAD_DEBUG", "1")
    arguments = {"flag before": ("--debug", "methods"), "flag after": ("methods", "--debug")}.get(by, ("methods",))
    code, _, err = paad(*arguments)
    assert code == 1
    assert "Traceback" in err
    assert err.rstrip().endswith("paad: unexpected ValueError: deep inside")


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m paad methods --json | true", shell=True, capture_output=True, text=True
    )  # fmt: skip
    assert done.stderr == ""


def test_every_command_has_help(paad: Any) -> None:
    for command in entry.available():
        code, out, _ = paad(command, "--help")
        assert code == 0
        assert out.startswith(f"usage: paad {command}")


def test_methods_lists_the_registered_ones(paad: Any) -> None:
    code, out, _ = paad("methods")
    assert code == 0
    assert "tiny" in out
    assert '"name": "tiny"' in paad("methods", "--json")[1]
