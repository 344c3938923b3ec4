"""The root of every error that paad raises on purpose, and what a command line exits with."""

from __future__ import annotations


class PaadError(Exception):
    """Root of paad's own errors. The message names the value, what is allowed and the mend.

    ``exit_code`` is what the command line exits with when the error ends a command.
    """

    exit_code: int = 1


class UsageError(PaadError):
    """An argument or option has a value that is not allowed."""

    exit_code = 2


class DataError(PaadError):
    """An input file, image or folder cannot be used; the message names the file."""

    exit_code = 3


class ModelFileError(DataError):
    """A ``*.paad`` file is cut, from a newer version, or not one of ours."""


class WeightsError(DataError):
    """A file of network weights is cut, altered, or of another network."""


class MissingDependencyError(PaadError):
    """An optional package or program is needed; the message gives the install line."""

    exit_code = 4


class PoseError(PaadError):
    """No pose could be found for a query."""
