"""From linear light to the stored 8-bit picture, for both looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paad.synth.render_surface import srgb_of_linear
from paad.types import Float32, UInt8


@dataclass(frozen=True)
class Shot:
    """What the camera did in one photo of the ``real`` look.

    Attributes:
        exposure: factor on the light.
        white_balance: factors on red, green, blue.
        full_well: electrons at white; fewer is noisier.
        read_noise: electrons.
        jpeg_quality: of the compression that the picture went through.
    """

    exposure: float
    white_balance: tuple[float, float, float]
    full_well: float
    read_noise: float
    jpeg_quality: int


def random_shot(rng: np.random.Generator) -> Shot:
    """Drift of a phone or camera on automatic: exposure ±0.2 EV, white balance ±4 %, ISO and JPEG quality vary."""
    warm, green = rng.normal(0.0, 0.03), rng.normal(0.0, 0.012)
    return Shot(
        float(2.0 ** rng.normal(0.0, 0.15)),
        (float(1.0 + warm), float(1.0 + green), float(1.0 - warm)),
        float(rng.uniform(2500.0, 9000.0)),
        float(rng.uniform(3.0, 9.0)),
        int(rng.integers(86, 96)),
    )


def on_white(rgb: Float32, alpha: Float32) -> UInt8:
    """sRGB picture [h, w, 3] of premultiplied linear ``rgb`` over a white background."""
    return _eight_bits(srgb_of_linear(rgb + (1.0 - alpha[..., None])))


def photographed(rgb: Float32, shot: Shot, rng: np.random.Generator) -> UInt8:
    """sRGB photo [h, w, 3] of linear light: exposure, white balance, shot and read noise, JPEG and back.

    The noise is Poisson's of the electrons (as its normal limit) plus the read-out's (EMVA standard 1288, part 2).
    """
    import cv2

    light = np.clip(rgb * shot.exposure * np.asarray(shot.white_balance, np.float32), 0.0, None)
    # A soft shoulder above 0.8 instead of hard clipping, as camera firmware does.
    light = np.where(light > 0.8, 0.8 + 0.25 * (1.0 - np.exp(-(light - 0.8) / 0.25)), light)
    electrons = light * shot.full_well
    noisy = electrons + rng.normal(size=light.shape) * np.sqrt(electrons + shot.read_noise**2)
    picture = _eight_bits(srgb_of_linear(noisy / shot.full_well))
    done, code = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, shot.jpeg_quality])
    if not done:
        raise ValueError(f"JPEG encoder refused a picture of shape {picture.shape}")
    decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1])


def _eight_bits(srgb: Float32) -> UInt8:
    picture: UInt8 = np.rint(np.clip(srgb, 0.0, 1.0) * 255.0).astype(np.uint8)
    return picture
