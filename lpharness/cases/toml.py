"""Reading the files that people write, and saying what is wrong with them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lpharness.base.errors import InputError
from lpharness.cases.keys import refuse_unknown_keys

T = TypeVar("T", bound=msgspec.Struct)

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


def read_as(file: Path, what: str, struct: type[T], *, manual: str) -> T:
    """Read a TOML file that is to be a struct of which every field is a key.

    Args:
        file: its path.
        what: what it should be, for the message: ``a policy``.
        struct: what it is to become.
        manual: the page that has every key.

    Raises:
        InputError: it cannot be read, is not TOML, or is not as the struct; says where.
    """
    raw = read_toml(file, what)
    refuse_unknown_keys(file, raw, struct)
    return convert(file, raw, struct, manual=manual)


def convert(file: Path, raw: dict[str, Any], struct: type[T], *, manual: str) -> T:
    """Make a struct of parsed TOML, as `read_as` does.

    Raises:
        InputError: it is not as the struct; says where.
    """
    try:
        return msgspec.convert(raw, struct)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: {_in_words(error)}", hint=f"{manual} has every key") from None


def _in_words(error: msgspec.ValidationError) -> str:
    """Turn msgspec's "Expected `str`, got `int` - at `$.probe[0].run`" round, key first."""
    text = str(error)
    match = re.fullmatch(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`", text)
    if not match:
        return re.sub(r"missing required field `(\w+)`", r"the key `\1` is missing", text)
    what = re.sub(r".*missing required field (`\w+`)", r"the key \1 is missing", match["what"])
    return f"{match['where'] or 'top level'}: {what[0].lower()}{what[1:]}"
