"""Which weights exist: address, checksum, licence and size of each file; no torch here.

Checksums: torchvision and timm publish the first eight hexadecimal digits, as a part of the file's name. The full
digests below are those that several public projects pin for these files; where only the eight digits are known,
``sha256`` holds them, and that much is checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from paad.errors import UsageError

_TORCHVISION = "https://download.pytorch.org/models"
_TIMM = "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-weights"


@dataclass(frozen=True)
class WeightsEntry:
    """One file of weights.

    Attributes:
        name: of the network, as ``load_backbone`` takes it.
        url: where the file is published.
        sha256: its digest, or the digits of its beginning that are known.
        size_mb: about how large it is, 10^6 bytes.
        licence: of the weights, as their publisher states it.
        source: who trained them, on what.
    """

    name: str
    url: str
    sha256: str
    size_mb: float
    licence: str
    source: str

    @property
    def file_name(self) -> str:
        """The published file's name."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def checksum_is_whole(self) -> bool:
        """Whether all 64 digits of the checksum are known."""
        return len(self.sha256) == 64


_ENTRIES = (
    WeightsEntry(
        "resnet18",
        f"{_TORCHVISION}/resnet18-f37072fd.pth",
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        46.8,
        "BSD-3-Clause (torchvision); trained on ImageNet",
        "torchvision IMAGENET1K_V1",
    ),
    WeightsEntry(
        "wide_resnet50_2",
        f"{_TORCHVISION}/wide_resnet50_2-95faca4d.pth",
        "95faca4d11227dddf8633dbb5ff6c8a9003c1aa5b8945c73834b8007b10950b8",
        138.2,
        "BSD-3-Clause (torchvision); trained on ImageNet",
        "torchvision IMAGENET1K_V1",
    ),
    WeightsEntry(
        "efficientnet_b4",
        f"{_TORCHVISION}/efficientnet_b4_rwightman-23ab8bcd.pth",
        "23ab8bcd5bdbef61a7a43b91adcad81f622fd7f36fb4935a569828d77888c44e",
        78.1,
        "BSD-3-Clause (torchvision; from timm, Apache-2.0); trained on ImageNet",
        "torchvision IMAGENET1K_V1",
    ),
    WeightsEntry(
        "tf_efficientnet_b4",
        f"{_TIMM}/tf_efficientnet_b4_aa-818f208c.pth",
        "818f208c",
        78.0,
        "Apache-2.0 (timm; from Google's); trained on ImageNet",
        "timm tf_efficientnet_b4.aa_in1k",
    ),
)
REGISTRY: dict[str, WeightsEntry] = {entry.name: entry for entry in _ENTRIES}


def entry_of(name: str) -> WeightsEntry:
    """The entry of a network's weights.

    Raises:
        UsageError: none is known.
    """
    if name not in REGISTRY:
        raise UsageError(f"weights {name!r} are not known; choose one of: {', '.join(REGISTRY)}")
    return REGISTRY[name]
