"""How good the embedded backbone's features are: python benchmarks/bricknet_quality.py ROOT --objects Pig Whale ...

Nearest-neighbour detection as in PatchCore (Roth et al., CVPR 2022) on object folders under ROOT, the same for all
features: cells of two layers, averaged over 3x3, joined at the finer grid; a bank of randomly chosen cells of the
training photos; a photo's map is each cell's distance to the bank, its score the map's maximum. Compared: bricknet
trained, bricknet with random weights (several seeds), hand-made filters (colours, gradients and Gabor energies at two
scales). Intervals: 95 % bootstrap over the test photos of all objects, stratified by object and label.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor

import paad
from paad.backbones import load_backbone
from paad.detectors.imagery import full_size, to_square

Extractor = Callable[[Tensor], Tensor]


def of_network(layers: list[str], weights: str | None, seed: int = 0) -> Extractor:
    """Cells [N, C, h, w] of a bricknet."""
    net = load_backbone("bricknet", layers, weights=weights, seed=seed)

    @torch.inference_mode()
    def extract(images: Tensor) -> Tensor:
        return joined([net(part) for part in images.split(16)], list(net.layers))

    return extract


def joined(features: list[dict[str, Tensor]], layers: list[str]) -> Tensor:
    cells = {k: F.avg_pool2d(torch.cat([f[k] for f in features]), 3, 1, 1) for k in layers}
    size = cells[layers[0]].shape[2:]
    return torch.cat([F.interpolate(v, size=size, mode="bilinear", align_corners=False) for v in cells.values()], 1)


def by_hand(images: Tensor) -> Tensor:
    """Colours, absolute gradients and Gabor energies (4 directions, 2 wavelengths), at stride 8, [N, C, h, w]."""
    out = []
    for image in images.permute(0, 2, 3, 1).numpy():
        grey = image.mean(-1)
        planes = [*np.moveaxis(image, -1, 0)]
        for wavelength in (4.0, 8.0):
            for turn in np.arange(4) * np.pi / 4:
                pair = [cv2.getGaborKernel((15, 15), wavelength / 2, turn, wavelength, 0.7, p) for p in (0, np.pi / 2)]
                waves = [cv2.filter2D(grey, cv2.CV_32F, (k - k.mean()).astype(np.float32)) for k in pair]
                planes.append(np.hypot(*waves) / 10)
        planes += [np.abs(np.gradient(grey, axis=a)) * 4 for a in (0, 1)]
        planes += [cv2.GaussianBlur(c, (0, 0), 6) for c in np.moveaxis(image, -1, 0)]
        out.append(np.stack(planes))
    return F.avg_pool2d(F.avg_pool2d(torch.from_numpy(np.stack(out)).float(), 8), 3, 1, 1)


def distances(bank: Tensor, cells: Tensor) -> Tensor:
    """Distance of every cell [N, C, h, w] to the nearest of the bank [K, C]: [N, h, w]."""
    n, c, h, w = cells.shape
    flat = cells.permute(0, 2, 3, 1).reshape(-1, c)
    squares = bank.square().sum(1)
    nearest = [(q.square().sum(1) + (squares - 2 * q @ bank.T).amin(1)).clamp(min=0) for q in flat.split(2048)]
    return torch.cat(nearest).sqrt().view(n, h, w)


def measured(folder: Path, extract: Extractor, side: int, kept: int) -> dict[str, np.ndarray]:
    """Scores, labels, and maps with masks of one object's test photos."""
    toy = paad.open_object(folder)
    train = torch.stack([to_square(view.image, side) for view in toy.train])
    cells = extract(train)
    flat = cells.permute(0, 2, 3, 1).reshape(-1, cells.shape[1])
    chosen = torch.randperm(len(flat), generator=torch.Generator().manual_seed(0))[:kept]
    queries = list(toy.test)
    tests = torch.stack([to_square(q.load_image(), side) for q in queries])
    found = distances(flat[chosen], extract(tests))
    size = queries[0].load_image().shape[:2]
    maps = np.stack([full_size(m, *size, sigma_px=2.0) for m in found])
    masks = np.stack([q.load_mask(size) for q in queries])
    labels = np.array([q.is_defect for q in queries])
    part = {"score": found.flatten(1).amax(1).numpy(), "label": labels, "map": maps, "mask": masks}
    return {**part, "counts": binned(part)}


def binned(part: dict[str, np.ndarray], bins: int = 4096) -> np.ndarray:
    """Counts [T, 2, bins] of good and of defective pixels by the map's value, for each test photo."""
    top = float(part["map"].max()) + 1e-9
    index = np.minimum((part["map"] / top * bins).astype(int), bins - 1)
    return np.stack(
        [[np.bincount(i[m == v], minlength=bins) for v in (0, 1)] for i, m in zip(index, part["mask"])]
    ).astype(float)


def auroc(parts: list[dict[str, np.ndarray]], rng: np.random.Generator | None) -> tuple[float, float]:
    """Mean image and pixel AUROC in percent over objects, of all test photos or of a bootstrap sample."""
    image, pixel = [], []
    for part in parts:
        rows = np.arange(len(part["label"]))
        if rng is not None:
            rows = np.concatenate([rng.choice(rows[part["label"] == v], (part["label"] == v).sum()) for v in (0, 1)])
        image.append(roc_auc_score(part["label"][rows], part["score"][rows]))
        good, bad = part["counts"][rows].sum(0)
        below = np.cumsum(good) - 0.5 * good
        pixel.append((bad * below).sum() / (bad.sum() * good.sum()))
    return 100 * float(np.mean(image)), 100 * float(np.mean(pixel))


def milliseconds(side: int = 224, repeats: int = 30) -> tuple[float, float]:
    """Median wall and processor time of all four layers for one photo, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    net, image = load_backbone("bricknet", ("layer1", "layer2", "layer3", "layer4")), torch.rand(1, 3, side, side)
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 3):
            begin = time.perf_counter(), time.process_time()
            net(image)
            times.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    torch.set_num_threads(threads)
    wall, processor = 1000 * np.median(times[3:], axis=0)
    return float(wall), float(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--objects", nargs="+", required=True)
    parser.add_argument("--layers", nargs="+", default=["layer2", "layer3"])
    parser.add_argument("--weights", help="a file to measure in place of the shipped one")
    parser.add_argument("--side", type=int, default=160, help="photos are resized to it (default: 160)")
    parser.add_argument("--bank", type=int, default=10000, help="cells kept (default: 10000)")
    parser.add_argument("--seeds", type=int, default=3, help="random networks (default: 3)")
    parser.add_argument("--bootstrap", type=int, default=1000)
    args = parser.parse_args()
    kinds: dict[str, Extractor] = {"trained": of_network(args.layers, args.weights)}
    kinds |= {f"random {s}": of_network(args.layers, "random", s) for s in range(args.seeds)}
    kinds["by hand"] = by_hand
    print(f"layers {args.layers}, {args.side} px, bank of {args.bank}, objects {args.objects}")
    print("one photo of 224 px, one thread: {:.1f} ms, {:.1f} ms of the processor".format(*milliseconds()))
    drawn: dict[str, np.ndarray] = {}
    for name, extract in kinds.items():
        parts = [measured(args.root / o, extract, args.side, args.bank) for o in args.objects]
        rng = np.random.default_rng(0)
        samples = np.array([auroc(parts, rng) for _ in range(args.bootstrap)])
        drawn[name] = samples  # the same photos for all, as the seed is the same
        low, high = np.percentile(samples, [2.5, 97.5], axis=0)
        row = {
            metric: f"{value:.1f} [{a:.1f}, {b:.1f}]"
            for metric, value, a, b in zip(("image", "pixel"), auroc(parts, None), low, high)
        }
        each = {o: f"{auroc([p], None)[0]:.1f}/{auroc([p], None)[1]:.1f}" for o, p in zip(args.objects, parts)}
        print(f"{name:10} " + json.dumps(row | each), flush=True)
    chance = np.mean([v for k, v in drawn.items() if k.startswith("random")], axis=0)
    for name, other in (("random", chance), ("by hand", drawn["by hand"])):
        low, high = np.percentile(drawn["trained"] - other, [2.5, 97.5], axis=0)
        print(f"trained minus {name}: image [{low[0]:.1f}, {high[0]:.1f}], pixel [{low[1]:.1f}, {high[1]:.1f}]")


if __name__ == "__main__":
    main()
