"""The fixture of the data tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from data_folders import write_object


@pytest.fixture
def make_object(tmp_path: Path) -> Callable[..., Path]:
    """Writes a MAD-like object folder below ``tmp_path``; returns its path."""

    def make(views: int = 5, alpha: bool = False, name: str = "toy") -> Path:
        return write_object(tmp_path / name, views, alpha)

    return make
