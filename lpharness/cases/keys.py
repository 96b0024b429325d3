"""Unknown keys, named with their whole path and the nearest key there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from lpharness.base.errors import InputError


def refuse_unknown_keys(
    file: Path, raw: dict[str, Any], struct: type[msgspec.Struct], *, hidden: Iterable[str] = ()
) -> None:
    """Refuse the first key of ``raw`` that ``struct`` (or a struct below it) does not have.

    msgspec refuses unknown keys too, but its paths lack the keys of tables, and it does not
    know what was meant.

    Args:
        file: named in the message.
        raw: the parsed TOML.
        struct: what it is to become.
        hidden: top-level fields that are no keys of the file.

    Raises:
        InputError: a key is unknown.
    """
    _walk(file, raw, msgspec.inspect.type_info(struct), "", frozenset(hidden))


def _walk(file: Path, value: Any, kind: Any, path: str, hidden: frozenset[str]) -> None:
    match kind:
        case msgspec.inspect.StructType() if isinstance(value, dict):
            fields = {field.encode_name: field.type for field in kind.fields}
            known = [name for name in fields if name not in hidden]
            for key, item in value.items():
                if key not in known:
                    raise _unknown(file, key, path, known)
                _walk(file, item, fields[key], f"{path}.{key}" if path else key, frozenset())
        case msgspec.inspect.DictType() if isinstance(value, dict):
            for key, item in value.items():
                _walk(file, item, kind.value_type, f"{path}.{key}", frozenset())
        case msgspec.inspect.VarTupleType() if isinstance(value, list):
            for index, item in enumerate(value):
                _walk(file, item, kind.item_type, f"{path}[{index}]", frozenset())
        case msgspec.inspect.UnionType():
            for member in kind.types:
                _walk(file, value, member, path, frozenset())


def _unknown(file: Path, key: str, path: str, known: list[str]) -> InputError:
    where = f"{path}.{key}" if path else key
    near = difflib.get_close_matches(key, known, 1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"keys here: {', '.join(sorted(known))}"
    return InputError(f"{file}: unknown key `{where}`", hint=hint)
