"""Train the comparator: python benchmarks/train_comparator.py DATA... --out comparator.safetensors [--steps 3000].

Runs on a GPU where torch finds one; ``--workers`` processes then make the pictures of the steps. The pictures of a step
depend on the seed and the step alone, however many processes make them.

DATA are files of ``comparator_data.py``. The first ``--validate`` files are left out of the training and reported:
image AUROC and pixel AP of the residual ratio and of the network. A step takes good and defective photos of one
assembly; the loss asks that the defect of each defective photo stands out over every place of the good ones (a
logistic loss over pairs of smooth maxima) and that pixels are told apart. On top of rendered defects, stains, scratches
and lumps are painted into good photos and chips cut out of them, and pictures are shifted, blurred, dimmed, made noisy,
turned and recoloured at random.
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
from torch.utils.data import DataLoader, Dataset

from paad.compare.comparator import CHANNELS, CONVOLUTIONS, MIXTURES, RATIOS, SLOPES, comparator_channels
from paad.compare.kernels_convolve import LEAK
from paad.compare.residual import blur, gradient_magnitude, residual_maps
from paad.data.files import whole_file
from paad.metrics.image import auroc
from paad.metrics.pixel import PixelEvaluator

SHARPNESS = 4.0
"""Of the smooth maximum: logsumexp(SHARPNESS * x) / SHARPNESS."""
PHOTOS_A_STEP = 6
LEAST_EXPLAINED = 0.5
"""Share of the object that must look as a good specimen may."""
WIDTHS = tuple(CONVOLUTIONS[name][1] for name in ("full_1", "half_1", "quarter_1"))
"""Channels at the three resolutions."""
CROP_PX = 144
"""Larger pictures are cut to this at random, around a defect if there is one."""


@dataclass(frozen=True)
class Pair:
    """One photo and its reference, see ``comparator_data.py``; ``label`` 0 held out, 1 good, 2 defective.
    ``kind``: of the defect.
    """

    query: np.ndarray
    reference: np.ndarray
    alpha: np.ndarray
    expected: np.ndarray
    residuals: np.ndarray
    mask: np.ndarray
    label: int
    unit: np.ndarray
    kind: str = ""

    def channels(self) -> Tensor:
        return torch.from_numpy(
            comparator_channels(self.query, self.reference, self.alpha, self.expected, self.residuals, self.unit)
        )


def load(file: Path) -> list[Pair]:
    """The pairs of one assembly; not those at a wrong pose, which get no verdict."""
    with np.load(file) as z:
        pairs = [
            Pair(
                *(z[f"{k}{i}"].astype(np.float32) for k in ("query", "reference", "alpha", "expected", "residual")),
                z[f"mask{i}"] > 127,
                int(label),
                np.ones(2),
                str(z["kind"][i]),
            )
            for i, label in enumerate(z["label"])
        ]
    pairs = [p for p in pairs if _explained(p) >= LEAST_EXPLAINED]
    peaks = np.stack([(p.residuals / p.expected).max(axis=(1, 2)) for p in pairs if p.label == 0])
    return [replace(p, unit=np.median(peaks, axis=0)) for p in pairs]


def _explained(pair: Pair) -> float:
    """As :meth:`paad.compare.comparison.Expectation.explained`, of the reference's object."""
    there = pair.alpha > 0.5
    return float((pair.residuals[0] < 2.0 * pair.expected[0])[there].mean()) if there.any() else 0.0


class Network(nn.Module):
    """The torch twin of :class:`paad.compare.comparator.Comparator`."""

    def __init__(self) -> None:
        super().__init__()
        for name, (inputs, outputs, hole) in CONVOLUTIONS.items():
            self.add_module(name, nn.Conv2d(inputs, outputs, 3, padding=hole, dilation=hole))
        for name, (inputs, outputs) in MIXTURES.items():
            self.add_module(name, nn.Conv2d(inputs, outputs, 1, bias=False))
        self.out = nn.Conv2d(32, 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.ratio = nn.Parameter(torch.tensor([2.0]))

    def forward(self, channels: Tensor, there: Tensor) -> Tensor:
        """Logits [B, H, W] of channels [B, C, H, W]; beyond the pixels that are ``there`` [B, H, W] all is zero.

        The mean over the pictures as they are and turned over a diagonal. Height and width are multiples of 4.
        """
        turned = channels.flip((2, 3)).transpose(2, 3).contiguous(memory_format=torch.channels_last)
        turned[:, list(SLOPES)] = -turned[:, list(SLOPES[::-1])]
        other = self.once(turned, there.flip((1, 2)).transpose(1, 2))
        return 0.5 * (self.once(channels, there) + other.transpose(1, 2).flip((1, 2)))

    def once(self, channels: Tensor, there: Tensor) -> Tensor:
        """Logits of the pictures as they are."""
        part = dict(self.named_children())
        levels = [there[:, None].to(channels.dtype)]
        for _ in range(2):
            levels.append(functional.max_pool2d(levels[-1], 2))
        # as many channels as the values at that resolution: torch multiplies these several times as fast
        known = [
            level.expand(-1, width, -1, -1).contiguous(memory_format=torch.channels_last)
            for level, width in zip(levels, WIDTHS, strict=True)
        ]

        def convolved(name: str, values: Tensor, level: int) -> Tensor:
            return functional.leaky_relu(part[name](values), LEAK) * known[level]

        def enlarged(name: str, values: Tensor, level: int) -> Tensor:
            return functional.interpolate(part[name](values), scale_factor=2, mode="nearest") * known[level]

        full = convolved("full_2", convolved("full_1", channels, 0), 0)
        half = convolved("half_2", convolved("half_1", functional.avg_pool2d(full, 2), 1), 1)
        quarter = convolved("quarter_2", convolved("quarter_1", functional.avg_pool2d(half, 2), 2), 2)
        quarter = convolved("quarter_3", quarter, 2)
        half = convolved("half_3", half + enlarged("quarter_up", quarter, 1), 1)
        joined = convolved("full_3", full + enlarged("half_up", half, 0), 0)
        shares = self.out.weight.split(WIDTHS[0], dim=1)
        logit = functional.conv2d(full, shares[0]) + functional.conv2d(joined, shares[1], self.out.bias)
        return self.ratio * channels[:, RATIOS].amax(dim=1).float() + logit[:, 0].float()


def painted(pair: Pair, rng: np.random.Generator) -> Pair:
    """A good photo with a stain of random colour, shape, softness and strength, a scratch, a lump at the outline or a
    chip.
    """
    what = rng.choice(["stain", "scratch", "lump", "chip"], p=[0.35, 0.2, 0.2, 0.25])
    on_it = what in ("stain", "scratch")
    rim = (pair.alpha > 0.9) if on_it else gradient_magnitude(pair.alpha) > 0.2
    ys, xs = np.nonzero(rim)
    if len(ys) < 50:
        return pair
    h, w = pair.alpha.shape
    k, turn, aspect = int(rng.integers(len(ys))), rng.uniform(0.0, np.pi), np.exp(rng.uniform(0.0, 1.5))
    half = float(np.sqrt(np.exp(rng.normal(np.log(60.0), 1.0)) * h * w / 8000.0 / np.pi / aspect))
    y, x = np.mgrid[:h, :w].astype(np.float32)
    y, x = y - ys[k], x - xs[k]
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    if what == "scratch":
        length, width = np.exp(rng.uniform(np.log(8.0), np.log(50.0))), rng.uniform(0.3, 1.2)
        off = np.abs(across - rng.normal(0.0, 0.1) * along**2 / length)
        cover = np.clip(width + 0.5 - off, 0.0, 1.0) * np.clip(0.5 * length - np.abs(along), 0.0, 1.0)
    else:
        radius = np.hypot(along / (half * aspect), across / half)
        edge = 1.0 + 0.3 * _field(rng, (h, w), max(1.0, 0.5 * half))
        cover = np.clip((edge - radius) * half / rng.uniform(0.8, 2.5) + 0.5, 0.0, 1.0)
    if what == "chip":
        ground = pair.query[pair.alpha < 0.02]
        if not len(ground):
            return pair
        ink, opacity, cover = np.median(ground, axis=0), 1.0, cover * (pair.alpha > 0.02)
    elif what == "lump":
        ink, opacity = rng.uniform(0.02, 0.9, 3), 1.0
    else:
        base = pair.reference[ys[k], xs[k]]
        inks = rng.uniform(0.1, 0.75, (20, 3))
        ink = inks[int((np.abs(inks - base).max(axis=1) > 0.15).argmax())]
        contrast = max(float(np.abs(ink - base).max()), 1e-3)
        least = 0.12 if what == "stain" else 0.25  # of a line a pixel wide fewer pixels tell
        opacity = min(1.0, float(np.exp(rng.uniform(np.log(least), np.log(0.6)))) / contrast)
        cover = cover * (pair.alpha > 0.6)
    share = (opacity * cover)[..., None]
    query = ((1.0 - share) * pair.query + share * ink).astype(np.float32)
    least = 3.0 / 255.0 if on_it else 0.08
    mask = (np.abs(query - pair.query).max(axis=2) > least) & (cover > 0.02)
    return replace(pair, query=query, mask=mask, label=2) if mask.sum() >= 8 else pair


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
    """At most CROP_PX of a pair each way; at times less, so that the picture's edge cuts the object and the defect."""
    windows = []
    places = np.argwhere(pair.mask if pair.mask.any() else pair.alpha > 0.5)
    place = places[int(rng.integers(len(places)))] if len(places) else np.zeros(2, int)
    cut = rng.random() < 0.25
    inside = 3 if cut else 24
    for size, middle in zip(pair.alpha.shape, place, strict=True):
        side = int(min(CROP_PX, size) * (rng.uniform(0.6, 1.0) if cut else 1.0))
        low, high = max(0, int(middle) - side + inside), min(int(middle) - inside, size - side)
        first = int(rng.integers(low, high + 1)) if high >= low else max(0, min(int(low), size - side))
        windows.append(slice(first, first + side))
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
    if pair.label != 2 and rng.random() < 0.5:
        pair = painted(pair, rng)
    pair = cropped(pair, rng)
    if rng.random() < rough:
        pair = roughened(pair, rng)
    query, reference, expected = pair.query, pair.reference, pair.expected
    if rng.random() < 0.4:  # other paints and another exposure
        factor = np.exp(rng.normal(0.0, 0.2) + rng.normal(0.0, 0.12, 3)).astype(np.float32)
        query, reference, expected = query * factor, reference * factor, expected * factor.mean()
    if rng.random() < 0.15:  # dark paper
        query, reference = 1.0 - query, 1.0 - reference
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
        *(turned(v, (1, 2)) for v in (expected, residuals)),
        turned(pair.mask, (0, 1)),
        pair.label,
        pair.unit,
    )


class Steps(Dataset[dict[str, Tensor]]):
    """The pictures of each step: good and defective ones of one assembly, in windows of CROP_PX."""

    def __init__(self, assemblies: list[list[Pair]], steps: int, rough: float, seed: int, side: int = 0) -> None:
        self.assemblies, self.steps, self.rough, self.seed, self.side = assemblies, steps, rough, seed, side

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, step])
        pairs = self.assemblies[int(rng.integers(len(self.assemblies)))]
        chosen = []
        for defective in (False, True):
            some = [p for p in pairs if (p.label == 2) == defective]
            chosen += [varied(some[int(i)], rng, self.rough) for i in rng.integers(len(some), size=PHOTOS_A_STEP)]
        return batch_of(chosen, self.side)


def batch_of(pairs: list[Pair], side: int = 0) -> dict[str, Tensor]:
    """Channels [B, C, H, W] in half precision; what is ``there``, ``defect`` and ``near`` one, bool [B, H, W]; and
    each defect pixel's ``share`` of its picture's defects, by which small regions weigh more a pixel.

    Pictures smaller than ``side``, or than the largest, are padded.
    """
    h, w = (-(-max(side, *(p.alpha.shape[axis] for p in pairs)) // 4) * 4 for axis in (0, 1))
    out = {"channels": torch.zeros(len(pairs), CHANNELS, h, w, dtype=torch.half)}
    out |= {name: torch.zeros(len(pairs), h, w, dtype=torch.bool) for name in ("there", "defect", "near")}
    out["share"] = torch.zeros(len(pairs), h, w)
    for i, pair in enumerate(pairs):
        rows, columns = pair.alpha.shape
        near = cv2.dilate(pair.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        out["channels"][i, :, :rows, :columns] = pair.channels()
        out["there"][i, :rows, :columns] = True
        out["defect"][i, :rows, :columns] = torch.from_numpy(pair.mask)
        out["near"][i, :rows, :columns] = torch.from_numpy(near)
        out["share"][i, :rows, :columns] = torch.from_numpy(_shares(pair.mask))
    out["channels"] = out["channels"].contiguous(memory_format=torch.channels_last)
    return out


def _shares(mask: np.ndarray) -> np.ndarray:
    """float32 [H, W] of sum 1: a region of four times the area weighs twice as much, not four times; 0 beyond."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    weights = mask / np.sqrt(stats[:, cv2.CC_STAT_AREA])[regions]
    out: np.ndarray = (weights / max(float(weights.sum()), 1.0)).astype(np.float32)
    return out


def loss_of(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """The loss of one step, see the module, from logits [B, H, W]."""
    there, defect = batch["there"], batch["defect"]
    each = functional.binary_cross_entropy_with_logits(logits - 4.0, defect.float(), reduction="none")

    def largest(which: Tensor) -> Tensor:
        weighed = torch.where(which, SHARPNESS * logits, -torch.inf)
        return torch.logsumexp(weighed.flatten(1), dim=1) / SHARPNESS

    rest = there & ~defect
    elsewhere = (each * rest).sum(dim=(1, 2)) / rest.sum(dim=(1, 2)).clamp(min=1)
    loss = (3.0 * elsewhere + 0.15 * (each * batch["share"]).sum(dim=(1, 2))).mean()
    some = defect.any(dim=2).any(dim=1)
    if some.any():
        gap = largest(defect)[some][:, None] - largest(there & ~batch["near"])[None]
        loss = loss + functional.softplus(-2.0 * gap).mean()
    return loss


def figures(network: Network, pairs: list[Pair], device: str) -> list[float]:
    """Percent, of the ratio and of the network: image AUROC, image AUROC, pixel AP, pixel AP."""
    tested = [p for p in pairs if p.label > 0]
    labels = np.array([p.label == 2 for p in tested])
    maps: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    with torch.inference_mode():
        for pair in tested:
            batch = batch_of([pair])
            h, w = pair.alpha.shape
            maps[0].append(batch["channels"][0, RATIOS, :h, :w].float().amax(dim=0).numpy())
            logits = network(batch["channels"].to(device).float(), batch["there"].to(device))
            maps[1].append(logits[0, :h, :w].cpu().numpy())
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
    parser.add_argument("--mix", nargs=2, metavar=("FILE", "SHARE"), help="older weights and their share of the result")
    parser.add_argument("--rate", type=float, default=3e-3, help="largest learning rate (default: 0.003)")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument(
        "--rough", type=float, default=0.0, help="share of pictures made as of a poor field (default: 0)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0, help="processes that make pictures (default: this one)")
    parser.add_argument(
        "--bfloat16", action="store_true", help="convolutions in bfloat16: twice as fast where a CPU has AMX"
    )
    parser.add_argument("--report-every", type=int, default=500, help="steps between reports (default: 500)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    older, share = (None, 0.0) if args.mix is None else (load_file(args.mix[0]), float(args.mix[1]))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    reported = {file.stem: load(file) for file in [*args.data[: args.validate], *args.report]}
    assemblies = [load(file) for file in args.data[args.validate :]]
    network = Network()
    if args.start is not None:
        network.load_state_dict(load_file(str(args.start)))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    precision = torch.bfloat16 if args.bfloat16 else torch.float32
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.rate, weight_decay=1e-4, fused=device == "cuda")
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, total_steps=args.steps, pct_start=0.1)
    # on a GPU pictures of one size: convolutions are planned anew for each size
    steps = Steps(assemblies, args.steps, args.rough, args.seed, CROP_PX if device == "cuda" else 0)
    begin, total = time.time(), torch.zeros((), device=device)
    for step, made in enumerate(
        DataLoader(steps, batch_size=None, num_workers=args.workers, pin_memory=device == "cuda"), start=1
    ):
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in made.items()}
        with torch.autocast(device, torch.bfloat16, enabled=args.bfloat16):
            logits = network(batch["channels"].to(precision), batch["there"])
        loss = loss_of(logits, batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.detach()
        if step % 100 == 0:
            print(f"{step}: loss {total.item() / 100:.3f}, {time.time() - begin:.0f} s", flush=True)
            total.zero_()
        if older is not None and step == args.steps:
            # less sure of itself before what it was not trained on (Wortsman et al., "Robust fine-tuning", 2022)
            trained = network.state_dict()
            network.load_state_dict({k: torch.lerp(v, older[k].to(v), share) for k, v in trained.items()})
        if step % args.report_every == 0 or step == args.steps:
            for name, pairs in reported.items():
                print(
                    f"  {name}: image AUROC, pixel AP, of ratio and network: {figures(network, pairs, device)}",
                    flush=True,
                )
            state = {k: v.cpu().contiguous() for k, v in network.state_dict().items()}
            with whole_file(args.out) as temporary:
                save_file(state, str(temporary))


if __name__ == "__main__":
    main()
