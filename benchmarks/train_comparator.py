"""Train the comparator: python benchmarks/train_comparator.py DATA... --out comparator.safetensors [--steps 3000].

DATA are files of ``comparator_data.py``. The first ``--validate`` files are left out of the training and reported:
image AUROC and pixel AP of the residual ratio and of the network. A step takes good and defective photos of one
assembly; the loss asks that the defect of each defective photo stands out over every place of the good ones (a
logistic loss over pairs of smooth maxima) and that pixels are told apart. On top of rendered defects, stains are
painted into good photos, and pictures are shifted, blurred, dimmed, made noisy, turned and recoloured at random.
``--rough`` makes a share of them look as if a poor field had been compared: textured, unevenly lit, cut out badly, out
of place.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from paad.compare.comparator import CHANNELS, DILATIONS, RATIOS, comparator_channels
from paad.compare.kernels_convolve import LEAK
from paad.compare.residual import blur, gradient_magnitude, residual_maps
from paad.data.files import whole_file
from paad.metrics.image import auroc
from paad.metrics.pixel import PixelEvaluator

SHARPNESS = 4.0
"""Of the smooth maximum: logsumexp(SHARPNESS * x) / SHARPNESS."""
PHOTOS_A_STEP = 6
CROP_PX = 144
"""Larger pictures are cut to this at random, around a defect if there is one."""


@dataclass(frozen=True)
class Pair:
    """One photo and its reference, see ``comparator_data.py``; ``label`` 0 held out, 1 good, 2 defective."""

    query: np.ndarray
    reference: np.ndarray
    alpha: np.ndarray
    expected: np.ndarray
    residuals: np.ndarray
    mask: np.ndarray
    label: int
    unit: np.ndarray

    def channels(self) -> Tensor:
        return torch.from_numpy(
            comparator_channels(self.query, self.reference, self.alpha, self.expected, self.residuals, self.unit)
        )


def load(file: Path) -> list[Pair]:
    """All pairs of one assembly."""
    with np.load(file) as z:
        pairs = [
            Pair(
                *(z[f"{k}{i}"].astype(np.float32) for k in ("query", "reference", "alpha", "expected", "residual")),
                z[f"mask{i}"] > 127,
                int(label),
                np.ones(2),
            )
            for i, label in enumerate(z["label"])
        ]
    peaks = np.stack([(p.residuals / p.expected).max(axis=(1, 2)) for p in pairs if p.label == 0])
    return [replace(p, unit=np.median(peaks, axis=0)) for p in pairs]


class Network(nn.Module):
    """The torch twin of :class:`paad.compare.comparator.Comparator`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(width if i else CHANNELS, width, 3, padding=d, dilation=d) for i, d in enumerate(DILATIONS)
        )
        self.out = nn.Conv2d(width * len(DILATIONS), 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.ratio = nn.Parameter(torch.tensor([2.0]))

    def forward(self, channels: Tensor) -> Tensor:
        """Logits [H, W] of channels [C, H, W]."""
        values, outs = channels[None], []
        for layer in self.layers:
            values = functional.leaky_relu(layer(values), LEAK)
            outs.append(values)
        return self.ratio * channels[RATIOS].amax(dim=0) + self.out(torch.cat(outs, dim=1))[0, 0]


def painted(pair: Pair, rng: np.random.Generator) -> Pair:
    """A good photo with a stain of random colour, shape, softness and strength."""
    ys, xs = np.nonzero(pair.alpha > 0.9)
    if len(ys) < 50:
        return pair
    h, w = pair.alpha.shape
    k, turn, aspect = int(rng.integers(len(ys))), rng.uniform(0.0, np.pi), np.exp(rng.uniform(0.0, 1.5))
    half = float(np.sqrt(np.exp(rng.normal(np.log(60.0), 1.0)) * h * w / 8000.0 / np.pi / aspect))
    y, x = np.mgrid[:h, :w].astype(np.float32)
    y, x = y - ys[k], x - xs[k]
    radius = np.hypot(
        (np.cos(turn) * x + np.sin(turn) * y) / (half * aspect), (np.cos(turn) * y - np.sin(turn) * x) / half
    )
    noise = blur(rng.normal(size=(h, w)).astype(np.float32), max(1.0, 0.5 * half))
    rim = 1.0 + 0.3 * noise / (noise.std() + 1e-6)
    cover = np.clip((rim - radius) * half / rng.uniform(0.8, 2.5) + 0.5, 0.0, 1.0) * (pair.alpha > 0.6)
    base = pair.reference[ys[k], xs[k]]
    inks = rng.uniform(0.1, 0.75, (20, 3))
    ink = inks[int((np.abs(inks - base).max(axis=1) > 0.15).argmax())]
    contrast = float(np.abs(ink - base).max())
    opacity = min(1.0, float(np.exp(rng.uniform(np.log(0.12), np.log(0.6)))) / max(contrast, 1e-3))
    share = (opacity * cover)[..., None]
    query = ((1.0 - share) * pair.query + share * ink).astype(np.float32)
    return replace(pair, query=query, mask=opacity * cover * contrast > 3.0 / 255.0, label=2)


def roughened(pair: Pair, rng: np.random.Generator) -> Pair:
    """The pair as a poor field would show it: of a textured object, under an uneven light, cut out badly, out of place.

    What that alone would leave as residual is added to the expected residual, as held-out views would have taught it.
    """
    h, w = pair.alpha.shape
    on = (pair.alpha > 0.5).astype(np.float32)[..., None]
    factor, drawn = np.ones((h, w, 3), np.float32), np.ones((h, w, 3), np.float32)
    if rng.random() < 0.6:  # a texture that the field shows weaker
        tint = rng.uniform(0.6, 1.0, 3).astype(np.float32)
        grain = _field(rng, (h, w), np.exp(rng.uniform(np.log(0.7), np.log(5.0)))) * rng.uniform(0.03, 0.25)
        factor += grain[..., None] * tint
        drawn += blur(grain, rng.uniform(0.3, 1.5))[..., None] * rng.uniform(0.7, 1.0) * tint
    if rng.random() < 0.6:  # light that the field does not know
        factor += (_field(rng, (h, w), rng.uniform(5.0, 25.0)) * rng.uniform(0.01, 0.08))[..., None]
    fringe = np.zeros((h, w, 1), np.float32)
    if rng.random() < 0.4:  # what a matting leaves along the outline
        along = blur(gradient_magnitude(pair.alpha), rng.uniform(0.4, 1.0))
        fringe = (along * (0.5 + _field(rng, (h, w), 6.0)) * rng.uniform(0.0, 0.5))[..., None]
    out_of_place = _field(rng, (h, w), 12.0), _field(rng, (h, w), 12.0)
    strength = np.float32(rng.uniform(0.0, 0.5) if rng.random() < 0.6 else 0.0)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    at = x + strength * out_of_place[0], y + strength * out_of_place[1]

    def photographed(picture: np.ndarray) -> np.ndarray:
        lit = picture * (1.0 + on * (factor - 1.0)) + fringe
        return cv2.remap(lit, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)

    reference = (pair.reference * (1.0 + on * (drawn - 1.0))).astype(np.float32)
    missed = residual_maps(photographed(pair.reference), reference)
    usual = np.stack([np.sqrt(blur(m * m, 3.0)) for m in missed]) * np.float32(np.exp(rng.normal(0.0, 0.2)))
    expected = np.sqrt(pair.expected**2 + usual**2)
    unit = np.maximum(pair.unit, (missed / expected).max(axis=(1, 2))) * np.exp(rng.normal(0.0, 0.1))
    return replace(pair, query=photographed(pair.query), reference=reference, expected=expected, unit=unit)


def _field(rng: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1 whose grain is ``width`` pixels."""
    noise = blur(rng.normal(size=shape).astype(np.float32), width)
    out: np.ndarray = (noise - noise.mean()) / (noise.std() + 1e-6)
    return out


def cropped(pair: Pair, rng: np.random.Generator) -> Pair:
    """At most CROP_PX of a pair each way."""
    windows = []
    places = np.argwhere(pair.mask if pair.mask.any() else pair.alpha > 0.5)
    place = places[int(rng.integers(len(places)))] if len(places) else np.zeros(2, int)
    for size, middle in zip(pair.alpha.shape, place, strict=True):
        low, high = max(0, int(middle) - CROP_PX + 24), min(int(middle) - 24, size - CROP_PX)
        first = int(rng.integers(low, high + 1)) if high >= low else max(0, min(int(low), size - CROP_PX))
        windows.append(slice(first, first + CROP_PX))
    window = tuple(windows)
    return replace(
        pair,
        **{name: getattr(pair, name)[window] for name in ("query", "reference", "alpha", "mask")},
        **{name: getattr(pair, name)[(slice(None), *window)] for name in ("expected", "residuals")},
    )


def varied(pair: Pair, rng: np.random.Generator, rough: float) -> Pair:
    """The pair as another camera, another pose error, another toy and another side would show it.

    With probability ``rough`` also as a poor field would.
    """
    if pair.label != 2 and rng.random() < 0.4:
        pair = painted(pair, rng)
    pair = cropped(pair, rng)
    if rng.random() < rough:
        pair = roughened(pair, rng)
    query, reference = pair.query, pair.reference
    if rng.random() < 0.5:
        query = query * (1.0 + rng.normal(0.0, 0.015, 3)).astype(np.float32)
    if rng.random() < 0.5:
        shift = np.eye(2, 3, dtype=np.float32)
        shift[:, 2] = rng.normal(0.0, 0.12, 2)
        query = cv2.warpAffine(query, shift, query.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.3:
        query = blur(np.ascontiguousarray(query), rng.uniform(0.3, 0.6))
    if rng.random() < 0.4:
        query = query + rng.normal(0.0, rng.uniform(0.0, 0.012), query.shape).astype(np.float32)
    if rng.random() < 0.3:
        order = rng.permutation(3)
        query, reference = query[..., order], reference[..., order]
    query = np.ascontiguousarray(query, np.float32)
    residuals = residual_maps(query, np.ascontiguousarray(reference))
    turns, mirrored = int(rng.integers(4)), bool(rng.random() < 0.5)

    def turned(values: np.ndarray, axes: tuple[int, int]) -> np.ndarray:
        out = np.rot90(values, turns, axes)
        return np.ascontiguousarray(np.flip(out, axes[1]) if mirrored else out)

    return Pair(
        *(turned(v, (0, 1)) for v in (query, reference, pair.alpha)),
        *(turned(v, (1, 2)) for v in (pair.expected, residuals)),
        turned(pair.mask, (0, 1)),
        pair.label,
        pair.unit,
    )


def loss_of(network: Network, pairs: list[Pair]) -> Tensor:
    """The loss of one step, see the module."""
    defects, rest, pixels = [], [], torch.zeros(())
    for pair in pairs:
        logits = network(pair.channels())
        mask = torch.from_numpy(pair.mask)
        near = torch.from_numpy(cv2.dilate(pair.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
        rest.append(torch.logsumexp(SHARPNESS * logits[~near], 0) / SHARPNESS)
        each = functional.binary_cross_entropy_with_logits(logits - 4.0, mask.float(), reduction="none")
        pixels = pixels + 3.0 * each[~mask].mean()
        if pair.mask.any():
            defects.append(torch.logsumexp(SHARPNESS * logits[mask], 0) / SHARPNESS)
            pixels = pixels + 0.15 * each[mask].mean()
    loss = pixels / len(pairs)
    if defects:
        gap = torch.stack(defects)[:, None] - torch.stack(rest)[None]
        loss = loss + functional.softplus(-2.0 * gap).mean()
    return loss


def figures(network: Network, pairs: list[Pair]) -> list[float]:
    """Percent, of the ratio and of the network: image AUROC, image AUROC, pixel AP, pixel AP."""
    tested = [p for p in pairs if p.label > 0]
    labels = np.array([p.label == 2 for p in tested])
    maps: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    with torch.inference_mode():
        for pair in tested:
            channels = pair.channels()
            maps[0].append(channels[RATIOS].amax(dim=0).numpy())
            maps[1].append(network(channels).numpy())
    images, pixels = [], []
    for found in maps:
        images.append(100.0 * auroc(np.array([m.max() for m in found]), labels))
        evaluator = PixelEvaluator()
        for m, pair in zip(found, tested, strict=True):
            evaluator.update(m, pair.mask)
        pixels.append(100.0 * evaluator.compute().ap)
    return [round(v, 1) for v in (*images, *pixels)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--validate", type=int, default=0, help="files to leave out and to report (default: 0)")
    parser.add_argument("--report", type=Path, nargs="*", default=[], help="more files to report")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--rate", type=float, default=3e-3, help="largest learning rate (default: 0.003)")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument(
        "--rough", type=float, default=0.0, help="share of pictures made as of a poor field (default: 0)"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    reported = {file.stem: load(file) for file in [*args.data[: args.validate], *args.report]}
    assemblies = [load(file) for file in args.data[args.validate :]]
    network = Network(args.width)
    if args.start is not None:
        network.load_state_dict(load_file(str(args.start)))
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=args.steps, pct_start=0.1)
    begin, losses = time.time(), []
    for step in range(1, args.steps + 1):
        pairs = assemblies[int(rng.integers(len(assemblies)))]
        chosen = []
        for defective in (False, True):
            some = [p for p in pairs if (p.label == 2) == defective]
            chosen += [varied(some[int(i)], rng, args.rough) for i in rng.integers(len(some), size=PHOTOS_A_STEP)]
        loss = loss_of(network, chosen)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 0:
            print(f"{step}: loss {np.mean(losses[-100:]):.3f}, {time.time() - begin:.0f} s", flush=True)
        if step % 500 == 0 or step == args.steps:
            for name, pairs in reported.items():
                print(f"  {name}: image AUROC, pixel AP: ratio and network {figures(network, pairs)}", flush=True)
            state = {k: v.contiguous() for k, v in network.state_dict().items()}
            with whole_file(args.out) as temporary:
                save_file(state, str(temporary))


if __name__ == "__main__":
    main()
