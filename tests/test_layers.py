"""The architecture's one rule: no import goes up a layer."""

from __future__ import annotations

import ast
from pathlib import Path

import paad

ROOT = Path(paad.__file__).parent
LAYERS = {
    "errors": 0, "types": 0, "geometry": 0, "_version": 0,
    "data": 1, "metrics": 1, "weights": 1,
    "render": 2, "backbones": 2,
    "fields": 3, "synth": 3,
    "pose": 4, "compare": 4,
    "detectors": 5,
    "bench": 6, "report": 6,
    "cli": 7, "__main__": 7,
}  # fmt: skip


def _imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            if node.module == "paad":
                names.update(f"paad.{alias.name}" for alias in node.names)
    return {n.split(".")[1] for n in names if n.startswith("paad.")}


def _room(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def test_no_import_goes_up() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {room}"
        for file in ROOT.rglob("*.py")
        if file.parent != ROOT or file.stem not in ("__init__",)
        for room in _imports(file)
        if room in LAYERS and LAYERS[room] > LAYERS[_room(file)]
    ]
    assert not wrong


def test_every_room_has_a_layer() -> None:
    rooms = {_room(f) for f in ROOT.rglob("*.py")} - {"__init__"}
    assert rooms <= set(LAYERS)


def test_the_root_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import sys, paad; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
