"""Reading the files that people write, and saying what is wrong with them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from lpharness.base.errors import InputError

_LARGEST = 1 << 20  # bytes; what people write is a few kilobytes


def read_toml(file: Path, what: str) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        file: its path.
        what: what it should be, for the message: ``a case``.

    Raises:
        InputError: it cannot be read, or is not TOML; says where.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise InputError(f"{file}: larger than 1 MiB, not {what}")
        return tomllib.loads(data.decode())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{file}: not TOML: {error}") from None


def in_words(error: msgspec.ValidationError) -> str:
    """Turn msgspec's "Expected `str`, got `int` - at `$.probe[0].run`" round, key first."""
    text = str(error)
    match = re.fullmatch(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`", text)
    if not match:
        match = re.fullmatch(r"(?P<what>.*)", text)
        return re.sub(r"missing required field `(\w+)`", r"the key `\1` is missing", text)
    what = re.sub(r".*missing required field (`\w+`)", r"the key \1 is missing", match["what"])
    return f"{match['where'] or 'top level'}: {what[0].lower()}{what[1:]}"
