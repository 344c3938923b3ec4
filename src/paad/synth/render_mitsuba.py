"""Which Mitsuba variant runs here: ``scalar_rgb`` everywhere; an LLVM one only after a probe in a child process."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

from paad.errors import MissingDependencyError, UsageError

VARIANTS = ("scalar_rgb", "llvm_ad_rgb")
"""``scalar_rgb`` needs nothing; ``llvm_ad_rgb`` needs LLVM 16 or newer on the machine and is several times as fast."""

_PROBE = """
import mitsuba as mi
mi.set_variant({variant!r})
scene = mi.load_dict(mi.cornell_box())
print(float(mi.render(scene, spp=1).array[0]) >= 0.0)
"""


@functools.cache
def works(variant: str) -> bool:
    """Whether ``variant`` renders a picture on this machine; asked in a child process, since it may abort."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(variant=variant)], capture_output=True, text=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and done.stdout.strip().endswith("True")


def chosen_variant(variant: str, before: str | None = None) -> str:
    """``variant`` itself; for "auto" the one used ``before`` or else the fastest, if it works here."""
    if variant != "auto":
        return variant
    if before in VARIANTS and (before == "scalar_rgb" or works(before)):
        return before
    return "llvm_ad_rgb" if works("llvm_ad_rgb") else "scalar_rgb"


def llvm_version() -> str | None:
    """Version of the LLVM that compiles kernels; None where a variant is set that needs none."""
    import drjit
    import mitsuba as mi

    if not str(mi.variant()).startswith("llvm"):
        return None
    return ".".join(map(str, drjit.detail.llvm_version()))


def mitsuba(variant: str = "scalar_rgb") -> Any:
    """The ``mitsuba`` module with ``variant`` set, one thread, and only errors logged.

    Raises:
        UsageError: ``variant`` is not one of ``VARIANTS``.
        MissingDependencyError: Mitsuba is not installed, or the variant does not run here.
    """
    if variant not in VARIANTS:
        raise UsageError(f"Mitsuba variant {variant!r} is not known; choose one of: {', '.join(VARIANTS)}")
    try:
        import drjit
        import mitsuba as mi
    except ImportError as error:
        raise MissingDependencyError("rendering needs Mitsuba 3: pip install 'mitsuba>=3.9'") from error
    if mi.variant() != variant:
        if variant != "scalar_rgb" and not works(variant):
            raise MissingDependencyError(
                f"Mitsuba's variant {variant!r} does not run here; install a newer LLVM, or use scalar_rgb"
            )
        mi.set_variant(variant)
    # Parallelism is over pictures, in processes: threads inside one would only add waiting.
    drjit.set_thread_count(1)
    mi.set_log_level(mi.LogLevel.Error)
    return mi
