"""ONNX export of a network, checked against torch before the file gets its name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from paad.data.files import whole_file
from paad.errors import MissingDependencyError, PaadError

OPSET = 18
TOLERANCE = 1e-3
"""Largest difference between the two programs' outputs, as a share of the output's largest magnitude."""
INSTALL = "pip install 'paad[onnx]', or pip install onnx onnxscript onnxruntime"


def export_onnx(
    module: nn.Module,
    example: Tensor,
    path: str | Path,
    input_names: Sequence[str] = ("image",),
    output_names: Sequence[str] | None = None,
) -> float:
    """Write ``module`` as one ONNX file for inputs shaped like ``example``; returns the largest relative difference.

    The file is run by onnxruntime on a picture of noise and compared with torch; a dictionary of outputs becomes
    outputs of those names, in its order.

    Args:
        module: takes one tensor, gives a tensor, a tuple of tensors or a dictionary of tensors.
        example: float input with a fixed shape, such as [1, 3, 224, 224]; its values do not matter.
        path: of the file.
        input_names: name of the input.
        output_names: names of the outputs; by default a dictionary's keys, else "output_0" and so on.

    Raises:
        MissingDependencyError: onnx, onnxscript or onnxruntime is not installed.
        PaadError: the network holds something that has no ONNX form, or the two programs disagree.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(f"ONNX export needs the package {error.name!r}: {INSTALL}") from error
    flat = _Flat(module).eval()
    example = torch.rand(example.shape, generator=torch.Generator().manual_seed(0)).to(example)
    with torch.no_grad():
        expected = [v.detach().cpu().numpy() for v in flat(example)]
    names = list(output_names or flat.names or [f"output_{i}" for i in range(len(expected))])
    with whole_file(path) as temporary:
        try:
            with warnings.catch_warnings(), _quiet():
                warnings.simplefilter("ignore")  # of the exporter's own making
                torch.onnx.export(
                    flat,
                    (example,),
                    str(temporary),
                    input_names=list(input_names),
                    output_names=names,
                    opset_version=OPSET,
                    dynamo=True,
                    external_data=False,
                    verbose=False,
                )
        except Exception as error:  # the exporter raises a dozen kinds
            cause: BaseException = error
            while cause.__cause__ is not None:  # the innermost names the operation
                cause = cause.__cause__
            short = " ".join(str(cause).split())[:200]
            raise PaadError(f"{path}: this network has no ONNX form ({type(error).__name__}: {short})") from error
        session: Any = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        found = session.run(names, {input_names[0]: example.cpu().numpy()})
        worst = max(_difference(a, b) for a, b in zip(found, expected, strict=True))
        if not worst <= TOLERANCE:
            raise PaadError(f"{path}: not written: onnxruntime differs from torch by {worst:.2g} (at most {TOLERANCE})")
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks that torchvision, which paad never needs, is not installed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Flat(nn.Module):
    """A module whose output is a tuple of tensors."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.names: list[str] = []

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The module's outputs, in order."""
        out = self.module(image)
        if isinstance(out, dict):
            self.names = list(out)
            return tuple(out.values())
        return (out,) if isinstance(out, Tensor) else tuple(out)


def _difference(found: Any, expected: Any) -> float:
    """The largest difference as a share of the expected values' largest magnitude; infinite where shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))
