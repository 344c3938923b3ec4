"""Feature networks: names, shapes and numbers of torchvision's and timm's, and clear errors for bad weights."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from paad.backbones import BACKBONES, Backbone, load_backbone
from paad.backbones.efficientnet import SamePad, torchvision_name
from paad.errors import DataError, MissingDependencyError, UsageError, WeightsError

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from backbone_reference import figures, fill, names, picture

# Printed by benchmarks/backbone_reference.py: digest of names and shapes; mean, deviation and one value of each layer.
REFERENCE = {
    "resnet18": (
        [120, "7e9855e7fc6758a0"],
        {
            "layer1": [2.142755, 0.944291, 2.97596],
            "layer2": [0.373118, 0.550938, 0.036787],
            "layer3": [0.39251, 0.490894, 0.0],
            "layer4": [0.621854, 0.804585, 0.0],
        },
    ),
    "wide_resnet50_2": (
        [318, "84fee541b4ed1598"],
        {
            "layer1": [0.638, 0.628358, 1.047217],
            "layer2": [0.886375, 1.078427, 0.0],
            "layer3": [1.375626, 0.875276, 2.219092],
            "layer4": [3.85314, 4.426199, 0.0],
        },
    ),
    "efficientnet_b4": (
        [698, "bc6e211d173ff168"],
        {
            "stage1": [0.032375, 1.042489, -0.358983],
            "stage2": [-0.024454, 0.719655, -0.839453],
            "stage3": [0.027181, 0.761978, 0.068721],
            "stage4": [0.014355, 1.068742, 1.125433],
            "stage5": [0.756051, 52.215051, -0.238651],
        },
    ),
    "tf_efficientnet_b4": (
        [698, "bc6e211d173ff168"],
        {
            "stage1": [0.032328, 1.040172, -0.196831],
            "stage2": [-0.02446, 0.718562, -0.83318],
            "stage3": [0.027159, 0.761684, 0.068344],
            "stage4": [0.014298, 1.064851, 1.115548],
            "stage5": [0.753336, 51.965011, -0.395695],
        },
    ),
}
TIMM_NAMES = [698, "6d344b03c1f9ad30"]
SMALL = ("layer1", "layer2")


def timm_name(key: str) -> str:
    """timm's name of one of torchvision's EfficientNet parameters; written apart from the function under test."""
    _, stage, *rest = key.split(".")
    if stage == "0":
        return ("conv_stem." if rest[0] == "0" else "bn1.") + rest[1]
    block, _, part, *last = rest
    separable = {"0.0": "conv_dw", "0.1": "bn1", "1.fc1": "se.conv_reduce", "1.fc2": "se.conv_expand"}
    separable |= {"2.0": "conv_pw", "2.1": "bn2"}
    inverted = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2.fc1": "se.conv_reduce"}
    inverted |= {"2.fc2": "se.conv_expand", "3.0": "conv_pwl", "3.1": "bn3"}
    table = separable if stage == "1" else inverted
    return f"blocks.{int(stage) - 1}.{block}.{table[part + '.' + last[0]]}.{last[1]}"


def write(path: Path, state: Mapping[str, Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in state.items()}, path)
    else:
        torch.save(dict(state), path)
    return path


def whole(name: str) -> Backbone:
    return load_backbone(name, tuple(BACKBONES[name].TAPS), weights="random")


@pytest.mark.parametrize("name", REFERENCE)
def test_names_shapes_and_values_are_those_of_the_public_networks(name: str) -> None:
    digest, expected = REFERENCE[name]
    net = whole(name)
    assert names(net.state_dict()) == digest
    fill(net.state_dict())
    found = net(picture())
    assert list(found) == list(expected)
    for layer, numbers in expected.items():
        assert figures(found[layer]) == pytest.approx(numbers, rel=2e-4, abs=2e-4 * max(1.0, numbers[1]))
        stride = net.strides[layer]
        assert found[layer].shape == (2, net.channels[layer], -(-64 // stride), -(-80 // stride))


def test_timm_names_are_understood(tmp_path: Path) -> None:
    net = whole("tf_efficientnet_b4")
    fill(net.state_dict())
    state = {timm_name(k): v for k, v in net.state_dict().items()}
    assert names(state) == TIMM_NAMES
    assert {torchvision_name(k) for k in state} == set(net.state_dict())
    head = {"conv_head.weight": torch.zeros(1792, 448, 1, 1), "bn2.weight": torch.zeros(1792)}
    file = write(tmp_path / "any.pth", {**state, **head, "classifier.bias": torch.zeros(1000)})
    loaded = load_backbone("tf_efficientnet_b4", ("stage2",), weights=file)
    assert torch.equal(loaded(picture())["stage2"], net(picture())["stage2"])


@pytest.mark.parametrize("size", [5, 64, 65])
def test_same_padding_covers_every_pixel(size: int) -> None:
    pad = SamePad(3, 2)
    assert (pad(torch.zeros(1, 1, size, size)).shape[2] - 3) // 2 + 1 == -(-size // 2)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_weights_of_a_file_arrive(tmp_path: Path, ending: str) -> None:
    net = load_backbone("bricknet", ("layer1", "layer2", "layer3", "layer4"), weights="random", seed=3)
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    file = write(tmp_path / f"bricknet{ending}", state)
    for given in (file, tmp_path):
        loaded = load_backbone("bricknet", SMALL, weights=given)
        assert torch.equal(loaded(picture())["layer2"], net(picture())["layer2"])
    half = write(tmp_path / f"half{ending}", {k: v.half() for k, v in state.items()})
    assert load_backbone("bricknet", SMALL, weights=half)(picture())["layer1"].dtype == torch.float32


def test_the_embedded_network_needs_no_file_and_is_not_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAAD_WEIGHTS", "/nowhere")  # what is for other networks does not disturb it
    one, two = (load_backbone("bricknet", SMALL) for _ in range(2))
    assert one.fingerprint() == two.fingerprint()
    assert one.fingerprint() != load_backbone("bricknet", SMALL, weights="random").fingerprint()


def test_random_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a, b, c = (load_backbone("resnet18", SMALL, weights="random", seed=s).fingerprint() for s in (0, 0, 1))
    assert a == b != c
    assert torch.equal(before, torch.get_rng_state())


def test_frozen_networks_stay_frozen() -> None:
    net = load_backbone("bricknet", SMALL, weights="random")
    owner = nn.Sequential(net)
    owner.train()
    statistics = {k: v.clone() for k, v in net.state_dict().items()}
    images = picture().requires_grad_()
    net(images)["layer2"].sum().backward()
    assert images.grad is not None
    assert not net.training
    assert all(p.grad is None and not p.requires_grad for p in net.parameters())
    assert all(torch.equal(v, statistics[k]) for k, v in net.state_dict().items())


def test_a_trainable_network_learns() -> None:
    net = load_backbone("bricknet", SMALL, weights="random", trainable=True)
    net(picture())["layer2"].square().mean().backward()
    assert net.training
    assert all(p.grad is not None for p in net.parameters())
    assert not net.eval().training


def test_layers_come_in_order_and_nothing_deeper_is_built() -> None:
    net = load_backbone("resnet18", ("layer3", "layer1", "layer3"), weights="random")
    assert net.layers == ("layer1", "layer3")
    assert list(net(picture())) == ["layer1", "layer3"]
    assert not hasattr(net, "layer4")


def test_a_photo_smaller_than_the_stride_still_gives_a_cell() -> None:
    net = whole("bricknet")
    assert net(torch.zeros(1, 3, 5, 7))["layer4"].shape == (1, 256, 1, 1)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)],
    ids=["no batch", "grey", "bytes"],
)
def test_images_of_another_shape_or_type_are_refused(images: Tensor) -> None:
    with pytest.raises(DataError, match=r"float \[B, 3, H, W\]"):
        load_backbone("bricknet", SMALL, weights="random")(images)


def test_unknown_networks_and_layers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"'vgg'.*bricknet"):
        load_backbone("vgg", SMALL)
    with pytest.raises(UsageError, match=r"'stage1'.*layer1, layer2"):
        load_backbone("resnet18", ("stage1",))
    with pytest.raises(UsageError, match="nothing"):
        load_backbone("resnet18", ())


def test_without_weights_both_ways_out_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PAAD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"weights fetch resnet18.*bricknet"):
        load_backbone("resnet18", SMALL)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "w.pth", whole("bricknet").state_dict())
    with pytest.raises(WeightsError, match=r"not the weights of resnet18 .*'conv1.weight'"):
        load_backbone("resnet18", SMALL, weights=file)
    state = dict(whole("bricknet").state_dict())
    with pytest.raises(WeightsError, match=r"'stem.0.weight' is \(24, 3, 3, 1\)"):
        load_backbone("bricknet", SMALL, weights=write(file, {**state, "stem.0.weight": torch.zeros(24, 3, 3, 1)}))
    with pytest.raises(WeightsError, match=r"too many, such as 'layer9.weight'"):
        load_backbone("bricknet", SMALL, weights=write(file, {**state, "layer9.weight": torch.zeros(1)}))
    # A network cut at layer1 still wants the whole file: half of one is the sign of a mistake.
    with pytest.raises(WeightsError, match="missing"):
        load_backbone(
            "bricknet", ("layer1",), weights=write(file, {k: v for k, v in state.items() if "layer4" not in k})
        )


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    state = dict(whole("bricknet").state_dict())
    for ending in (".pth", ".safetensors"):
        file = write(tmp_path / f"w{ending}", state)
        file.write_bytes(file.read_bytes()[: -file.stat().st_size // 2])
        with pytest.raises(WeightsError, match="not a whole file"):
            load_backbone("bricknet", SMALL, weights=file)
        file.write_bytes(b"")
        with pytest.raises(WeightsError, match="not a whole file"):
            load_backbone("bricknet", SMALL, weights=file)
    state["layer1.0.conv1.weight"] = torch.full_like(state["layer1.0.conv1.weight"], float("nan"))
    with pytest.raises(WeightsError, match="not finite"):
        load_backbone("bricknet", SMALL, weights=write(tmp_path / "nan.pth", state))


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code ran",)


@pytest.mark.parametrize("content", [_Trap(), {"a": _Trap()}, [1, 2], {"a": 1}])
def test_a_pickle_that_is_no_state_dict_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object
) -> None:
    file = tmp_path / "trap.pth"
    torch.save(content, file)
    with pytest.raises(WeightsError):
        load_backbone("bricknet", SMALL, weights=file)
    assert "code ran" not in capsys.readouterr().out
