"""``paad fit``: the options of the method, the model file, and nothing half-written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paad.cli.options import options_of

CHILD = (
    "import sys; sys.path.insert(0, {here!r}); import tiny_detector; tiny_detector.register();"
    "from paad.cli.main import main; sys.exit(main())"
)


def test_fit_writes_a_model_that_knows_where_it_comes_from(paad: Any, toy_dir: Path, tmp_path: Path) -> None:
    import paad as library

    target = tmp_path / "new" / "square.paad"
    code, out, err = paad("fit", toy_dir, "--out", target, "--method", "tiny", "--threshold", "0.5", "--limit", "none",
                          "--sizes", "4", "5", "--no-calibrated", "--kind", "burr")  # fmt: skip
    assert (code, out) == (0, "")
    assert "mean brightness" in err
    detector = library.load(target)
    config = detector.config
    assert (config.threshold, config.sizes, config.limit) == (0.5, (4, 5), None)
    assert (config.calibrated, config.kind, config.steps) == (False, "burr", 3)
    assert detector.about["object"] == "square"
    assert detector.about["n_views"] == 4
    assert len(detector.about["data_fingerprint"]) == 64
    assert os.listdir(target.parent) == ["square.paad"]


def test_help_lists_the_options_of_the_method(paad: Any) -> None:
    code, out, _ = paad("fit", "--method", "tiny", "--help")
    assert code == 0
    assert "largest mean difference of a good photo" in out
    assert "{stain,burr}" in out
    assert "--anything" not in out


def test_a_detector_without_configuration_offers_its_keywords() -> None:
    class Plain:
        def __init__(self, device: str = "auto", depth: int = 3) -> None:
            pass

    assert [(o.name, o.type, o.default) for o in options_of(Plain)] == [("depth", int, 3)]


@pytest.mark.parametrize("target", ["folder", "inside a file"])
def test_an_impossible_target_is_refused_before_the_work(paad: Any, toy_dir: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    out = tmp_path if target == "folder" else tmp_path / "file" / "m.paad"
    code, _, err = paad("fit", toy_dir, "--out", out, "--method", "tiny")
    assert code == 2
    assert str(out) in err
    assert "learning" not in err


@pytest.mark.parametrize("content", [None, "{broken", '{"frames": []}'])
def test_unusable_data_is_3(paad: Any, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "transforms.json").write_text(content)
    code, _, err = paad("fit", tmp_path, "--out", tmp_path / "m.paad", "--method", "tiny")
    assert code == 3
    assert str(tmp_path) in err
    assert not (tmp_path / "m.paad").exists()


def test_a_full_disk_leaves_the_old_model(
    monkeypatch: pytest.MonkeyPatch, paad: Any, toy_dir: Path, tmp_path: Path
) -> None:
    def full(tensors: Any, path: str, metadata: Any) -> None:
        Path(path).write_bytes(b"half of")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "m.paad"
    target.write_bytes(b"old model")
    monkeypatch.setattr("paad.detectors.modelfile.save_file", full)
    code, _, err = paad("fit", toy_dir, "--out", target, "--method", "tiny")
    assert code == 1
    assert "No space left" in err
    assert target.read_bytes() == b"old model"
    assert os.listdir(tmp_path) == ["m.paad"]


def test_a_file_that_may_not_grow_is_one_plain_line(toy_dir: Path, tmp_path: Path) -> None:
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
    done = _child(limit, "fit", toy_dir, "--out", tmp_path / "m.paad", "--method", "tiny").communicate(timeout=60)
    assert "m.paad: not written" in done[1]
    assert os.listdir(tmp_path) == []


def test_an_interruption_inside_a_destructor_is_not_lost(toy_dir: Path, tmp_path: Path) -> None:
    prelude = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import signal, time, tiny_detector
class Gone:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)
def fit(self, views, progress=None, before=tiny_detector.Tiny.fit):
    Gone()
    return before(self, views, progress)
tiny_detector.Tiny.fit = fit
"""
    child = _child(prelude, "fit", toy_dir, "--out", tmp_path / "m.paad", "--method", "tiny", "--pause", "0.2",
                   "--steps", "50")  # fmt: skip
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert err.endswith("paad: interrupted; nothing half-written was left behind\n")
    assert "Traceback" not in err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(toy_dir: Path, tmp_path: Path, sent: signal.Signals) -> None:
    child = _child("", "fit", toy_dir, "--out", tmp_path / "m.paad", "--method", "tiny", "--pause", "0.2", "--steps",
                   "200")  # fmt: skip
    assert child.stderr is not None
    assert "learning" in child.stderr.readline()
    child.send_signal(sent)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert err == "paad: interrupted; nothing half-written was left behind\n"
    assert os.listdir(tmp_path) == []


def _child(prelude: str, *arguments: Any) -> subprocess.Popen[str]:
    code = prelude + CHILD.format(here=str(Path(__file__).parent))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "foreign", "newer", "older", "unknown method"])
def test_an_unusable_model_is_3_or_2(paad: Any, model: Path, tmp_path: Path, damage: str) -> None:
    from safetensors.numpy import save_file

    from paad.detectors.modelfile import write_model

    broken = tmp_path / "broken.paad"
    whole = model.read_bytes()
    if damage in ("empty", "cut", "text"):
        broken.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"not a model at all"}[damage])
    elif damage == "foreign":
        save_file({"a": np.zeros(3, np.float32)}, str(broken))
    elif damage in ("newer", "older"):
        write_model(broken, {}, {"method": "tiny", "format_version": 999 if damage == "newer" else 1})
    elif damage == "unknown method":
        write_model(broken, {}, {"method": "unheard-of"})
    code, out, err = paad("inspect", broken, "a.png", "--json", "-")
    assert (code, out) == (2 if damage == "unknown method" else 3, "")
    assert "unheard-of" in err if damage == "unknown method" else str(broken) in err
