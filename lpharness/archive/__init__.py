"""Debian packages, found and verified through apt's own signed index, without root."""

from lpharness.archive.archive import Archive
from lpharness.archive.errors import NotThere, Unreachable
from lpharness.archive.package import Package

__all__ = ["Archive", "NotThere", "Package", "Unreachable"]
