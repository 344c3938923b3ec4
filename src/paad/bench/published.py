"""Published figures, shipped with their sources in ``published/SOURCES.md``. Never mixed with a run's own."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import fmean

MEAN = "Mean"


@dataclass(frozen=True)
class PublishedMean:
    """A method's mean over MAD-Sim as published, and the mean of its own rows (None where a row is missing)."""

    published: float | None
    of_rows: float | None

    @property
    def disagrees(self) -> bool:
        """Whether the two differ by more than rounding to one decimal explains."""
        return self.published is not None and self.of_rows is not None and abs(self.published - self.of_rows) > 0.1


def _read(name: str) -> list[dict[str, str]]:
    text = (files("paad.bench") / "published" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def mad_sim(metric: str) -> dict[str, dict[str, float]]:
    """Percent by method and object, ``metric`` is "pixel_auroc" or "image_auroc"; unpublished cells are left out."""
    table: dict[str, dict[str, float]] = {}
    for row in _read("mad_sim_pad2023.csv"):
        column = table.setdefault(row["method"], {})
        if row[metric]:
            column[row["object"]] = float(row[metric])
    return table


def mad_sim_mean(metric: str, method: str) -> PublishedMean:
    """The published mean of a method, and the mean of its 20 published rows."""
    column = mad_sim(metric)[method]
    own = [value for name, value in column.items() if name != MEAN]
    return PublishedMean(column.get(MEAN), fmean(own) if len(own) == 20 else None)


@cache
def later_means() -> list[dict[str, str]]:
    """Means over MAD-Sim of later methods: method, pixel_auroc, image_auroc, aupro_30, source."""
    return _read("mad_sim_means.csv")


@cache
def mad_attributes() -> dict[str, dict[str, float]]:
    """The "shape_complexity" and "color_contrast" by object, in percent of the largest."""
    return {
        row["object"]: {name: float(row[name]) for name in ("shape_complexity", "color_contrast")}
        for row in _read("mad_attributes_pad2023.csv")
    }


def toy_name(folder: str) -> str:
    """The toy's name in the published tables: "01Gorilla" is "Gorilla", and "Phoenix" is spelt "Pheonix" there."""
    name = re.sub(r"^\d+[ _-]?", "", folder)
    return "Pheonix" if name == "Phoenix" else name
