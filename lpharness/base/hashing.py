"""Content identities."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(*parts: str | bytes | int | None) -> str:
    """Return a short (20 hex digits) identity of ``parts``, in order, unambiguous in boundaries."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:20]


@cache
def code_identity(*packages: str) -> str:
    """Return an identity of some packages' own sources and tables, as they are on the disk.

    Part of the key of what these packages make: what an older one made is not taken for theirs, and
    nobody has to remember to say so.
    """
    parts: list[str] = []
    for package in packages:
        root = Path(str(files(package)))
        for path in sorted(root.rglob("*")):
            if path.suffix in (".py", ".toml"):
                parts += [f"{package}/{path.relative_to(root)}", sha256_file(path)]
    return identity(*parts)
