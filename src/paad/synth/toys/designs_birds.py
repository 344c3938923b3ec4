"""Designs of the birds: Mallard."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.toys.build import Builder

BLACK, GREEN, RED, YELLOW, WHITE, TAN, ORANGE = 0, 2, 4, 14, 15, 19, 25
BROWN, GREY, DARK_GREY, LIGHT_ORANGE, DARK_GREEN = 70, 71, 72, 191, 288


def mallard(b: Builder) -> None:
    """A drake: green head, white collar, chestnut breast, grey flanks, black stern with white tail feathers."""
    b.pair("3623", ORANGE, 0, 1, 0, 1)
    b.pair("3062b", ORANGE, 0, 3, 1)
    b.pair("3747", BROWN, 0, 0, 4)
    b.pair("3747", GREY, 0, 3, 4, 2)
    b.put("3001", BROWN, 0, 0, 7)
    b.put("3001", GREY, 0, 2, 7)
    b.put("3010", GREY, 0, 4, 7)
    b.pair("3660", BLACK, 0, 5, 7, 2)
    b.put("3037", BROWN, 0, 0, 10)
    b.pair("3298", GREY, 0, 2, 10, 2)
    b.put("3020", BLACK, 0, 5, 10)
    b.put("3021", WHITE, 1, 5, 11, 1)
    b.put("3039", WHITE, 1, 6, 12, 2)
    b.pair("54200", BLACK, 0, 5, 11, 2)
    b.put("4032", WHITE, 1, 1, 13)
    b.put("3941", GREEN, 1, 1, 14)
    b.put("3022", GREEN, 1, 1, 17)
    b.put("3021", YELLOW, 1, -2, 17, 1)
    eyes = b.pair("87087", GREEN, 1, 0, 18, 1)
    b.onto(eyes[0], -1, "98138", BLACK)
    b.onto(eyes[1], -1, "98138", BLACK)
    b.put("3003", GREEN, 1, 1, 18)
    b.put("85984", YELLOW, 1, -1, 18)
    b.put("3069b", YELLOW, 1, -2, 18)
    b.put("3039", GREEN, 1, 0, 21)
    b.put("85984", GREEN, 1, 2, 21, 2)
    b.put("3069b", GREEN, 1, 1, 24)


DESIGNS: dict[str, Callable[[Builder], None]] = {"Mallard": mallard}
