"""Which parts exist: LDraw number, what it is, and the call that makes its shape."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.parts import blocks, clips, rounds, slopes
from paad.synth.parts.shape import Shape

Maker = Callable[[], Shape]
Entry = tuple[str, Maker]

BOXES = {
    "3005": (1, 1), "3004": (2, 1), "3622": (3, 1), "3010": (4, 1), "3009": (6, 1), "3008": (8, 1),
    "3003": (2, 2), "3002": (3, 2), "3001": (4, 2), "2456": (6, 2),
}  # fmt: skip
PLATES = {
    "3024": (1, 1), "3023": (2, 1), "3623": (3, 1), "3710": (4, 1), "3666": (6, 1), "3460": (8, 1),
    "3022": (2, 2), "3021": (3, 2), "3020": (4, 2), "3795": (6, 2), "11212": (3, 3), "3031": (4, 4), "3032": (6, 4),
}  # fmt: skip
TILES = {
    "3070b": (1, 1), "3069b": (2, 1), "63864": (3, 1), "2431": (4, 1), "3068b": (2, 2),
    "26603": (3, 2), "87079": (4, 2),
}  # fmt: skip

ALIASES = {
    "3023b": "3023", "3040": "3040b", "3044": "3044b", "3062": "3062b", "3068": "3068b", "3069": "3069b",
    "3070": "3070b", "3660a": "3660", "3660b": "3660", "3665a": "3665", "3665b": "3665", "3747a": "3747",
    "3747b": "3747", "4287a": "4287", "4287c": "4287", "3684a": "3684", "60481a": "60481", "4032a": "4032",
    "4073": "6141", "3942c": "3942b", "30367b": "30367", "553": "30367", "4150": "14769",
    "4085c": "4085", "4085b": "4085", "6019": "61252", "15712": "2555", "50746": "54200", "30039": "3070b",
    "3794a": "3794b", "15573": "3794b", "43722a": "43722", "43723a": "43723", "41769a": "41769",
    "41770a": "41770", "35381": "98138", "63965": "87994", "4589b": "4589", "2412": "2412b", "6143": "3941",
    "3957a": "3957", "3957b": "3957",
}  # fmt: skip
"""Other numbers of the same mould, as older and newer models write them."""


def _boxes() -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for number, (x, z) in BOXES.items():
        entries[number] = (f"Brick {z} x {x}", lambda x=x, z=z: blocks.brick(x, z))  # type: ignore[misc]
    for number, (x, z) in PLATES.items():
        entries[number] = (f"Plate {z} x {x}", lambda x=x, z=z: blocks.plate(x, z))  # type: ignore[misc]
    for number, (x, z) in TILES.items():
        entries[number] = (f"Tile {z} x {x}", lambda x=x, z=z: blocks.tile(x, z))  # type: ignore[misc]
    return entries


BLOCKS: dict[str, Entry] = {
    "3794b": ("Plate 1 x 2 with one stud", lambda: blocks.jumper(2, 1)),
    "87580": ("Plate 2 x 2 with one stud", lambda: blocks.jumper(2, 2)),
    "2420": ("Plate 2 x 2 corner", blocks.corner_plate),
    "2357": ("Brick 2 x 2 corner", lambda: blocks.corner_plate(24.0)),
    "87087": ("Brick 1 x 1 with stud on one side", lambda: blocks.brick_with_side_studs(1, [0], [0])),
    "47905": ("Brick 1 x 1 with studs on two sides", lambda: blocks.brick_with_side_studs(1, [0], [0, 180])),
    "4733": ("Brick 1 x 1 with studs on four sides", lambda: blocks.brick_with_side_studs(1, [0], [0, 90, 180, 270])),
    "11211": ("Brick 1 x 2 with two studs on one side", lambda: blocks.brick_with_side_studs(2, [-10, 10], [0])),
    "30414": (
        "Brick 1 x 4 with four studs on one side",
        lambda: blocks.brick_with_side_studs(4, [-30, -10, 10, 30], [0]),
    ),
    "4070": ("Brick 1 x 1 with headlight", blocks.headlight),
    "99780": ("Bracket 1 x 2 - 1 x 2 up", lambda: blocks.bracket(2, [-2], 20, True)),
    "99781": ("Bracket 1 x 2 - 1 x 2 down", lambda: blocks.bracket(2, [10], 20, False)),
    "99207": ("Bracket 1 x 2 - 2 x 2 up", lambda: blocks.bracket(2, [-22, -2], 40, True)),
    "44728": ("Bracket 1 x 2 - 2 x 2 down", lambda: blocks.bracket(2, [10, 30], 40, False)),
    "36840": ("Bracket 1 x 1 - 1 x 1 up", lambda: blocks.bracket(1, [-2], 20, True)),
    "2412b": ("Tile 1 x 2 grille", blocks.grille),
    "24246": ("Tile 1 x 1 with round end", blocks.tile_with_round_end),
    "30136": ("Brick 1 x 2 log", lambda: blocks.log_brick(2)),
    "15070": ("Plate 1 x 1 with tooth pointing down", lambda: blocks.tooth(True)),
    "49668": ("Plate 1 x 1 with tooth pointing ahead", lambda: blocks.tooth(False)),
}

SLOPES: dict[str, Entry] = {
    "3040b": ("Slope 45 2 x 1", lambda: slopes.slope(1, 2)),
    "3039": ("Slope 45 2 x 2", lambda: slopes.slope(2, 2)),
    "3038": ("Slope 45 2 x 3", lambda: slopes.slope(3, 2)),
    "3037": ("Slope 45 2 x 4", lambda: slopes.slope(4, 2)),
    "4286": ("Slope 33 3 x 1", lambda: slopes.slope(1, 3)),
    "3298": ("Slope 33 3 x 2", lambda: slopes.slope(2, 3)),
    "60481": ("Slope 65 2 x 1 x 2", lambda: slopes.slope(1, 2, 48)),
    "3684": ("Slope 75 2 x 2 x 3", lambda: slopes.slope(2, 2, 72)),
    "3665": ("Slope 45 2 x 1 inverted", lambda: slopes.inverted(1, 2)),
    "3660": ("Slope 45 2 x 2 inverted", lambda: slopes.inverted(2, 2)),
    "4287": ("Slope 33 3 x 1 inverted", lambda: slopes.inverted(1, 3)),
    "3747": ("Slope 33 3 x 2 inverted", lambda: slopes.inverted(2, 3)),
    "3044b": ("Slope 45 2 x 1 double", lambda: slopes.double(1)),
    "3043": ("Slope 45 2 x 2 double", lambda: slopes.double(2)),
    "3045": ("Slope 45 2 x 2 outer corner", slopes.corner),
    "3676": ("Slope 45 2 x 2 inverted outer corner", slopes.inverted_corner),
    "3688": ("Slope 75 2 x 2 x 2 on four sides", slopes.pyramid),
    "54200": ("Slope 31 1 x 1 x 2/3", lambda: slopes.cheese(1)),
    "85984": ("Slope 31 1 x 2 x 2/3", lambda: slopes.cheese(2)),
    "11477": ("Slope curved 2 x 1 x 2/3", lambda: slopes.curved(1, 40, -16, [(0, 0), (20, -8)])),
    "15068": ("Slope curved 2 x 2 x 2/3", lambda: slopes.curved(2, 40, -16, [(0, 0), (20, -8)])),
    "50950": ("Slope curved 3 x 1", lambda: slopes.curved(1, 60, 0, [(10, 24), (30, 16)])),
    "61678": ("Slope curved 4 x 1", lambda: slopes.curved(1, 80, 0, [(0, 24), (20, 16), (40, 8)])),
    "93606": ("Slope curved 4 x 2", lambda: slopes.curved(2, 80, 0, [(0, 24), (20, 16), (40, 8)])),
    "93273": ("Slope curved 4 x 1 double", lambda: slopes.double_curved(1, 80, -16, [(-20, 0), (20, -8), (40, 0)])),
    "24201": ("Slope curved 2 x 1 inverted", lambda: slopes.inverted_curve(1)),
    "32803": ("Slope curved 2 x 2 inverted", lambda: slopes.inverted_curve(2)),
    "49307": ("Brick 1 x 1 x 2/3 with round top", rounds.round_top),
}

ROUNDS: dict[str, Entry] = {
    "3062b": ("Brick 1 x 1 round", lambda: rounds.round_1x1(24)),
    "6141": ("Plate 1 x 1 round", lambda: rounds.round_1x1(8)),
    "98138": ("Tile 1 x 1 round", rounds.round_tile),
    "3941": ("Brick 2 x 2 round", lambda: rounds.round_2x2(24)),
    "4032": ("Plate 2 x 2 round", lambda: rounds.round_2x2(8)),
    "18674": ("Plate 2 x 2 round with one stud", lambda: rounds.round_2x2(8, studded=False)),
    "14769": ("Tile 2 x 2 round", rounds.round_tile_2x2),
    "60474": ("Plate 4 x 4 round", rounds.round_plate_4x4),
    "4589": ("Cone 1 x 1", lambda: rounds.cone(10, 6.6, 24, 4)),
    "3942b": ("Cone 2 x 2 x 2", lambda: rounds.cone(20, 10, 48, 5)),
    "30367": ("Round brick 2 x 2 with dome", rounds.dome_2x2),
    "4740": ("Dish 2 x 2", lambda: rounds.dish(20, 8, 2.5)),
    "3960": ("Dish 4 x 4", lambda: rounds.dish(40, 16, 8)),
    "3063b": ("Brick 2 x 2 quarter of a round wall", rounds.quarter_round),
    "3659": ("Arch 1 x 4", lambda: rounds.arch(4, 40, 16)),
    "4490": ("Arch 1 x 3", lambda: rounds.arch(3, 20, 12)),
    "3455": ("Arch 1 x 6", lambda: rounds.arch(6, 80, 16)),
    "3626bp01": ("Head (barrel with stud)", rounds.ball_brick),
    "87994": ("Bar 3 long", lambda: rounds.bar(60)),
    "30374": ("Bar 4 long", lambda: rounds.bar(80)),
    "3957": ("Antenna 4 high", lambda: rounds.antenna(88)),
    "2423": ("Leaves 4 x 3", rounds.leaf),
}

CLIPS: dict[str, Entry] = {
    "61252": ("Plate 1 x 1 with clip", lambda: clips.plate_with(clips.clip_stalk(), 1, False)),
    "63868": ("Plate 1 x 2 with clip on the end", lambda: clips.plate_with(clips.clip_stalk(), 2, True)),
    "48336": ("Plate 1 x 2 with handle", lambda: clips.plate_with(clips.handle(17), 2, False)),
    "60478": ("Plate 1 x 2 with handle on the end", lambda: clips.plate_with(clips.handle(8.5), 2, True)),
    "4085": ("Plate 1 x 1 with upright clip", clips.plate_with_upright_clip),
    "2555": ("Tile 1 x 1 with clip on top", clips.tile_with_clip),
    "3937": ("Hinge 1 x 2 base", clips.hinge_base),
    "3938": ("Hinge 1 x 2 top", clips.hinge_top),
    "43722": ("Wing 2 x 3 right", lambda: clips.wing_right(3)),
    "43723": ("Wing 2 x 3 left", lambda: slopes.mirrored(clips.wing_right(3))),
    "41769": ("Wing 2 x 4 right", lambda: clips.wing_right(4)),
    "41770": ("Wing 2 x 4 left", lambda: slopes.mirrored(clips.wing_right(4))),
    "51739": ("Wing 2 x 4", clips.wing_both),
    "26601": ("Plate 2 x 2 without a corner", lambda: clips.cut_corner(2)),
    "2450": ("Plate 3 x 3 without a corner", lambda: clips.cut_corner(3)),
    "30503": ("Plate 4 x 4 without a corner", lambda: clips.cut_corner(4)),
    "22385": ("Tile 3 x 2 with a point", clips.pointed_tile),
    "6564": ("Wedge 3 x 2 right", clips.wedge_right),
    "6565": ("Wedge 3 x 2 left", lambda: slopes.mirrored(clips.wedge_right())),
}

CATALOG: dict[str, Entry] = {**_boxes(), **BLOCKS, **SLOPES, **ROUNDS, **CLIPS}
