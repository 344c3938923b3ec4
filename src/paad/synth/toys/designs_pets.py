"""Designs of the animals of house and farm: Puppy."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.toys.build import Builder

BLACK, BLUE, RED, YELLOW, WHITE, TAN = 0, 1, 4, 14, 15, 19
BROWN, GREY, DARK_GREY = 70, 71, 72
PINK, SALMON, LIGHT_PINK, LIGHT_YELLOW = 13, 12, 77, 226


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


def unicorn(b: Builder) -> None:
    """A white unicorn with a pale horn, pale pink mane and tail, black hooves, nose and eyes."""
    for z in (2, 6):
        b.pair("6141", BLACK, 0, z, 0, about=1)
        b.pair("3062b", WHITE, 0, z, 1, about=1)
        b.pair("3062b", WHITE, 0, z, 4, about=1)
    b.put("3660", WHITE, 0, 1, 7)
    b.put("3001", WHITE, 0, 3, 7, 1)
    b.put("3001", WHITE, 0, 1, 10, 1)
    b.put("3021", WHITE, 0, 5, 10, 1)
    b.put("3039", WHITE, 0, 5, 11, 2)
    b.put("3004", LIGHT_PINK, 0, 7, 7)
    b.put("3004", LIGHT_PINK, 0, 7, 4)
    b.put("3039", WHITE, 0, 1, 13, 2)
    b.put("3004", WHITE, 0, 1, 16)
    b.put("3020", WHITE, 0, -2, 19, 1)
    b.put("3023", BLACK, 0, -2, 18)
    b.put("3039", WHITE, 0, -2, 20)
    for eye in b.pair("87087", WHITE, 0, 0, 20, 1, about=1):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", WHITE, 0, 1, 20)
    b.put("3021", WHITE, 0, 0, 23, 1)
    b.put("3004", LIGHT_PINK, 0, 2, 20)
    b.put("3004", LIGHT_PINK, 0, 2, 17)
    b.put("3794b", WHITE, 0, 0, 24)
    b.put("3062b", LIGHT_YELLOW, 0.5, 0, 25)
    b.put("4589", LIGHT_YELLOW, 0.5, 0, 28)
    b.pair("54200", WHITE, 0, 1, 24, 2, about=1)
    b.put("85984", LIGHT_PINK, 0, 2, 24, 2)


def cat(b: Builder) -> None:
    """A sitting black cat with blue eyes, white paws, chest and muzzle, and a white tip of the tail."""
    b.put("3032", BLACK, 0, 2, 0, 1)
    b.pair("3023", WHITE, 1, 0, 0, 1)
    b.pair("3005", BLACK, 1, 1, 1)
    b.pair("3005", BLACK, 1, 1, 4)
    b.put("3001", BLACK, 0, 3, 1)
    b.put("3001", BLACK, 0, 5, 1)
    b.put("3010", BLACK, 0, 7, 1)
    b.put("3002", BLACK, 1, 2, 4, 1)
    b.pair("3004", BLACK, 0, 3, 4, 1)
    b.pair("85984", BLACK, 0, 3, 7, 1)
    b.put("3037", BLACK, 0, 5, 4, 2)
    b.put("3002", BLACK, 1, 2, 7, 1)
    b.put("3004", WHITE, 1, 1, 7)
    b.put("3003", BLACK, 1, 1, 10)
    b.put("3039", BLACK, 1, 3, 10, 2)
    b.put("3031", BLACK, 0, -1, 13)
    b.pair("3005", BLACK, 0, -1, 14)
    muzzle = b.put("11211", WHITE, 1, -1, 14)
    pad = b.onto(muzzle, -2, "3794b", WHITE, dx=-0.5)
    b.onto(pad, 0, "98138", PINK)
    b.put("3001", BLACK, 0, 0, 14)
    b.put("3010", BLACK, 0, 2, 14)
    for eye in b.pair("87087", BLACK, 0, -1, 17):
        b.onto(eye, -1, "98138", BLUE)
    b.put("3004", BLACK, 1, -1, 17)
    b.put("3001", BLACK, 0, 0, 17)
    b.put("3010", BLACK, 0, 2, 17)
    b.put("3031", BLACK, 0, -1, 20)
    b.pair("3040b", BLACK, 0, 0, 21, 3)
    b.pair("54200", BLACK, 0, 0, 24, 3)
    b.put("3062b", BLACK, 3, 7, 4)
    b.put("3062b", BLACK, 3, 7, 7)
    b.put("4589", WHITE, 3, 7, 10)


def pig(b: Builder) -> None:
    """A pink pig with a white belt, dark hooves, a round snout and a curly tail."""
    for z in (1, 5):
        b.pair("3024", BROWN, 0, z, 0)
        b.pair("3005", PINK, 0, z, 1)
    b.put("3032", PINK, 0, 1, 4, 1)
    for z, color in ((1, PINK), (3, WHITE), (5, PINK)):
        b.put("3001", color, 0, z, 5)
        b.pair("3039", color, 0, z, 11, 1)
    b.put("3001", PINK, 0, -1, 5)
    front = b.put("30414", PINK, 0, -1, 8)
    b.pair("3002", PINK, 0, 0, 8, 1)
    b.put("3001", WHITE, 0, 3, 8)
    b.put("3001", PINK, 0, 5, 8)
    snout = b.onto(front, 5, "4032", SALMON, dx=-0.5, dz=0.5)
    for stud in (1, 3):
        b.onto(snout, stud, "98138", BROWN)
    for eye in b.pair("87087", PINK, 0, -1, 11):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", PINK, 1, -1, 11)
    b.put("3010", PINK, 0, 0, 11)
    b.put("3020", PINK, 0, -1, 14)
    b.pair("54200", SALMON, 0, -1, 15)
    b.put("3794b", PINK, 1, 6, 14)
    b.put("54200", SALMON, 1.5, 6, 15, 2)


def bear(b: Builder) -> None:
    """A sitting teddy bear, brown with tan belly and muzzle and a red bow."""
    b.pair("3001", BROWN, 0, -1, 0, 1, about=3)
    for sole in b.pair("11211", BROWN, 0, -1, 3, about=3):
        b.onto(sole, -2, "3069b", TAN, dx=-0.5)
    b.put("3003", BROWN, 2, 1, 0)
    b.put("3001", BROWN, 1, 3, 0)
    b.put("3031", BROWN, 1, 1, 3)
    b.put("3004", TAN, 2, 1, 4)
    b.pair("3005", BROWN, 1, 1, 4, about=3)
    b.pair("3002", BROWN, 1, 2, 4, 1, about=3)
    bow = b.put("11211", TAN, 2, 1, 7)
    b.onto(bow, -2, "54200", RED, spin=1)
    b.onto(bow, -1, "54200", RED, spin=-1)
    b.pair("3005", BROWN, 1, 1, 7, about=3)
    b.put("3010", BROWN, 1, 2, 7)
    b.put("3001", BROWN, 1, 3, 7)
    b.put("3795", BROWN, 0, 2, 10)
    b.pair("3010", BROWN, 0, 0, 7, 1, about=3)
    b.pair("3040b", BROWN, 0, 0, 10, about=3)
    b.pair("85984", BROWN, 0, 2, 11, 1, about=3)
    b.put("3710", BROWN, 1, 1, 10)
    b.put("3710", BROWN, 1, 4, 10)
    b.put("3031", BROWN, 1, 0, 11)
    b.pair("3005", BROWN, 1, 0, 12, about=3)
    muzzle = b.put("11211", TAN, 2, 0, 12)
    pad = b.onto(muzzle, -2, "3794b", TAN, dx=-0.5)
    b.onto(pad, 0, "98138", BLACK)
    b.put("3010", BROWN, 1, 1, 12)
    b.put("3001", BROWN, 1, 2, 12)
    b.pair("3005", BROWN, 1, 0, 15, about=3)
    for eye in b.pair("87087", BROWN, 2, 0, 15, about=3):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3010", BROWN, 1, 1, 15)
    b.put("3001", BROWN, 1, 2, 15)
    b.put("3037", BROWN, 1, 0, 18)
    b.put("3037", BROWN, 1, 2, 18, 2)
    for ear in b.pair("87087", BROWN, 1, 1, 21, about=3):
        b.onto(ear, -1, "98138", TAN)


def sheep(b: Builder) -> None:
    """A white sheep, woolly with studs, with a black face, black legs and a blue scarf."""
    for z in (1, 6):
        b.pair("6141", BLACK, 0, z, 0)
        b.pair("3062b", BLACK, 0, z, 1)
    b.put("3032", WHITE, 0, 1, 4, 1)
    b.put("3003", WHITE, 1, 1, 5)
    b.put("3001", WHITE, 1, 3, 5, 1)
    b.pair("3005", WHITE, 0, 1, 5)
    b.pair("30414", WHITE, 0, 2, 5, 1)
    b.pair("3005", WHITE, 0, 6, 5)
    b.pair("30414", WHITE, 0, 1, 8, 1)
    b.pair("11211", WHITE, 0, 5, 8, 1)
    b.put("3001", WHITE, 1, 1, 8, 1)
    b.put("3003", WHITE, 1, 5, 8)
    b.put("3032", WHITE, 0, 1, 11, 1)
    b.put("3021", WHITE, 1, 4, 12, 1)
    b.put("3020", BLUE, 1, 0, 12, 1)
    b.put("3020", BLACK, 1, -3, 13, 1)
    b.put("3022", BLACK, 1, -3, 12)
    b.put("3039", BLACK, 1, -3, 14)
    for eye in b.pair("87087", BLACK, 1, -1, 14, 1):
        b.onto(eye, -1, "98138", WHITE)
    b.put("3004", BLACK, 1, 0, 14)
    b.put("3710", BLACK, 0, -1, 17)
    b.put("3023", WHITE, 1, 0, 17)
    b.put("3023", WHITE, 1, -2, 17)
    b.put("3003", WHITE, 1, -1, 18)


DESIGNS: dict[str, Callable[[Builder], None]] = {
    "Unicorn": unicorn,
    "Pig": pig,
    "Cat": cat,
    "Sheep": sheep,
    "Bear": bear,
    "Puppy": puppy,
}
