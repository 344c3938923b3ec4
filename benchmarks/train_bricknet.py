"""Train the embedded backbone: python benchmarks/train_bricknet.py DATA --out bricknet.safetensors [--steps 2600].

DATA is a folder of benchmarks/bricknet_data.py. What is learned, at once:

- *match*: at layers 1 to 3 (averaged over 3x3 cells, as PatchCore does), a place of the second or third picture lies
  nearer to the same place of the first than to other places (InfoNCE, van den Oord et al. 2018, on squared distances);
- *tell*: the distance to the nearest cell of the good pictures tells an altered cell from an unaltered one: what
  nearest-neighbour detectors do at test time;
- *know*: from each layer alone, one 1x1 convolution reads off normals, base colours, ends of parts and the object;
- *whole*: layer 4, averaged, recognizes the second picture among those of the batch.

Progress is kept in ``OUT.checkpoint.pt`` beside the result every 100 steps; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bricknet_batches import Batch, Bricks, Textures, batch_of
from safetensors.torch import save_file
from torch import Tensor, nn

from paad.backbones import load_backbone
from paad.data.files import whole_file

LAYERS = ("layer1", "layer2", "layer3", "layer4")
MATCHED = ("layer1", "layer2", "layer3", "layer2+3")
STRIDES = {"layer1": 4, "layer2": 8, "layer3": 16, "layer2+3": 8}
QUERIES = 128
WEIGHTS = {"match": 0.3, "tell": 1.0, "know": 1.0, "whole": 0.2}


class Heads(nn.Module):
    """What only the training needs: temperatures and 1x1 convolutions."""

    def __init__(self, channels: dict[str, int]) -> None:
        super().__init__()
        self.sharpness = nn.ParameterDict({m.replace("+", "_"): nn.Parameter(torch.tensor(1.5)) for m in MATCHED})
        self.slope = nn.ParameterDict({m.replace("+", "_"): nn.Parameter(torch.tensor(1.5)) for m in MATCHED})
        self.offset = nn.ParameterDict({m.replace("+", "_"): nn.Parameter(torch.tensor(-1.0)) for m in MATCHED})
        self.read = nn.ModuleDict({layer: nn.Conv2d(channels[layer], 8, 1) for layer in LAYERS})
        self.whole = nn.Linear(channels["layer4"], 128)


def matched(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cells as a nearest-neighbour detector compares them, [N, C, h, w]; a squared distance is a mean over channels."""
    cells = {layer: F.avg_pool2d(features[layer], 3, 1, 1) for layer in LAYERS[:3]}
    up = F.interpolate(cells["layer3"], size=cells["layer2"].shape[2:], mode="bilinear", align_corners=False)
    joined = {**cells, "layer2+3": torch.cat([cells["layer2"], up], 1)}
    return {k: v / v.shape[1] ** 0.5 for k, v in joined.items()}


def correspondence_losses(name: str, cells: Tensor, batch: Batch, heads: Heads) -> tuple[Tensor, Tensor]:
    """(match, tell) of one layer; ``cells`` [3, B, C, h, w]. Q of the h * w cells of a picture are asked."""
    key = name.replace("+", "_")
    stride, (h, w) = STRIDES[name], cells.shape[3:]
    half = slice(stride // 2, None, stride)
    at = batch.place[:, :, half, half].flatten(2, 3)  # [B, 2, hw, 2]
    seen = (at > 0).all(-1)
    changed = batch.changed.float().unsqueeze(1)
    share = F.avg_pool2d(changed, stride).flatten(1)  # [B, hw]
    margin = F.max_pool2d(changed, 2 * stride + 1, 1, stride)[:, 0, half, half].flatten(1)
    urgency = torch.rand(seen.shape) + 0.5 * seen
    urgency[:, 1] += 1.0 * (share >= 0.25)
    asked = urgency.topk(min(QUERIES, h * w), dim=2).indices  # [B, 2, Q]
    at = at.gather(2, asked.unsqueeze(-1).expand(-1, -1, -1, 2))
    seen = seen.gather(2, asked)
    share, margin = share.gather(1, asked[:, 1]), margin.gather(1, asked[:, 1])
    first, second, third = (v.flatten(2).transpose(1, 2) for v in cells)  # [B, hw, C]
    query = torch.stack(
        [v.gather(1, asked[:, i].unsqueeze(-1).expand(-1, -1, v.shape[2])) for i, v in enumerate((second, third))], 1
    )  # [B, 2, Q, C]

    grid = at.flatten(1, 2).unsqueeze(1) / (stride * torch.tensor([w, h])) * 2 - 1
    there = F.grid_sample(cells[0], grid, align_corners=False, padding_mode="border")  # [B, C, 1, 2Q]
    near = (query.flatten(1, 2) - there[:, :, 0].transpose(1, 2)).square().sum(2)  # [B, 2Q]
    far = _squared(query.flatten(1, 2), first)  # [B, 2Q, hw]
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    centre = torch.stack([x, y], -1).view(1, 1, -1, 2)
    same = (at.flatten(1, 2).unsqueeze(2) / stride - centre).abs().amax(-1) <= 1.5
    sharp = heads.sharpness[key].exp()
    others = (-sharp * far).masked_fill(same, -1e4).logsumexp(2)
    match = F.softplus(others + sharp * near)[seen.flatten(1)].mean()

    nearest = torch.minimum(far.unflatten(1, (2, -1))[:, 1].amin(2), _squared(query[:, 1], second).amin(2))
    logit = heads.slope[key].exp() * nearest + heads.offset[key]
    bad = share >= 0.25
    # Of cells that the first picture does not show, only a few of the plain ground can count as good ones.
    good = (margin == 0) & (seen[:, 1] | (torch.rand(margin.shape) < 0.02))
    loss = F.binary_cross_entropy_with_logits(logit, bad.float(), reduction="none")
    tell = 0.5 * (loss * bad).sum() / bad.sum().clamp(min=1) + 0.5 * (loss * good).sum() / good.sum().clamp(min=1)
    return match, tell


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances [N, Q, K] of [N, Q, C] and [N, K, C]."""
    product = a @ b.transpose(1, 2)
    return (a.square().sum(2, keepdim=True) + b.square().sum(2).unsqueeze(1) - 2 * product).clamp(min=0)


def reading_loss(features: dict[str, Tensor], batch: Batch, heads: Heads) -> Tensor:
    """How badly each layer alone tells normals, colours, ends of parts and the object; mean over layers."""
    target = torch.cat([batch.dense[:, 0], batch.dense[:, 1]])
    known = torch.cat([batch.known, batch.known])[:, 7]
    total = torch.zeros(())
    for layer in LAYERS:
        n = len(target)
        found = heads.read[layer](features[layer][:n])
        stride = batch.dense.shape[-1] // found.shape[-1]
        wanted = F.avg_pool2d(target, stride)
        ends = F.max_pool2d(target[:, 6], stride)
        weight = (wanted[:, 7] * known.view(-1, 1, 1)).unsqueeze(1)
        area = weight.sum().clamp(min=1)
        normal = ((found[:, :3] - wanted[:, :3]).abs() * weight).sum() / area
        color = ((found[:, 3:6] - wanted[:, 3:6]).abs() * weight).sum() / area
        end = F.binary_cross_entropy_with_logits(found[:, 6], ends, reduction="none")
        thing = F.binary_cross_entropy_with_logits(found[:, 7], wanted[:, 7], reduction="none")
        flags = ((end * weight[:, 0]).sum() / area) + (thing * known.view(-1, 1, 1)).mean()
        total = total + 0.5 * normal + color + 0.5 * flags
    return total / len(LAYERS)


def losses(net: nn.Module, heads: Heads, batch: Batch) -> dict[str, Tensor]:
    """All terms of one batch."""
    features = net(batch.rgb.flatten(0, 1))
    b = batch.rgb.shape[1]
    found: dict[str, list[Tensor]] = {"match": [], "tell": []}
    for name, cells in matched(features).items():
        match, tell = correspondence_losses(name, cells.unflatten(0, (3, b)), batch, heads)
        found["match"].append(match)
        found["tell"].append(tell)
    pooled = F.normalize(heads.whole(features["layer4"].mean((2, 3))), dim=1).unflatten(0, (3, b))
    whole = F.cross_entropy(pooled[1] @ pooled[0].T / 0.1, torch.arange(b))
    out = {k: torch.stack(v).mean() for k, v in found.items()}
    return {**out, "know": reading_loss(features, batch, heads), "whole": whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--bricks", type=int, default=8, help="brick triples a step (default: 8)")
    parser.add_argument("--textures", type=int, default=4, help="texture triples a step (default: 4)")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at its highest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="files of data to read")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    bricks, textures = Bricks(args.data, args.limit), Textures(500, args.seed)
    print(f"{len(bricks.groups)} groups of bricks, {len(textures.pool)} flat pictures", flush=True)
    net = load_backbone("bricknet", LAYERS, weights="random", seed=args.seed, trainable=True)
    heads = Heads(net.channels)
    parameters = [*net.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, args.steps, pct_start=0.06)
    kept = args.out.with_suffix(".checkpoint.pt")
    parts = {"net": net, "heads": heads, "optimizer": optimizer, "schedule": schedule}
    start, spent = 0, 0.0
    if kept.is_file():
        state = torch.load(kept, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        start, spent = state["step"], state["seconds"]
    begin, means = time.time() - spent, {}
    for step in range(start, args.steps):
        rng = np.random.default_rng([args.seed, step])
        torch.manual_seed(args.seed * 1_000_003 + step)
        triples = [bricks.triple(rng) for _ in range(args.bricks)] + [
            textures.triple(rng) for _ in range(args.textures)
        ]
        found = losses(net, heads, batch_of(triples, rng))
        optimizer.zero_grad(set_to_none=True)
        sum(WEIGHTS[k] * v for k, v in found.items()).backward()
        nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        schedule.step()
        for k, v in found.items():
            value = float(v.detach())
            means[k] = 0.98 * means.get(k, value) + 0.02 * value
        if (step + 1) % 100 == 0 or step < 3:
            print(
                f"{step + 1} {time.time() - begin:.0f} s " + json.dumps({k: round(v, 4) for k, v in means.items()}),
                flush=True,
            )
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            state = {name: part.state_dict() for name, part in parts.items()}
            with whole_file(kept) as temporary:
                torch.save({**state, "step": step + 1, "seconds": time.time() - begin}, temporary)
    weights = {
        k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items() if "num_batches" not in k
    }
    with whole_file(args.out) as temporary:
        save_file(
            {k: v.contiguous() for k, v in weights.items()}, temporary, metadata={"network": "bricknet", "version": "1"}
        )
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {time.time() - begin:.0f} s of training")


if __name__ == "__main__":
    main()
