"""Labelled test images and their defect masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from paad.data.images import load_image
from paad.data.listing import ImageFinder, list_folders, list_images, relative_name
from paad.data.masks import read_mask
from paad.data.problems import Problem
from paad.errors import DataError
from paad.types import Bool, UInt8


@dataclass(frozen=True)
class Query:
    """One test image.

    Attributes:
        path: the image file.
        name: its path inside the object folder, with forward slashes.
        label: "good" or the name of the defect's folder.
        mask_path: its defect mask; None for good images and where none was found.
    """

    path: Path
    name: str
    label: str
    mask_path: Path | None = None

    @property
    def is_defect(self) -> bool:
        """Whether the label is anything but "good"."""
        return self.label != "good"

    def load_image(self) -> UInt8:
        """The photo, uint8 [H, W, 3] or [H, W, 4].

        Raises:
            DataError: the file is missing or damaged.
        """
        return load_image(self.path)

    def load_mask(self, shape: tuple[int, ...]) -> Bool:
        """The true defect pixels, bool [H, W], at ``shape`` (the image's [H, W, ...]); all False for a good image.

        A mask of another size is resampled to the nearest pixel.

        Raises:
            DataError: the image shows a defect but has no mask, or the mask is damaged.
        """
        height, width = int(shape[0]), int(shape[1])
        if not self.is_defect:
            return np.zeros((height, width), bool)
        if self.mask_path is None:
            raise DataError(
                f"{self.path}: a defect without a mask; expected ground_truth/{self.label}/{self.path.stem}_mask.png"
            )
        mask = read_mask(self.mask_path) > 127
        if mask.shape != (height, width):
            mask = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        return mask


def list_queries(root: Path) -> tuple[list[Query], list[Problem]]:
    """The test images below ``test/``, "good" first, then the defects in natural order; images directly in
    ``test/`` count as good. Finds masks in ``ground_truth/<label>/``, named as the image with or without "_mask"."""
    finder = ImageFinder(root)
    queries = [Query(path, relative_name(path, root), "good") for path in list_images(root / "test")]
    folders = sorted(list_folders(root / "test"), key=lambda folder: folder.name.lower() != "good")
    for folder in folders:
        label = "good" if folder.name.lower() == "good" else folder.name
        for path in list_images(folder):
            mask = None
            if label != "good":
                truth = root / "ground_truth" / folder.name
                mask = finder.in_folder(truth, f"{path.stem}_mask") or finder.in_folder(truth, path.stem)
            queries.append(Query(path, relative_name(path, root), label, mask))
    problems = [
        Problem(q.name, "warning", f"no mask; expected ground_truth/{q.label}/{q.path.stem}_mask.png")
        for q in queries
        if q.is_defect and q.mask_path is None
    ]
    return queries, problems
