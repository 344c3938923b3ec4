"""How many pictures of what size: the profiles of the generator."""

from __future__ import annotations

from dataclasses import dataclass

from paad.errors import UsageError
from paad.geometry.camera import Camera
from paad.synth.rig import ANGLE_X


@dataclass(frozen=True)
class Counts:
    """Pictures of one object in one look. ``defect`` is spread evenly over three kinds, ``specimens`` of each."""

    train: int
    good: int
    defect: int
    specimens: int


@dataclass(frozen=True)
class Profile:
    """Sizes and counts of a generated data set.

    Attributes:
        name: of the profile, for the manifest.
        size_px: width and height of the pictures.
        sim, real: pictures an object in each look.
        samples: light paths a pixel. With a quarter of 64, the rendering's noise is two to three times a camera's.
        mask_samples: samples along each side of a pixel that decide its mask.
        min_share: least share of the picture that a defect must cover to be labelled one.
        min_px: least number of such pixels.
    """

    name: str
    size_px: int
    sim: Counts
    real: Counts = Counts(50, 8, 24, 2)
    samples: int = 64
    mask_samples: int = 4
    min_share: float = 0.0002
    min_px: int = 8

    def __post_init__(self) -> None:
        if not 32 <= self.size_px <= 4096:
            raise UsageError(f"profile {self.name!r}: size_px is {self.size_px}; it must lie in 32 to 4096")
        if self.samples < 1 or self.mask_samples < 1:
            raise UsageError(f"profile {self.name!r}: samples and mask_samples must be at least 1")
        for look, counts in (("sim", self.sim), ("real", self.real)):
            if counts.train < 1 or counts.good < 0 or counts.defect < 0 or counts.specimens < 1:
                raise UsageError(f"profile {self.name!r}: {look} counts {counts} must be positive")
            if counts.defect % 3:
                raise UsageError(
                    f"profile {self.name!r}: {counts.defect} {look} defect views; a multiple of 3 is needed"
                )

    @property
    def camera(self) -> Camera:
        """MAD's camera at this profile's size."""
        return Camera.from_angle_x(ANGLE_X, self.size_px, self.size_px)

    @property
    def least_visible_px(self) -> int:
        """A picture labelled defect shows at least this many changed pixels."""
        return max(self.min_px, round(self.min_share * self.size_px**2))

    def counts(self, look: str) -> Counts:
        """Pictures an object in ``look``."""
        return self.sim if look == "sim" else self.real


PROFILES = {
    "tiny": Profile("tiny", 160, Counts(105, 20, 36, 4)),
    "small": Profile("small", 400, Counts(210, 30, 72, 6)),
    "full": Profile("full", 800, Counts(210, 50, 300, 10)),
}


def profile_of(profile: Profile | str) -> Profile:
    """A profile by name, or the given one.

    Raises:
        UsageError: no such profile.
    """
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise UsageError(f"profile {profile!r} is not known; choose one of: {', '.join(PROFILES)}")
    return PROFILES[profile]
