"""From a name to a network with weights, or to a clear error; never to random weights that nobody asked for."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from paad.backbones.bricknet import EMBEDDED, BrickNet
from paad.backbones.efficientnet import EfficientNetB4, TfEfficientNetB4, torchvision_name
from paad.backbones.network import Backbone, fill_random
from paad.backbones.resnet import ResNet18, WideResNet50
from paad.errors import UsageError, WeightsError
from paad.weights import find_weights

BACKBONES: dict[str, type[Backbone]] = {
    "bricknet": BrickNet,
    "resnet18": ResNet18,
    "wide_resnet50_2": WideResNet50,
    "efficientnet_b4": EfficientNetB4,
    "tf_efficientnet_b4": TfEfficientNetB4,
}
RANDOM = "random"
_HEADS = ("fc.", "classifier.", "head.", "conv_head.", "bn2.", "features.8.")
"""Parameters behind the last layer, which no detector uses: classifiers, and EfficientNet's last convolution."""


def load_backbone(
    name: str,
    layers: Sequence[str],
    weights: str | Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    trainable: bool = False,
) -> Backbone:
    """A feature network with weights, cut behind its deepest asked layer.

    Args:
        name: one of ``BACKBONES``.
        layers: names of the maps to give: "layer1" to "layer4" (strides 4 to 32), or of the EfficientNets "stage1" to
            "stage5" (strides 2 to 32).
        weights: None: what ships with paad for ``bricknet``, else the file that ``paad.weights.find_weights`` finds;
            a path of a file or a folder; or "random".
        device: where the network computes, "cpu" or "cuda".
        seed: of random weights; of no other use.
        trainable: parameters want gradients and the network is in training mode.

    Raises:
        UsageError: no such network or layer.
        MissingDependencyError: no weights are found; the message names the ways out.
        WeightsError: the file is cut, altered, or of another network.
    """
    if name not in BACKBONES:
        raise UsageError(f"backbone {name!r} is not known; choose one of: {', '.join(BACKBONES)}")
    with torch.device("meta"):  # no time is lost on values that are replaced at once
        net = BACKBONES[name](name, layers, trainable)
    if weights == RANDOM:
        fill_random(net, seed)
    else:
        file = EMBEDDED if name == "bricknet" and weights is None else find_weights(name, weights)
        fill_from(net, file)
    return net.finish().to(device)


def fill_from(net: Backbone, file: Path) -> None:
    """Put the weights of ``file`` into a network (whose tensors may be on torch's "meta" device).

    The whole file must be of this architecture, also the part behind the network's last layer.

    Raises:
        WeightsError: it is not; the message names what differs.
    """
    found = read_weights(file)
    with torch.device("meta"):
        whole = type(net)(net.name, tuple(net.TAPS), False).state_dict()
    _compare(net.name, file, whole, found)
    own = {k: found.get(k, torch.zeros((), dtype=torch.long)) for k in net.state_dict()}
    net.load_state_dict(own, assign=True)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Parameters of a safetensors file, or of a ``.pth`` file, as float32 under torchvision's names.

    ``.pth`` is a pickle; it is read by torch's restricted reader, which builds tensors and containers and runs no code.

    Raises:
        WeightsError: not whole, or neither of the two.
    """
    try:
        raw: Any = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
        if isinstance(raw, dict) and isinstance(raw.get("state_dict"), dict):
            raw = raw["state_dict"]
        tensors = {torchvision_name(str(k).removeprefix("module.")): v for k, v in dict(raw).items()}
        wrong = [k for k, v in tensors.items() if not isinstance(v, Tensor)]
    except (SafetensorError, OSError, EOFError, ValueError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        short = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{file}: not a whole file of weights ({short}); give a .safetensors or .pth file, or fetch it again"
        ) from error
    if wrong or not tensors:
        raise WeightsError(f"{file}: holds no plain parameters ({', '.join(wrong[:3])}); give a state dict")
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def _compare(name: str, file: Path, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    counters = ".num_batches_tracked"  # older files lack them, and a frozen network does not read them
    missing = [k for k in wanted if k not in found and not k.endswith(counters)]
    shaped = [k for k in wanted if k in found and wanted[k].shape != found[k].shape]
    extra = [k for k in found if k not in wanted and not k.startswith(_HEADS)]
    if missing or shaped or extra:
        if missing:
            what = f"{len(missing)} parameters are missing, such as {missing[0]!r}"
        elif shaped:
            what = f"{shaped[0]!r} is {tuple(found[shaped[0]].shape)} and should be {tuple(wanted[shaped[0]].shape)}"
        else:
            what = f"{len(extra)} parameters are too many, such as {extra[0]!r}"
        raise WeightsError(f"{file}: not the weights of {name} ({what}); choose the file of {name}")
    broken = [k for k in wanted if k in found and not bool(torch.isfinite(found[k]).all())]
    if broken:
        raise WeightsError(f"{file}: {broken[0]!r} holds values that are not finite; the file is damaged")
