"""The specimen-level AUROC: which specimen a photo shows comes from an optional manifest.json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from paad.bench.executors import Limits, LocalExecutor
from paad.bench.grid import Grid
from paad.bench.runner import run_grid, score_run_again
from paad.bench.scoring import specimens_of
from paad.bench.store import read_rows
from paad.data import open_object
from paad.metrics import image

STAINS = {f"test/Stains/{i}.png": "stained" for i in range(3)}
MISSING = {"./test/Missing/0.png": "m0", "test/Missing/1.png": "m0", "test/Missing/2.png": 7}


@pytest.fixture
def toy(data: Path, tmp_path: Path) -> Path:
    """A copy of an object with three photos of each label, to write a manifest into."""
    return Path(shutil.copytree(data / "01Ball", tmp_path / "data" / "01Ball"))


def _write(toy: Path, named: dict[str, object]) -> None:
    entries = [{"file": name, "specimen": specimen} for name, specimen in named.items()]
    (toy / "manifest.json").write_text(json.dumps({"images": entries}))


def test_good_photos_are_grouped_as_large_as_the_defective_specimens(toy: Path) -> None:
    _write(toy, {**STAINS, **MISSING, "test/good/0.png": None})
    found = specimens_of(open_object(toy))
    assert found["test/Missing/0.png"] == found["test/Missing/1.png"] == "m0"
    assert found["test/Missing/2.png"] == "7"
    # six photos of three specimens are two each; three good photos are two groups of one or two
    groups = [found[f"test/good/{i}.png"] for i in range(3)]
    assert groups == ["good, group 0", "good, group 0", "good, group 1"]


def test_named_good_photos_keep_their_names(toy: Path) -> None:
    _write(toy, {**STAINS, **MISSING, **{f"test/good/{i}.png": f"g{i}" for i in range(3)}})
    assert len(set(specimens_of(open_object(toy)).values())) == 6


def test_without_a_word_on_every_defect_there_is_no_such_figure(toy: Path) -> None:
    assert specimens_of(open_object(toy)) == {}
    _write(toy, {**STAINS})
    assert specimens_of(open_object(toy)) == {}


@pytest.mark.usefixtures("installed")
def test_rows_and_a_later_scoring_have_the_figure(toy: Path, tmp_path: Path) -> None:
    _write(toy, {**STAINS, **MISSING})
    grid = Grid(toy.parent, ("mean-image",))
    run_grid(grid, tmp_path / "run", LocalExecutor(1, Limits()))
    (row,) = read_rows(tmp_path / "run")
    folder = tmp_path / "run" / "predictions" / row["predictions"]
    stored = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    specimens = specimens_of(open_object(toy))
    scores, labels = [s["score"] for s in stored], [s["label"] != "good" for s in stored]
    expected = image.specimen_auroc(scores, labels, [specimens[s["name"]] for s in stored])
    assert row["specimen_auroc"] == pytest.approx(expected)
    score_run_again(tmp_path / "run", toy.parent)
    assert read_rows(tmp_path / "run") == [row]
