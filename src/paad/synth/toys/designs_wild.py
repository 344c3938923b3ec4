"""Designs of the wild animals."""

from __future__ import annotations

from collections.abc import Callable

from paad.synth.toys.build import Builder

DESIGNS: dict[str, Callable[[Builder], None]] = {}
