"""The skeleton of a new case: it builds and runs as it is written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.cases.load import FILE_NAME

_SKELETON = Path(__file__).with_name("skeleton")
_PREFIX = "lph_"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def write_skeleton(folder: Path) -> Path:
    """Write a commented case into a new folder, whose name becomes the case's.

    Returns:
        The path of its ``case.toml``.

    Raises:
        InputError: the folder is there already, cannot be written, or its name is no case name.
    """
    name = folder.name
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a case",
            hint="small letters, digits, - and _, at most 40 of them, for example fix-mballoc",
        )
    module = name.replace("-", "_")
    module = module if module.startswith(_PREFIX) else _PREFIX + module
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} is there already", hint="choose another name") from None
    except OSError as error:
        raise InputError(f"cannot make {folder}: {error.strerror}") from error
    try:
        for template, target in ((FILE_NAME, FILE_NAME), ("module.c", f"{module}.c")):
            text = (_SKELETON / template).read_text()
            (folder / target).write_text(text.replace("@module@", module).replace("@name@", name))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"cannot write into {folder}: {error.strerror}") from error
    return folder / FILE_NAME
