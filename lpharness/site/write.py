"""The static site: written so that a reader meets no dead link, and again only where it changed."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field

from lpharness import __version__
from lpharness.base.errors import HostError, InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.cases import Case
from lpharness.results.files import ASIDE, write_atomically
from lpharness.site import addresses
from lpharness.site.book import Book, read_book
from lpharness.site.pages import Assets, assets, pages, templates_digest
from lpharness.site.trial_page import fingerprint, trial_html
from lpharness.store import Store
from lpharness.store.trials import several

MARK = ".lpharness-site.json"
"""Tells a site's folder from any other, and what of it need not be written again."""


_AT_ONCE = 200
"""Trials that are read out of the store together."""


class Mark(Struct, kw_only=True):
    """What is in the file of that name."""

    made_by: str = ""
    trials: dict[str, str] = field(default_factory=dict)
    """The pages of trials, each with the fingerprint of what it tells."""


class Written(Struct, frozen=True, kw_only=True):
    """What came of writing a site."""

    index: Path
    pages: int
    """How many there are."""
    written: int
    """How many were written now; the others told the same already."""
    removed: int


def write_site(
    store: Store, folder: Path, progress: Progress = SILENT, cases: Sequence[Case] = ()
) -> Written:
    """Write the site of a store, or bring one up to date.

    Trials' pages come first and the pages that link to them after, the index last: whoever reads
    meanwhile meets no dead link. The flaws that ``cases`` heal are told of, tried or not.

    Raises:
        InputError: the folder holds other things than a site.
        HostError: the store cannot be read or the folder not written.
    """
    mark = _open(folder)
    book = read_book(store, cases)
    about = Assets(written=datetime.now(UTC))
    made_by = f"{__version__} {templates_digest()}"
    before = mark.trials if mark.made_by == made_by else {}
    now = {
        addresses.trial_page(trial): (trial, fingerprint(book, trial))
        for trial in book.trials.values()
    }
    missing = [
        trial.id
        for path, (trial, print_) in now.items()
        if before.get(path) != print_ or not (folder / path).is_file()
    ]
    plain = pages(book, about)
    try:
        for name, text in assets().items():
            _put(folder, name, text)
        _write_trials(store, book, folder, missing, about, progress)
        for path, rendered in reversed(plain.items()):
            _put(folder, path, rendered())
        removed = _remove(folder, keep={*plain, *now, *assets()})
    except OSError as error:
        hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
        raise HostError(f"cannot write {folder}: {error.strerror}", hint=hint) from error
    _put_mark(folder, Mark(made_by=made_by, trials={path: each[1] for path, each in now.items()}))
    return Written(
        index=folder / addresses.INDEX,
        pages=len(plain) + len(now),
        written=len(plain) + len(missing),
        removed=removed,
    )


def _write_trials(
    store: Store,
    book: Book,
    folder: Path,
    missing: Sequence[int],
    about: Assets,
    progress: Progress,
) -> None:
    with progress.step(f"writing {len(missing):,} trials' pages") as step:
        for begun in range(0, len(missing), _AT_ONCE):
            step.update(begun, len(missing))
            for detail in several(store, missing[begun : begun + _AT_ONCE]).values():
                path = addresses.trial_page(detail.found)
                _put(folder, path, trial_html(book, detail, about))


def _remove(folder: Path, keep: Collection[str]) -> int:
    """Take away pages of what the store does not have any more; return how many."""
    removed = 0
    for path in (path for end in ("html", "css", "js") for path in folder.rglob(f"*.{end}")):
        if path.relative_to(folder).as_posix() not in keep:
            path.unlink()
            removed += 1
    return removed


def _open(folder: Path) -> Mark:
    """Make the folder a site's, or read what is known of the one there."""
    try:
        if (folder / MARK).is_file():
            return msgspec.json.decode((folder / MARK).read_bytes(), type=Mark)
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{folder} is not empty and no site", hint="name a new or empty folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        _put_mark(folder, Mark())
    except (NotADirectoryError, FileExistsError) as error:
        raise InputError(f"{folder} is not a folder", hint="name another") from error
    except OSError as error:
        raise HostError(f"cannot write {folder}: {error.strerror}") from error
    except msgspec.MsgspecError:
        return Mark()  # torn by a power cut: everything is written again
    return Mark()


def _put_mark(folder: Path, mark: Mark) -> None:
    write_atomically(folder / MARK, msgspec.json.encode(mark))


def _put(folder: Path, path: str, text: str) -> None:
    """Replace a page, so that a reader sees the old one or the new one.

    Not flushed to the disk, which would take minutes for thousands: a site that a power cut tore is
    written again.
    """
    target = folder / path
    if target.is_file() and hashlib.sha256(target.read_bytes()).digest() == _digest(text):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{ASIDE}{target.name}")
    try:
        aside.write_text(text, encoding="utf-8", errors="replace")
        aside.replace(target)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()
