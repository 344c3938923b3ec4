"""Designs of the wild animals."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.toys.build import Builder

BLACK, BLUE, RED, YELLOW, WHITE, TAN, ORANGE = 0, 1, 4, 14, 15, 19, 25
BROWN, GREY, DARK_GREY = 70, 71, 72
MEDIUM_BLUE, LIGHT_BLUE, SAND_GREEN, OLIVE, DARK_TAN = 73, 212, 378, 330, 28


def gorilla(b: Builder) -> None:
    """A black silverback on its knuckles: long arms, grey chest and face, heavy brow."""
    b.pair("3003", DARK_GREY, 0, 1, 0, about=4)
    for up in (3, 6, 9):
        b.pair("3003", BLACK, 0, 1, up, about=4)
    b.pair("3002", DARK_GREY, 1, 3, 0, 1, about=4)
    b.put("2456", BLACK, 1, 4, 3)
    b.put("3001", BLACK, 2, 4, 6)
    b.pair("3001", BLACK, 2, 2, 9, 1, about=4)
    b.put("3010", DARK_GREY, 2, 1, 6)
    b.put("3010", DARK_GREY, 2, 1, 9)
    b.pair("3001", BLACK, 0, 1, 12, about=4)
    b.put("3037", BLACK, 2, 3, 12, 2)
    b.put("2431", BLACK, 2, 5, 12)
    b.pair("3039", BLACK, 0, 1, 15, 1, about=4)
    b.put("3031", GREY, 2, -1, 15)
    muzzle = b.put("11211", GREY, 3, -1, 16)
    b.onto(muzzle, -2, "98138", BLACK)
    b.onto(muzzle, -1, "98138", BLACK)
    b.pair("54200", GREY, 2, -1, 16, about=4)
    b.put("3010", GREY, 2, 0, 16)
    b.put("3001", BLACK, 2, 1, 16)
    b.pair("3005", GREY, 2, 0, 19, about=4)
    for eye in b.pair("87087", GREY, 3, 0, 19, about=4):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3001", BLACK, 2, 1, 19)
    b.put("3037", BLACK, 2, 0, 22)
    b.put("3010", BLACK, 2, 2, 22)
    b.put("3043", BLACK, 3, 1, 25, 1)


def elephant(b: Builder) -> None:
    """A grey elephant with round ears, a trunk that curls forward and white tusks."""
    for z in (1, 6):
        b.pair("4032", DARK_GREY, 0, z, 0, about=3)
        b.pair("3941", GREY, 0, z, 1, about=3)
        b.pair("3941", GREY, 0, z, 4, about=3)
    for z in (1, 3, 6):
        b.put("2456", GREY, 0, z, 7)
    b.put("3009", GREY, 0, 5, 7)
    for z in (2, 4, 6):
        b.put("2456", GREY, 0, z, 10)
        b.pair("3039", GREY, 0, z, 13, 1, about=3)
    b.put("3009", GREY, 0, 1, 10)
    b.put("3001", GREY, 2, 2, 13, 1)
    b.put("3003", GREY, 2, 6, 13)
    b.put("3032", GREY, 1, 2, 16, 1)
    b.put("3032", GREY, 1, -4, 13, 1)
    for eye in b.pair("87087", GREY, 1, -4, 14, 1, about=3):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", GREY, 2, -4, 14)
    b.put("3010", GREY, 1, -3, 14)
    ears = b.pair("11211", GREY, 1, -2, 14, 1, about=3)
    b.onto(ears[0], -2, "60474", DARK_GREY, dx=-0.5, dz=-0.5)
    b.onto(ears[1], -1, "60474", DARK_GREY, dx=0.5, dz=-0.5)
    b.put("3003", GREY, 2, -2, 14)
    b.put("3001", GREY, 1, 0, 14)
    b.put("3037", GREY, 1, -4, 17)
    b.put("3037", GREY, 1, -2, 17, 2)
    b.put("3001", GREY, 1, -4, 10)
    b.put("3001", GREY, 1, -2, 10)
    b.at("15070", WHITE, 1.5, -3.5, 10)
    b.at("15070", WHITE, 4.5, -3.5, 10)
    b.put("3003", GREY, 2, -4, 7)
    b.put("3941", GREY, 2, -4, 4)
    b.put("3941", GREY, 2, -4, 1)
    b.put("3021", GREY, 2, -5, 0, 1)
    b.put("85984", GREY, 2, -5, 1)


def _ring(b: Builder, color: int, x: float, z: float, size: int, up: float) -> None:
    """A square ring of 45° slopes that fall outward, ``size`` studs wide."""
    far = size - 2
    for turn, dx, dz in ((1, 0, 0), (0, far, 0), (3, far, far), (2, 0, far)):
        b.put("3045", color, x + dx, z + dz, up, turn)
    side = {6: "3039", 8: "3037"}[size]
    for turn, dx, dz in ((0, 2, 0), (1, 0, 2), (2, 2, far), (3, far, 2)):
        b.put(side, color, x + dx, z + dz, up, turn)


def turtle(b: Builder) -> None:
    """A turtle with an olive shell, sand green skin and a tan belly."""
    for x, z in ((0, 0), (4, 0), (0, 4), (4, 4)):
        b.put("3031", TAN, x, z, 2)
    _ring(b, OLIVE, 0, 0, 8, 3)
    b.put("3031", OLIVE, 2, 2, 3)
    _ring(b, OLIVE, 1, 1, 6, 6)
    b.put("3031", OLIVE, 2, 2, 9)
    b.put("87079", OLIVE, 2, 2, 10)
    b.put("87079", OLIVE, 2, 4, 10)
    for z in (1, 5):
        b.pair("3021", SAND_GREEN, -1, z, 1, about=4)
        b.pair("3022", SAND_GREEN, -1, z, 0, about=4)
        b.pair("85984", SAND_GREEN, -1, z, 2, 1, about=4)
    b.put("3020", SAND_GREEN, 3, -3, 1, 1)
    b.put("85984", SAND_GREEN, 3, -3, 2)
    for eye in b.pair("87087", SAND_GREEN, 3, -2, 2, 1, about=4):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", SAND_GREEN, 3, -1, 2)
    b.put("3039", SAND_GREEN, 3, -2, 5)
    b.put("3022", SAND_GREEN, 3, 7, 1)
    b.put("85984", SAND_GREEN, 3, 8, 2, 2)


def whale(b: Builder) -> None:
    """A blue whale with a white belly, long fins, broad flukes and a spout."""
    b.pair("41769", MEDIUM_BLUE, -2, 2, 0, 1, other="41770")
    b.put("3031", WHITE, 0, 4, 0)
    b.pair("3660", WHITE, 0, 0, 1)
    for z in (2, 4, 6):
        b.put("3001", WHITE, 0, z, 1)
    b.pair("3747", WHITE, 0, 8, 1, 2)
    for eye in b.pair("87087", MEDIUM_BLUE, 0, 0, 4, 1):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", MEDIUM_BLUE, 1, 0, 4)
    for z in (1, 3, 5, 7, 9):
        b.put("3001", MEDIUM_BLUE, 0, z, 4)
    b.put("3037", MEDIUM_BLUE, 0, 0, 7)
    for z in (2, 4):
        b.pair("3039", MEDIUM_BLUE, 0, z, 7, 1)
    b.pair("3298", MEDIUM_BLUE, 0, 6, 7, 2)
    b.put("3020", MEDIUM_BLUE, 1, 9, 7, 1)
    b.put("3003", MEDIUM_BLUE, 1, 11, 8)
    b.pair("43722", MEDIUM_BLUE, -1, 12, 11, 1, other="43723")
    b.put("3022", MEDIUM_BLUE, 1, 11, 12)
    b.put("3068b", MEDIUM_BLUE, 1, 1, 10)
    b.put("3794b", MEDIUM_BLUE, 1, 3, 10)
    b.put("3062b", LIGHT_BLUE, 1.5, 3, 11)
    b.put("6141", LIGHT_BLUE, 1.5, 3, 14)
    b.put("4740", LIGHT_BLUE, 1, 2.5, 15)


def sabertooth(b: Builder) -> None:
    """A white sabre-toothed cat: long fangs, heavy shoulders, a short tail."""
    for z in (0, 6):
        b.pair("3023", WHITE, 0, z, 0, 1)
        b.pair("3005", WHITE, 0, z + 1, 1)
        b.pair("3005", WHITE, 0, z + 1, 4)
    b.put("3001", WHITE, 0, 0, 7)
    b.put("3001", WHITE, 0, 2, 7)
    b.put("3001", WHITE, 0, 4, 7)
    b.put("3001", WHITE, 0, 6, 7)
    b.pair("3001", WHITE, 0, 1, 10, 1)
    b.put("3037", WHITE, 0, 5, 10, 2)
    b.put("3020", WHITE, 0, 1, 13)
    b.put("3037", WHITE, 0, 3, 13, 2)
    b.put("3794b", WHITE, 1, 7, 10)
    b.put("3062b", WHITE, 1.5, 7, 11)
    b.put("3032", WHITE, 0, -4, 14, 1)
    for x in (0.5, 3.5):
        b.at("15070", TAN, x, -3.5, 14)
    b.put("3022", WHITE, 1, -4, 13)
    b.pair("3005", WHITE, 0, -4, 15)
    nose = b.put("11211", WHITE, 1, -4, 15)
    b.onto(nose, -2, "3069b", BLACK, dx=-0.5)
    b.put("3010", WHITE, 0, -3, 15)
    b.put("3001", WHITE, 0, -2, 15)
    b.put("3001", WHITE, 0, 0, 15)
    b.pair("54200", WHITE, 0, -4, 18)
    b.put("85984", WHITE, 1, -4, 18)
    for eye in b.pair("87087", WHITE, 0, -2, 18):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", WHITE, 1, -2, 18)
    b.put("3010", WHITE, 0, -1, 18)
    b.put("3001", WHITE, 0, 0, 18)
    b.put("3037", WHITE, 0, -2, 21)
    b.put("3037", WHITE, 0, 0, 21, 2)
    b.pair("54200", WHITE, 0, -1, 24)


def zalika(b: Builder) -> None:
    """A zebra foal, black with a few white stripes."""
    for z in (2, 6):
        b.pair("3062b", BLACK, 0, z, 0, about=1)
        b.pair("6141", WHITE, 0, z, 3, about=1)
        b.pair("3062b", BLACK, 0, z, 4, about=1)
    b.put("3795", BLACK, 0, 1, 7, 1)
    for z, color in zip(range(1, 7), (BLACK, WHITE, BLACK, WHITE, BLACK, WHITE)):
        b.put("3004", color, 0, z, 8)
    b.put("3023", BLACK, 0, 1, 11)
    b.put("3795", BLACK, 0, 2, 11, 1)
    b.put("3004", BLACK, 0, 7, 8)
    b.put("3004", WHITE, 0, 7, 5)
    b.put("3003", BLACK, 0, 1, 12)
    b.put("3004", WHITE, 0, 3, 12)
    b.put("3004", BLACK, 0, 4, 12)
    b.put("3039", BLACK, 0, 5, 12, 2)
    b.put("3004", BLACK, 0, 1, 15)
    b.put("3004", WHITE, 0, 2, 15)
    b.put("3004", BLACK, 0, 2, 18)
    b.put("3023", WHITE, 0, 2, 21)
    b.put("3020", WHITE, 0, -2, 18, 1)
    b.put("3039", BLACK, 0, -2, 19)
    b.put("3023", BLACK, 0, -2, 17)
    for eye in b.pair("87087", BLACK, 0, 0, 19, 1, about=1):
        b.onto(eye, -1, "98138", WHITE)
    b.put("3004", BLACK, 0, 1, 19)
    b.put("3021", BLACK, 0, 0, 22, 1)
    b.pair("54200", BLACK, 0, 0, 23, 2, about=1)
    b.put("3023", WHITE, 0, 1, 23)
    b.put("85984", BLACK, 0, 2, 23, 2)


def scorpion(b: Builder) -> None:
    """A tan scorpion: two claws in front, three pairs of legs, the tail curled over its back."""
    b.put("3032", TAN, 1, 0, 2, 1)
    for z in (1, 3, 5):
        b.pair("3623", DARK_TAN, -1, z, 1, about=3)
        b.pair("3024", DARK_TAN, -1, z, 0, about=3)
    b.pair("3037", TAN, 1, 0, 3, 1, about=3)
    b.pair("3039", TAN, 1, 4, 3, 1, about=3)
    for z, color in ((0, TAN), (2, DARK_TAN)):
        b.put("3022", color, 2, z, 6)
    for x in (2, 3):
        b.put("98138", BLACK, x, 0, 7)
    b.pair("3710", TAN, 1, -3, 1, 1, about=3)
    b.pair("3003", TAN, 0, -4, 2, about=3)
    for x in (0, 1):
        b.pair("49668", DARK_TAN, x, -5, 5, about=3)
    b.put("3022", TAN, 2, 4, 6)
    b.put("3021", DARK_TAN, 2, 3, 7, 1)
    b.put("3660", TAN, 2, 5, 8, 2)
    b.put("3660", DARK_TAN, 2, 6, 11, 2)
    b.put("3003", TAN, 2, 6, 14)
    b.put("3660", DARK_TAN, 2, 5, 17)
    b.put("3747", TAN, 2, 3, 20)
    b.put("85984", TAN, 2, 6, 20, 2)
    b.put("3020", DARK_TAN, 2, 2, 23, 1)
    b.put("3039", TAN, 2, 2, 24)
    b.put("3039", TAN, 2, 4, 24, 2)
    for middle in (2.5, 3.5):
        b.at("15070", BLACK, middle, 2.5, 23)


DESIGNS: dict[str, Callable[[Builder], None]] = {
    "Gorilla": gorilla,
    "Turtle": turtle,
    "Whale": whale,
    "Sabertooth": sabertooth,
    "Zalika": zalika,
    "Elephant": elephant,
    "Scorpion": scorpion,
}
