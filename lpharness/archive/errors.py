"""What can keep a package from being had, where callers tell the cases apart."""

from __future__ import annotations

from lpharness.base.errors import HostError, InputError


class NotThere(InputError):
    """The server answers, and does not have the file: the index that named it is old."""


class Unreachable(HostError):
    """The archive cannot be asked or reached; what is in the cache may still do."""
