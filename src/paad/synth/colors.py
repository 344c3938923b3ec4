"""LDraw colour codes: names, sRGB values and finishes, as in the library's LDConfig.ldr."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files

from paad.errors import DataError

DIRECT = 0x2000000
"""A code of this plus 0xRRGGBB names a colour directly."""


@dataclass(frozen=True)
class LDrawColor:
    """One colour of bricks.

    Attributes:
        code: LDraw colour code.
        name: LDraw name, such as "Reddish_Brown".
        rgb: sRGB values in [0, 1], gamma-encoded.
        alpha: opacity in [0, 1].
        finish: "solid", "rubber", "pearlescent", "metal", "chrome" or "material" (glitter and speckle).
    """

    code: int
    name: str
    rgb: tuple[float, float, float]
    alpha: float
    finish: str


def _rgb(hexadecimal: str) -> tuple[float, float, float]:
    r, g, b = bytes.fromhex(hexadecimal)
    return (r / 255.0, g / 255.0, b / 255.0)


@functools.cache
def _table() -> dict[int, LDrawColor]:
    table = {}
    text = files("paad.synth").joinpath("ldraw_colors.txt").read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        code, name, rgb, alpha, finish = line.split()
        table[int(code)] = LDrawColor(int(code), name, _rgb(rgb), int(alpha) / 255.0, finish)
    return table


def known_colors() -> tuple[LDrawColor, ...]:
    """Every colour with a code of its own, in the order of the codes."""
    return tuple(_table().values())


def ldraw_color(code: int) -> LDrawColor:
    """The colour of an LDraw code, or of a direct colour 0x2RRGGBB.

    Raises:
        DataError: no such code; 16 and 24 ("colour of the parent") mean nothing outside a part.
    """
    if code in _table():
        return _table()[code]
    if DIRECT <= code <= DIRECT + 0xFFFFFF:
        return LDrawColor(code, f"#{code - DIRECT:06X}", _rgb(f"{code - DIRECT:06X}"), 1.0, "solid")
    raise DataError(
        f"LDraw colour {code} is unknown; use a code of LDConfig.ldr (0 Black, 4 Red, 15 White, ... "
        f"{max(_table())}) or a direct colour 0x2RRGGBB"
    )
