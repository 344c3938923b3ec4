"""ONNX export: what onnxruntime computes is what torch computes, or there is no file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from paad.backbones import load_backbone
from paad.backbones.onnx import export_onnx
from paad.cli.main import main
from paad.errors import PaadError

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
pytest.importorskip("onnxscript", reason="the extra 'onnx' is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize(("name", "layers"), [("bricknet", ("layer1", "layer2")), ("tf_efficientnet_b4", ("stage2",))])
def test_a_backbone_computes_the_same_in_onnx(tmp_path: Path, name: str, layers: tuple[str, ...]) -> None:
    net = load_backbone(name, layers, weights="random")
    file = tmp_path / "net.onnx"
    assert export_onnx(net, torch.zeros(1, 3, 48, 64), file) < 1e-4
    assert list(tmp_path.iterdir()) == [file]  # one file: no weights beside it
    image = torch.rand(1, 3, 48, 64)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == list(layers)
    for found, expected in zip(session.run(None, {"image": image.numpy()}), net(image).values(), strict=True):
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4 * float(expected.abs().max()))


class _Noise(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image + torch.rand_like(image)


class _Unknown(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.from_numpy(np.linalg.svd(image.numpy())[1])


def test_a_network_that_differs_or_cannot_be_exported_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(PaadError, match="differs from torch"):
        export_onnx(_Noise(), torch.zeros(1, 3, 8, 8), tmp_path / "noise.onnx")
    with pytest.raises(PaadError, match="no ONNX form"):
        export_onnx(_Unknown(), torch.zeros(1, 3, 8, 8), tmp_path / "unknown.onnx")
    assert not list(tmp_path.iterdir())


class _Conv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        out = self.conv(image)
        return out, out.amax((1, 2, 3))


def test_the_command_writes_a_detectors_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = SimpleNamespace(
        name="tiny", onnx_module=lambda: (_Conv(), torch.zeros(1, 3, 16, 16), ["image"], ["map", "score"])
    )
    monkeypatch.setattr("paad.detectors.load", lambda path, device: detector)
    assert main(["export", "m.paad", "--to", "onnx", str(tmp_path / "m.onnx")]) == 0
    assert "outputs map, score" in capsys.readouterr().err
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == ["map", "score"]
    del detector.onnx_module
    assert main(["export", "m.paad", "--to", "onnx", str(tmp_path / "n.onnx")]) == 2
    assert "'tiny' is no network" in capsys.readouterr().err
