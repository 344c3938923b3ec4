"""The benchmark: one protocol for every detector. Plan a grid, run its jobs, keep their rows, resume after any end.

``docs/protocol.md`` says what a detector may see, how views are chosen and what the timer covers.
"""
