"""Designs of the birds: Mallard."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.toys.build import Builder

BLACK, GREEN, RED, YELLOW, WHITE, TAN, ORANGE = 0, 2, 4, 14, 15, 19, 25
BROWN, GREY, DARK_GREY, LIGHT_ORANGE, DARK_RED = 70, 71, 72, 191, 320
PINK, LIGHT_YELLOW = 13, 226


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


def bird(b: Builder) -> None:
    """A red cardinal with a black mask and an orange beak, on a twig with a green leaf."""
    b.put("3009", BROWN, -1, 2, 0)
    b.at("2423", GREEN, 4.5, 2.5, 4, 3)
    b.pair("6141", ORANGE, 1, 2, 3)
    b.pair("3062b", ORANGE, 1, 2, 4)
    b.pair("3660", RED, 0, 0, 7)
    b.put("3001", RED, 0, 2, 7)
    b.pair("3660", RED, 0, 4, 7, 2)
    b.put("3001", RED, 0, 0, 10)
    wings = b.pair("11211", RED, 0, 2, 10, 1)
    b.onto(wings[0], -2, "22385", DARK_RED, spin=1, dx=0.5)
    b.onto(wings[1], -1, "22385", DARK_RED, spin=-1, dx=-0.5)
    b.put("3003", RED, 1, 2, 10)
    b.put("3001", RED, 0, 4, 10)
    b.put("3037", RED, 0, 3, 13, 2)
    b.put("3020", DARK_RED, 1, 5, 13, 1)
    b.put("87079", DARK_RED, 1, 6, 14, 1)
    b.pair("3005", RED, 0, 0, 13)
    face = b.put("11211", BLACK, 1, 0, 13)
    beak = b.onto(face, -2, "3794b", BLACK, dx=-0.5)
    b.onto(beak, 0, "4589", ORANGE)
    b.put("3001", RED, 0, 1, 13)
    for eye in b.pair("87087", RED, 0, 0, 16):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", BLACK, 1, 0, 16)
    b.put("3001", RED, 0, 1, 16)
    b.put("3037", RED, 0, 0, 19)
    b.put("3010", RED, 0, 2, 19)
    b.put("3039", RED, 1, 1, 22)


def owl(b: Builder) -> None:
    """A black owl with round eyes, ear tufts and folded wings."""
    b.pair("3021", DARK_GREY, 0, -1, 0, 1)
    b.pair("3001", BLACK, 0, 0, 1, 1)
    b.put("3001", BLACK, 0, 0, 4)
    b.put("3001", BLACK, 0, 2, 4)
    b.pair("3001", BLACK, 0, 0, 7, 1)
    beak = b.put("11211", BLACK, 1, 0, 10)
    hook = b.onto(beak, -2, "3794b", BLACK, dx=-0.5)
    b.onto(hook, 0, "54200", LIGHT_ORANGE)
    b.pair("3005", BLACK, 0, 0, 10)
    b.put("3010", BLACK, 0, 1, 10)
    b.put("3001", BLACK, 0, 2, 10)
    b.put("3795", BLACK, -1, 0, 13)
    b.put("3795", BLACK, -1, 2, 13)
    for up in (7, 10):
        b.pair("3010", BLACK, -1, 0, up, 1)
    b.pair("3622", BLACK, -1, 1, 4, 1)
    b.pair("2431", BLACK, -1, 0, 14, 1)
    face = b.put("30414", BLACK, 0, 0, 14)
    for stud, side in ((4, 0.5), (7, -0.5)):
        disc = b.onto(face, stud, "18674", DARK_GREY, dx=-side, dz=-0.5)
        b.onto(disc, 0, "98138", LIGHT_ORANGE)
    b.put("3010", BLACK, 0, 1, 14)
    b.put("3001", BLACK, 0, 2, 14)
    b.put("3001", BLACK, 0, 0, 17)
    b.put("3001", BLACK, 0, 2, 17)
    b.pair("3040b", BLACK, 0, 0, 20, 3)
    b.pair("54200", BLACK, 0, 0, 23, 3)
    b.put("3010", BLACK, 0, 1, 20)
    b.put("3037", BLACK, 0, 2, 20, 2)


def swan(b: Builder) -> None:
    """A white swan afloat: raised wings, a long neck, a black mask and an orange beak."""
    b.pair("3747", WHITE, 0, 0, 0)
    b.pair("3747", WHITE, 0, 3, 0, 2)
    for z in (0, 2, 4):
        b.put("3001", WHITE, 0, z, 3)
    b.put("3003", WHITE, 1, 5, 6)
    b.pair("4286", WHITE, 0, 2, 6)
    b.pair("3040b", WHITE, 0, 4, 9)
    b.put("3068b", WHITE, 1, 2, 6)
    b.put("87580", WHITE, 1, 0, 6)
    for up in (7, 10, 13):
        b.put("3062b", WHITE, 1.5, 0.5, up)

    b.put("3024", ORANGE, 1.5, -1.5, 16)
    b.put("3023", WHITE, 1.5, -0.5, 16, 1)
    b.put("3023", BLACK, 1.5, -1.5, 17, 1)
    b.put("3024", WHITE, 1.5, 0.5, 17)
    b.put("54200", ORANGE, 1.5, -1.5, 18)
    b.put("3005", WHITE, 1.5, -0.5, 18)
    eyes = b.put("47905", WHITE, 1.5, 0.5, 18, 1)
    b.onto(eyes, 1, "98138", BLACK)
    b.onto(eyes, 2, "98138", BLACK)
    b.put("3044b", WHITE, 1.5, -0.5, 21)


def phoenix(b: Builder) -> None:
    """A phoenix with spread wings and a long tail, from dark red to flame yellow."""
    b.pair("3023", YELLOW, 0, 2, 0, 1, about=1)
    b.pair("3062b", YELLOW, 0, 3, 1, about=1)
    b.put("3660", RED, 0, 1, 4)
    b.put("3003", RED, 0, 3, 4)
    b.put("3747", DARK_RED, 0, 5, 4, 2)
    b.put("2456", RED, 0, 1, 7, 1)
    b.put("3020", ORANGE, 0, 7, 7, 1)
    b.put("3020", YELLOW, 0, 9, 8, 1)
    b.put("85984", DARK_RED, 0, 7, 8, 2)
    b.pair("41769", DARK_RED, -3, 1, 10, 1, about=1, other="41770")
    b.pair("41769", ORANGE, -3, 3, 10, 1, about=1, other="41770")
    b.pair("43722", ORANGE, -5, 1, 9, 1, about=1, other="43723")
    b.pair("49668", YELLOW, -6, 1, 10, 1, about=1)
    b.pair("49668", YELLOW, -3, 3, 11, 2, about=1)
    b.pair("49668", RED, -2, 3, 11, 2, about=1)
    b.pair("49668", RED, 0, 12, 9, 2, about=1)
    b.put("3001", RED, 0, 1, 11, 1)
    b.put("3039", RED, 0, 1, 14, 2)
    b.put("3021", ORANGE, 0, -1, 17, 1)
    b.put("85984", YELLOW, 0, -1, 18)
    for eye in b.pair("87087", RED, 0, 0, 18, 1, about=1):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", RED, 0, 1, 18)
    b.put("3022", DARK_RED, 0, 0, 21)
    b.pair("54200", ORANGE, 0, 0, 22, about=1)
    b.pair("3062b", ORANGE, 0, 1, 22, about=1)
    b.pair("4589", YELLOW, 0, 1, 25, about=1)
    for x in (0.5, 1.5):
        b.at("15070", YELLOW, x, -0.5, 17)
    b.pair("43722", DARK_RED, -2, 11, 7, 1, about=1, other="43723")


def parrot(b: Builder) -> None:
    """A white cockatoo with a pale yellow crest, pink cheeks and a dark hooked beak."""
    b.put("3021", WHITE, 1, 5, 0, 1)
    b.put("3020", WHITE, 1, 2, 1, 1)
    b.pair("3023", DARK_GREY, 0, 0, 0, 1)
    b.pair("6141", DARK_GREY, 0, 1, 1)
    b.put("3001", WHITE, 0, 1, 2)
    b.pair("3660", WHITE, 0, 0, 5)
    b.put("3001", WHITE, 0, 2, 5)
    b.put("3010", WHITE, 0, 0, 8)
    wings = b.pair("11211", WHITE, 0, 1, 8, 1)
    b.onto(wings[0], -2, "22385", WHITE, spin=1, dx=0.5)
    b.onto(wings[1], -1, "22385", WHITE, spin=-1, dx=-0.5)
    b.put("3003", WHITE, 1, 1, 8)
    b.put("3010", WHITE, 0, 3, 8)
    b.put("3001", WHITE, 0, 0, 11)
    b.put("3037", WHITE, 0, 2, 11, 2)
    for cheek in b.pair("87087", WHITE, 0, 0, 14, 1):
        b.onto(cheek, -1, "98138", PINK)
    b.put("3004", WHITE, 1, 0, 14)
    b.put("3010", WHITE, 0, 1, 14)
    b.put("3020", DARK_GREY, 1, -2, 17, 1)
    b.pair("3023", WHITE, 0, 0, 17, 1)
    b.put("3039", DARK_GREY, 1, -2, 18)
    for x in (1.5, 2.5):
        b.at("15070", DARK_GREY, x, -1.5, 17)
    for eye in b.pair("87087", WHITE, 0, 0, 18, 1):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3004", WHITE, 1, 0, 18)
    b.put("3010", WHITE, 0, 1, 18)
    b.put("3020", WHITE, 0, 0, 21)
    b.pair("3040b", WHITE, 0, 0, 22)
    b.pair("60481", LIGHT_YELLOW, 1, 0, 22)


def obesobeso(b: Builder) -> None:
    """A stout penguin: black back, head and flippers, white belly, orange feet and beak."""
    b.pair("3021", ORANGE, 0, -1, 0, 1)
    b.put("3001", WHITE, 0, 0, 1)
    b.put("3001", BLACK, 0, 2, 1)
    for up in (4, 10):
        b.put("3010", WHITE, 0, 0, up)
        b.pair("3002", BLACK, 0, 1, up, 1)
    b.put("3001", WHITE, 0, 0, 7)
    b.put("3001", BLACK, 0, 2, 7)
    b.put("3710", WHITE, 0, 0, 13)
    b.put("3795", BLACK, -1, 1, 13)
    b.put("3710", BLACK, 0, 3, 13)
    for up in (4, 7, 10):
        b.pair("3004", BLACK, -1, 1, up, 1)
    b.pair("3069b", BLACK, -1, 1, 14, 1)
    b.pair("3005", BLACK, 0, 0, 14)
    face = b.put("11211", BLACK, 1, 0, 14)
    beak = b.onto(face, -2, "3794b", ORANGE, dx=-0.5)
    b.onto(beak, 0, "54200", ORANGE)
    b.put("3010", BLACK, 0, 1, 14)
    b.put("3001", BLACK, 0, 2, 14)
    b.pair("3005", BLACK, 0, 0, 17)
    for eye in b.pair("87087", WHITE, 1, 0, 17):
        b.onto(eye, -1, "98138", BLACK)
    b.put("3010", BLACK, 0, 1, 17)
    b.put("3001", BLACK, 0, 2, 17)
    b.put("3037", BLACK, 0, 0, 20)
    b.put("3037", BLACK, 0, 2, 20, 2)


DESIGNS: dict[str, Callable[[Builder], None]] = {
    "Mallard": mallard,
    "Bird": bird,
    "Owl": owl,
    "Swan": swan,
    "Phoenix": phoenix,
    "Parrot": parrot,
    "Obesobeso": obesobeso,
}
