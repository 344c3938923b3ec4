"""FastFlow: 2D normalizing flows on feature maps of a pretrained network (Yu et al. 2021, arXiv 2111.07677).

Each of three feature maps goes through a flow of its own whose coupling networks are convolutions, 3x3 and 1x1 in turn.
Training maximizes the likelihood of good maps; a position's anomaly is 1 - exp(-|z|^2 / 2C), averaged over the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paad.backbones import load_backbone
from paad.detectors.flows import Subnet, coupling_flow
from paad.detectors.network import NetworkDetector, backbone_features, batches, descend
from paad.types import Progress


@dataclass(frozen=True)
class FastFlowConfig:
    """Settings of FastFlow; the defaults are the preset "cpu"."""

    preset: Literal["cpu", "paper"] = "cpu"  # which settings to start from
    seed: int = 0  # of the flows' first weights and the order of the photos
    backbone: str = "bricknet"  # network whose features are modelled
    weights: str | None = None  # file of the backbone's weights, or "random"
    layers: tuple[str, ...] = ("layer1", "layer2", "layer3")  # of the backbone
    size: int = 160  # side in pixels to which photos are resized
    steps: int = 8  # coupling steps of each flow
    only_3x3: bool = False  # 3x3 convolutions in every step, as the paper has for small backbones (ResNet-18)
    hidden_ratio: float = 1.0  # hidden channels of a coupling network as a share of its input's
    clamp: float = 2.0  # bound of a coupling step's log factor
    trained_norm: bool = False  # train a scale and shift of the layer norm before each flow
    epochs: int = 12  # passes over the photos
    batch: int = 8  # photos a step
    lr: float = 1e-3  # Adam's learning rate
    weight_decay: float = 1e-5  # Adam's


def conv_subnet(kernel: int, hidden_ratio: float) -> Subnet:
    """Makes a coupling network: two convolutions of ``kernel``, a ReLU between them."""

    def make(channels_in: int, channels_out: int) -> nn.Module:
        hidden = max(1, int(channels_in * hidden_ratio))
        return nn.Sequential(
            nn.Conv2d(channels_in, hidden, kernel, padding=kernel // 2),
            nn.ReLU(),
            nn.Conv2d(hidden, channels_out, kernel, padding=kernel // 2),
        )

    return make


def anomaly_map(hidden: Sequence[Tensor], side: int) -> Tensor:
    """Maps [B, side, side] in [0, 1] from the flows' outputs [B, C, h, w]: the mean of 1 - exp(-|z|^2 / 2C)."""
    maps = [1.0 - torch.exp(-0.5 * z.square().mean(1, keepdim=True)) for z in hidden]
    return torch.stack([F.interpolate(m, (side, side), mode="bilinear") for m in maps]).mean(0)[:, 0]


def flow_loss(hidden: Sequence[Tensor], log_dets: Sequence[Tensor]) -> Tensor:
    """Negative log-likelihood under a standard normal, without its constant: sum over flows, mean over photos."""
    terms = [0.5 * z.square().sum((1, 2, 3)) - log_det for z, log_det in zip(hidden, log_dets, strict=True)]
    return torch.stack(terms).sum(0).mean()


class FastFlowNet(nn.Module):
    """Backbone, a layer norm over each whole map, and the flows."""

    def __init__(self, config: FastFlowConfig, backbone: Any) -> None:
        super().__init__()
        self.side, self.layers, self.backbone = config.size, config.layers, backbone
        kernels = [3 if config.only_3x3 or i % 2 == 0 else 1 for i in range(config.steps)]
        subnets = [conv_subnet(kernel, config.hidden_ratio) for kernel in kernels]
        shapes = [(backbone.channels[n], *_grid(config.size, backbone.strides[n])) for n in config.layers]
        self.norms = nn.ModuleList(nn.LayerNorm(s, elementwise_affine=config.trained_norm) for s in shapes)
        self.flows = nn.ModuleList(coupling_flow(shape, subnets, config.clamp) for shape in shapes)

    def transform(self, features: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """(z [B, C, h, w], log-determinants [B]) of each feature map."""
        pairs = [flow(norm(x)) for x, norm, flow in zip(features, self.norms, self.flows, strict=True)]
        return [z for z, _ in pairs], [log_det for _, log_det in pairs]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(maps [B, side, side], scores [B]): a score is its map's maximum."""
        found = self.backbone(images)
        maps = anomaly_map(self.transform([found[n] for n in self.layers])[0], self.side)
        return maps, maps.amax((1, 2))


class FastFlow(NetworkDetector):
    """See the module."""

    name = "fastflow"
    presets: ClassVar[dict[str, FastFlowConfig]] = {
        "cpu": FastFlowConfig(),
        "paper": FastFlowConfig("paper", backbone="wide_resnet50_2", size=256, trained_norm=True, epochs=500, batch=32),
    }

    def build(self, weights: str | None) -> nn.Module:
        c = self.config
        return FastFlowNet(c, load_backbone(c.backbone, layers=c.layers, weights=weights, seed=c.seed)).eval()

    def train(self, net: FastFlowNet, images: Tensor, progress: Progress | None) -> None:
        c = self.config
        features = backbone_features(net.backbone, images, c.layers)
        learned = [*net.norms.parameters(), *(p for p in net.flows.parameters() if p.requires_grad)]
        optimizer = torch.optim.Adam(learned, lr=c.lr, weight_decay=c.weight_decay)
        for chosen in batches(len(images), c.batch, c.epochs, progress, "flows"):
            loss = flow_loss(*net.transform([values[chosen].to(self.device) for values in features]))
            descend(optimizer, loss, self.name)


def _grid(side: int, stride: int) -> tuple[int, int]:
    """Height and width of a backbone's map, whose convolutions round up."""
    return -(-side // stride), -(-side // stride)
