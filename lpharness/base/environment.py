"""What the environment says, where it takes no library to know it."""

from __future__ import annotations

import os

STORE = "LPHARNESS_STORE"


def store_asked_for(given: str | None) -> str | None:
    """Return the name of the store that is given, else that of ``LPHARNESS_STORE``, if any.

    A run without a store asks this, and must not wait for a database's libraries.
    """
    return given or os.environ.get(STORE) or None
