"""Designs of the animals of house and farm: Puppy."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.toys.build import Builder

BLACK, BLUE, RED, YELLOW, WHITE, TAN = 0, 1, 4, 14, 15, 19
BROWN, GREY, DARK_GREY = 70, 71, 72


def puppy(b: Builder) -> None:
    """A standing white puppy with floppy ears, a black nose and a red collar."""
    for z in (1, 5):
        b.pair("3023", WHITE, 0, z - 1, 0, 1)
        b.pair("3005", WHITE, 0, z, 1)
    b.put("3032", WHITE, 0, 1, 4, 1)
    for z in (1, 3, 5):
        b.put("3001", WHITE, 0, z, 5)
    b.put("3001", WHITE, 0, 1, 8)
    for z in (3, 5):
        b.pair("3039", WHITE, 0, z, 8, 1)
    b.put("3069b", WHITE, 1, 3, 11)
    b.put("3069b", WHITE, 1, 4, 11)
    b.put("87580", WHITE, 1, 5, 11)
    b.put("3062b", WHITE, 1.5, 5.5, 12)
    b.put("4589", WHITE, 1.5, 5.5, 15)
    b.put("3020", RED, 0, 1, 11)
    b.put("3020", WHITE, 1, -3, 12, 1)
    b.pair("3023", WHITE, 0, -1, 12, 1)
    b.put("3020", WHITE, 0, 1, 12)
    b.put("3001", WHITE, 0, 1, 13)
    b.put("3001", WHITE, 0, -1, 13)
    b.put("3003", WHITE, 1, -3, 13)
    b.put("3031", WHITE, 0, -1, 16)
    b.put("85984", BLACK, 1, -3, 16)
    b.pair("3005", WHITE, 0, -1, 17)
    for eye in b.pair("87087", WHITE, 1, -1, 17):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3010", WHITE, 0, 0, 17)
    b.put("3001", WHITE, 0, 1, 17)
    b.put("3795", WHITE, -1, 0, 20)
    b.put("3710", WHITE, 0, -1, 20)
    b.put("3710", WHITE, 0, 2, 20)
    b.pair("3004", TAN, -1, 0, 17, 1)
    b.pair("3004", TAN, -1, 0, 14, 1)
    b.pair("3069b", TAN, -1, 0, 21, 1)
    b.put("3037", WHITE, 0, -1, 21)
    b.put("3037", WHITE, 0, 1, 21, 2)
    b.put("87079", WHITE, 0, 0, 24)


DESIGNS: dict[str, Callable[[Builder], None]] = {"Puppy": puppy}
