"""The expected numbers of tests/test_backbones.py, from torchvision's and timm's own networks.

    python -m venv ref && ref/bin/pip install torch torchvision timm
    PYTHONPATH=src ref/bin/python benchmarks/backbone_reference.py

Weights are filled by a formula of their name (no file is needed); the numbers in the test came from torch 2.14.1,
torchvision 0.29.1 and timm 1.0.31.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

STAGES = {"stage1": 1, "stage2": 2, "stage3": 3, "stage4": 5, "stage5": 7}


def fill(state: Mapping[str, Tensor]) -> None:
    """Overwrite every floating-point tensor of a state dict by a formula of its name and shape."""
    for key, value in state.items():
        if value.is_floating_point():
            phase = int(hashlib.sha256(key.encode()).hexdigest()[:6], 16) % 1000
            wave = torch.sin(torch.arange(997, dtype=torch.float64) * 0.731 + phase)
            wave = wave.float().repeat(-(-value.numel() // 997))[: value.numel()]
            if key.endswith("running_var"):
                wave = 1.0 + 0.3 * wave
            elif value.dim() == 1:
                gain = key.endswith("weight")
                wave = 1.0 + 0.2 * wave if gain else 0.1 * wave
            else:
                wave = wave * (2.0 / (value.numel() / value.shape[0])) ** 0.5
            value.copy_(wave.view(value.shape))


def names(state: Mapping[str, Tensor]) -> list[Any]:
    """Number of entries, and a digest of their names and shapes."""
    items = [(key, list(value.shape)) for key, value in sorted(state.items())]
    return [len(items), hashlib.sha256(json.dumps(items).encode()).hexdigest()[:16]]


def picture() -> Tensor:
    """Two photos [2, 3, 64, 80] in [0, 1]."""
    i = torch.arange(2 * 3 * 64 * 80, dtype=torch.float64)
    return (0.5 + 0.5 * torch.sin(i * 0.0137 + torch.cos(i * 0.11))).view(2, 3, 64, 80).float()


def figures(features: Tensor) -> list[float]:
    """Mean, standard deviation, and one value."""
    values = features.double().flatten()
    return [round(float(v), 6) for v in (values.mean(), values.std(), values[1234 % values.numel()])]


def without(state: Mapping[str, Tensor], heads: tuple[str, ...]) -> dict[str, Tensor]:
    """A state dict without its head."""
    return {k: v for k, v in state.items() if not k.startswith(heads)}


def main() -> None:
    import timm
    import torchvision

    # The one function of ours, loaded from its file: this environment has no paad.
    file = Path(__file__).parents[1] / "src/paad/backbones/efficientnet.py"
    spec = importlib.util.spec_from_file_location("efficientnet", file)
    assert spec is not None
    assert spec.loader is not None
    ours = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ours)

    torch.set_grad_enabled(False)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    x = (picture() - mean) / std
    out: dict[str, Any] = {}
    for name in ("resnet18", "wide_resnet50_2"):
        net = getattr(torchvision.models, name)(weights=None).eval()
        fill(net.state_dict())
        y, found = net.maxpool(net.relu(net.bn1(net.conv1(x)))), {}
        for layer in ("layer1", "layer2", "layer3", "layer4"):
            y = getattr(net, layer)(y)
            found[layer] = figures(y)
        out[name] = [names(without(net.state_dict(), ("fc.",))), found]
    net = torchvision.models.efficientnet_b4(weights=None).eval()
    fill(net.state_dict())
    y, found = x, {}
    for i, stage in enumerate(net.features):
        y = stage(y)
        found.update({layer: figures(y) for layer, end in STAGES.items() if end == i})
    out["efficientnet_b4"] = [names(without(net.state_dict(), ("classifier.", "features.8."))), found]
    for name in ("efficientnet_b4", "tf_efficientnet_b4"):
        net = timm.create_model(name, pretrained=False).eval()
        state = without(net.state_dict(), ("classifier.", "conv_head.", "bn2."))
        renamed = {ours.torchvision_name(k): v for k, v in state.items()}
        fill(renamed)
        y, found = net.bn1(net.conv_stem(x)), {}
        for i, stage in enumerate(net.blocks):
            y = stage(y)
            found.update({layer: figures(y) for layer, end in STAGES.items() if end == i + 1})
        out[f"timm {name}"] = [names(state), names(renamed), found]
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}")
    print(json.dumps(out))


if __name__ == "__main__":
    main()
