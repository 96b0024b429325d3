"""Recipes in, initramfs out."""

from lpharness.images.build import build
from lpharness.images.model import Image

__all__ = ["Image", "build"]
