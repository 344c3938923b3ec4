"""Feature maps kept on disk, so that several fits on the same photos compute them once. Only for those who ask for it.

A file is named by a digest of the pixels, the network's fingerprint (architecture, layers, weights) and nothing else:
what could change the features changes the name. The folder is kept below a size; the longest unused files go first.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from paad.backbones.network import Backbone
from paad.data.files import whole_file
from paad.errors import UsageError


class FeatureCache:
    """A folder of feature maps of at most ``limit_mb`` (10^6 bytes)::

    cache = FeatureCache("features", limit_mb=500)
    maps = cache.features(net, images)     # as net(images), in inference mode, in batches
    """

    def __init__(self, folder: str | Path, limit_mb: float = 2000.0) -> None:
        if limit_mb <= 0:
            raise UsageError(f"limit_mb is {limit_mb}; the feature cache needs a size above 0")
        self.folder = Path(folder)
        self.limit_bytes = int(limit_mb * 1e6)

    def features(self, net: Backbone, images: Tensor, batch: int = 16) -> dict[str, Tensor]:
        """Feature maps [N, C, h, w] by layer of photos [N, 3, H, W], on the CPU.

        A damaged file is computed anew. A set that is larger than the limit by itself is not kept.

        Raises:
            UsageError: the network is trainable, so that its features may change any time.
            DataError: not photos that the network takes.
            PaadError: the folder cannot be written.
        """
        if net.trainable:
            raise UsageError("features of a trainable network cannot be kept; load it without trainable=True")
        file = self.folder / f"{key_of(net, images)}.safetensors"
        if file.is_file():
            try:
                found = load_file(file)
                os.utime(file)  # used just now
                return {layer: found[layer] for layer in net.layers}
            except (SafetensorError, OSError, KeyError):
                file.unlink(missing_ok=True)
        found = computed(net, images, batch)
        size = sum(v.numel() * v.element_size() for v in found.values())
        if size <= self.limit_bytes:
            self._make_room(size)
            with whole_file(file) as temporary:
                save_file(found, temporary)
        return found

    def _make_room(self, size: int) -> None:
        """Remove the longest unused files until ``size`` bytes more are within the limit."""
        files = sorted(self.folder.glob("*.safetensors"), key=lambda f: f.stat().st_mtime)
        total = sum(f.stat().st_size for f in files) + size + 4096
        for file in files:
            if total <= self.limit_bytes:
                break
            total -= file.stat().st_size
            file.unlink(missing_ok=True)


@torch.inference_mode()
def computed(net: Backbone, images: Tensor, batch: int = 16) -> dict[str, Tensor]:
    """``net(images)`` in batches of at most ``batch`` photos, on the CPU, contiguous."""
    device = next(net.parameters()).device
    parts = [net(part.to(device)) for part in torch.split(images, max(1, batch))]
    return {layer: torch.cat([p[layer].cpu() for p in parts]).contiguous() for layer in net.layers}


def key_of(net: Backbone, images: Tensor) -> str:
    """32 hexadecimal digits of the network and the pixels."""
    digest = hashlib.sha256(f"{net.fingerprint()} {images.dtype} {tuple(images.shape)}".encode())
    digest.update(images.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
