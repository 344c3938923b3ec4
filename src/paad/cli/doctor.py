"""``paad doctor``: what this machine can do, what is missing, and how to mend it. Warnings do not fail it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from paad._version import __version__
from paad.cli.console import table
from paad.errors import PaadError
from paad.synth.render_mitsuba import chosen_variant

OPTIONAL = {
    "gsplat": "Gaussian splatting on CUDA",
    "ray": "benchmarks spread over several machines",
    "pycolmap": "poses for training photos that have none",
    "anomalib": "its detectors as further methods",
}
"""The packages of the extras, and what each is for."""

Look = tuple[Literal["ok", "warning"], str]

PROBE_SECONDS = 60
_LITTLE_MEMORY_GB = 4.0


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it stands ("ok", "warning" or "absent" for optional things), what was found."""

    what: str
    state: Literal["ok", "warning", "absent"]
    text: str


def configure(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Declare the arguments of ``paad doctor``."""
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Look at everything; one broken thing does not hide the next."""
    found = list(findings())
    if args.json:
        print(json.dumps([asdict(f) for f in found], indent=2))
    else:
        print(table(("", "what", "found"), [(_MARKS[f.state], f.what, f.text) for f in found]))


_MARKS = {"ok": "ok", "warning": "!!", "absent": "--"}


def findings() -> Iterator[Finding]:
    """Every finding, in the order of the table."""
    yield Finding("paad", "ok", f"{__version__}, python {platform.python_version()}, {platform.platform()}")
    for what, look in _LOOKS.items():
        yield _guarded(what, look)
    for package, purpose in OPTIONAL.items():
        try:
            yield Finding(package, "ok", f"{version(package)}: {purpose}")
        except PackageNotFoundError:
            yield Finding(package, "absent", f"optional, {purpose}: pip install {package}")


def _guarded(what: str, look: Callable[[], Look]) -> Finding:
    try:
        state, text = look()
    except Exception as error:  # a doctor reports what is broken, whatever it raises
        return Finding(what, "warning", f"{type(error).__name__}: {' '.join(str(error).split())}")
    return Finding(what, state, text)


def _cores() -> Look:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "ok", f"{platform.machine()}, {usable} of {os.cpu_count()} cores usable"


def _memory() -> Look:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if total < _LITTLE_MEMORY_GB:
        return "warning", f"{total:.1f} GB; fitting an object may need {_LITTLE_MEMORY_GB:.0f} GB"
    return "ok", f"{total:.1f} GB"


def _torch() -> Look:
    import torch

    where = f"CUDA, {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else "CPU only"
    return "ok", f"{torch.__version__}, {where}, {torch.get_num_threads()} threads"


def _numba() -> Look:
    import numba
    import numpy as np

    from paad.render.threads import spread, threads

    @numba.njit(nogil=True)
    def doubled(start: int, stop: int, values: np.ndarray) -> None:  # type: ignore[type-arg]
        for i in range(start, stop):
            values[i] *= 2.0

    values = np.ones(64)
    spread(doubled, len(values), 1, values)
    if not (values == 2.0).all():
        return "warning", f"{numba.__version__} computed {values} where all should be 2; reinstall numba and llvmlite"
    return "ok", f"{numba.__version__}, kernels shared among {threads()} threads"


def _cache() -> Look:
    """Where numba keeps compiled kernels: NUMBA_CACHE_DIR, else beside the sources."""
    import paad

    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or str(Path(paad.__file__).parent))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return "warning", (
            f"{folder} cannot be written: kernels compile anew in every process unless NUMBA_CACHE_DIR names a "
            "folder that can"
        )
    return "ok", f"compiled kernels are kept in {folder}"


def _mitsuba() -> Look:
    """In a child process: with an old LLVM, some variants end the process instead of raising."""
    code = (
        "import mitsuba as mi; mi.set_variant('scalar_rgb');"
        "mi.render(mi.load_dict(mi.cornell_box()), spp=1); print(mi.__version__)"
    )
    try:
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PaadError(f"no answer in {PROBE_SECONDS} s; 'paad demo' and 'paad synth' may not work here") from error
    if child.returncode != 0:
        last = (child.stderr.strip().splitlines() or [f"ended by signal {-child.returncode}"])[-1]
        return "warning", f"does not work ({last}); 'paad demo' and 'paad synth' need it: pip install mitsuba"
    variant = chosen_variant("auto")
    slow = (
        "; several times as fast with LLVM 16 or newer, such as Debian's libllvm19" if variant == "scalar_rgb" else ""
    )
    return "ok", f"{child.stdout.strip()} renders ({variant}{slow})"


_LOOKS: dict[str, Callable[[], Look]] = {
    "processor": _cores,
    "memory": _memory,
    "torch": _torch,
    "numba": _numba,
    "cache": _cache,
    "mitsuba": _mitsuba,
}
