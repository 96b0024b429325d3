"""A kernel's configuration."""

from __future__ import annotations

import re
from pathlib import Path

from lpharness.base.errors import InputError

_SET = re.compile(r"^(CONFIG_[A-Za-z0-9_]+)=(.*)$", re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)")


def parse_config(text: str) -> dict[str, str]:
    """Return the options that are set: ``y``, ``m``, numbers as written, strings unquoted."""
    return {name: _value(value) for name, value in _SET.findall(text)}


def read_config(path: Path) -> dict[str, str]:
    """Return the options set in a file.

    Raises:
        InputError: it cannot be read, or sets nothing.
    """
    try:
        config = parse_config(path.read_text(errors="replace"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not config:
        raise InputError(f"{path} is not a kernel configuration: it sets no CONFIG_ option")
    return config


def _value(raw: str) -> str:
    raw = raw.strip()
    if len(raw) >= 2 and raw[0] == raw[-1] == '"':
        return _ESCAPED.sub(r"\1", raw[1:-1])
    return raw
