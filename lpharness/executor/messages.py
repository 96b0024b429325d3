"""What goes over the socket between a child that does tasks and its parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from lpharness.executor.contract import How


class Order(Struct, frozen=True, kw_only=True):
    """What a child is told to do."""

    call: bytes
    """Pickled, so that one which cannot be read is told as such."""
    folder: Path


class Said(Struct, frozen=True, kw_only=True):
    """What a child says: news of its task, or how it ended."""

    content: Any
    how: How | None = None
    """``None`` for news."""
