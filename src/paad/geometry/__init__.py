"""Cameras, rigid motions and the one module that converts conventions: pure functions, no files."""
