"""Streaming metrics. Functions first; classes only where pixels stream by. All values are fractions in [0, 1]."""
