"""Readers, checks and converters of object folders, photos and masks."""

from paad.data.objects import ObjectFolder, open_object

__all__ = ["ObjectFolder", "open_object"]
