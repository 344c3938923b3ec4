"""The registry of network weights: what exists, where it lies, fetching and checking. Imports no torch."""

from __future__ import annotations

from paad.weights.fetch import fetch_weights
from paad.weights.find import cache_folder, check_file, find_weights
from paad.weights.registry import REGISTRY, WeightsEntry, entry_of

__all__ = ["REGISTRY", "WeightsEntry", "cache_folder", "check_file", "entry_of", "fetch_weights", "find_weights"]
