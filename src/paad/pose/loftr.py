"""Retrieval by the number of LoFTR matches (Sun et al., 2021), through kornia: what OmniposeAD's code does.

An extra: ``pip install 'paad[loftr]'``, and a file of weights in kornia's form (``loftr.pth`` or ``.safetensors``,
given as a path or lying in PAAD_WEIGHTS). One pass of the network a view makes it the slowest of the three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paad.errors import MissingDependencyError, WeightsError
from paad.pose.retrieval import Ranking, grey_thumbnails, ranking_of
from paad.types import Float32
from paad.weights import find_weights

_LEAST_CONFIDENCE = 0.5


def load_loftr(weights: str | None, device: str = "cpu") -> nn.Module:
    """The network with its weights; "random" weights match nothing and are for tests.

    Raises:
        MissingDependencyError: kornia is not installed, or no weights are found.
        WeightsError: the file is of another network.
    """
    try:
        from kornia.feature import LoFTR
    except ImportError as error:
        raise MissingDependencyError(
            "the coarse pose 'loftr' needs kornia: pip install 'paad[loftr]', or choose 'features' or 'sift'"
        ) from error
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net: nn.Module = LoFTR(pretrained=None)
    if weights != "random":
        try:
            file = find_weights("loftr", weights)
        except MissingDependencyError as error:
            raise MissingDependencyError(
                "no weights of LoFTR are found: give kornia's file loftr.pth with --loftr-weights or in a folder "
                "PAAD_WEIGHTS, or choose the coarse pose 'features' or 'sift'"
            ) from error
        try:
            net.load_state_dict(_parameters(file))
        except RuntimeError as error:
            raise WeightsError(f"{file}: not the weights of LoFTR (other parameters); give kornia's file") from error
    return net.eval().requires_grad_(False).to(device)


def _parameters(file: Any) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        raw = torch.load(file, map_location="cpu", weights_only=True)
        found: dict[str, Tensor] = raw.get("state_dict", raw)
        return found
    except Exception as error:  # every kind of broken file ends here; the cause is kept
        short = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{file}: not a whole file of weights ({short[:120]}); give kornia's again") from error


class LoftrRanker:
    """Number of LoFTR matches of at least even confidence.

    Args:
        net: :func:`load_loftr`.
        thumbnails: uint8 [N, side, side], grey views of the gallery; ``side`` must be a multiple of 8.
        device: of the network.
    """

    def __init__(self, net: nn.Module, thumbnails: NDArray[np.uint8], device: str = "cpu") -> None:
        self.net, self.thumbnails, self.device = net, thumbnails, device

    @classmethod
    def of_photos(cls, net: nn.Module, photos: Sequence[Float32], side: int, device: str = "cpu") -> LoftrRanker:
        """Keep ``photos`` [H, W, 3] as grey squares of about ``side`` pixels."""
        return cls(net, grey_thumbnails(photos, max(8, side // 8 * 8)), device)

    def _tensor(self, grey: NDArray[np.uint8]) -> Tensor:
        return (torch.from_numpy(grey).float() / 255.0)[None, None].to(self.device)

    def rank(self, photo: Float32) -> Ranking:
        """The gallery's views, most matches first."""
        own = self._tensor(grey_thumbnails([photo], self.thumbnails.shape[1])[0])
        counts = []
        with torch.inference_mode():
            for view in self.thumbnails:
                matched = self.net({"image0": own, "image1": self._tensor(view)})
                counts.append(float((matched["confidence"] >= _LEAST_CONFIDENCE).sum()))
        return ranking_of(np.array(counts))

    def state(self) -> dict[str, NDArray[Any]]:
        """The views; the network is loaded from its file."""
        return {"thumbnails": self.thumbnails}
