"""What is wrong with a data set: one record for each finding, collected rather than raised."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "notice"]


@dataclass(frozen=True)
class Problem:
    """One finding about one file.

    Attributes:
        file: the file or folder, relative to the object folder where it lies inside.
        severity: "error" makes the folder unusable; "warning" means that something was left out or guessed;
            "notice" tells of something unusual that was understood.
        message: what is wrong, what is allowed and what was done about it.
    """

    file: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.file}: {self.message}"

    def to_dict(self) -> dict[str, str]:
        """The same as a JSON-able dictionary."""
        return asdict(self)
