"""What has to be rendered for one object, cut into pieces that stand alone: any order, any process, same bytes."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paad.synth.dataset_profile import Profile
from paad.synth.defects import KINDS

TRAIN_CHUNK = 15


@dataclass(frozen=True)
class Job:
    """What all pieces of a data set share."""

    out: Path
    profile: Profile
    look: str
    seed: int
    library: Path | None = None
    buffers: bool = False
    variant: str = "scalar_rgb"


@dataclass(frozen=True)
class Piece:
    """A run of pictures of one object.

    Attributes:
        source: toy's name or file; see :func:`paad.synth.dataset_objects.load_object`.
        name: the object's folder.
        label: "train", "good" or one of ``KINDS``.
        specimen: number of the damaged specimen; 0 for good ones.
        first: number of the first picture in its folder.
        count: pictures.
    """

    source: str
    name: str
    label: str
    specimen: int
    first: int
    count: int

    @property
    def key(self) -> str:
        """A name for the piece, unique in its object."""
        return f"{self.label}-{self.first:04d}"


def pieces_of(source: str, name: str, profile: Profile, look: str) -> list[Piece]:
    """All pieces of one object, in the order of their files."""
    counts = profile.counts(look)
    pieces = [
        Piece(source, name, label, 0, first, min(TRAIN_CHUNK, total - first))
        for label, total in (("train", counts.train), ("good", counts.good))
        for first in range(0, total, TRAIN_CHUNK)
    ]
    per_kind = counts.defect // len(KINDS)
    specimens = min(counts.specimens, per_kind)
    for kind in KINDS:
        bounds = [round(i * per_kind / specimens) for i in range(specimens + 1)] if specimens else []
        pieces += [
            Piece(source, name, kind, number, first, end - first)
            for number, (first, end) in enumerate(itertools.pairwise(bounds))
        ]
    return pieces


def rng_of(seed: int, *words: str | int) -> np.random.Generator:
    """A generator that depends on ``seed`` and the words only, not on the order of the work."""
    return np.random.default_rng([seed & 0xFFFFFFFF, *(zlib.crc32(str(word).encode()) for word in words)])


def picture_paths(piece: Piece, index: int) -> tuple[str, str | None]:
    """Paths of picture ``index`` of the piece's folder and of its mask, inside the object's folder."""
    stem = f"{index:03d}"
    if piece.label == "train":
        return f"train/good/{stem}.png", None
    if piece.label == "good":
        return f"test/good/{stem}.png", None
    return f"test/{piece.label}/{stem}.png", f"ground_truth/{piece.label}/{stem}_mask.png"
