"""Feature networks by name, with torchvision- and timm-compatible weights.

``load_backbone(name, layers)`` is all that a detector needs::

    net = load_backbone("bricknet", ("layer1", "layer2"))
    net(images)["layer2"]     # [B, net.channels["layer2"], H / 8, W / 8] of images [B, 3, H, W] in [0, 1]
"""

from __future__ import annotations

from paad.backbones.load import BACKBONES, load_backbone
from paad.backbones.network import Backbone

__all__ = ["BACKBONES", "Backbone", "load_backbone"]
