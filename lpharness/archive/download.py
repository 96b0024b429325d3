"""Getting one file whose checksum is known in advance, going on where an earlier try stopped.

Since the checksum alone says whether the outcome is right, a resumed download needs no validator
from the server (apt asks for one, and starts again where a mirror gives none).
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from lpharness.archive.apt import PrivateApt
from lpharness.archive.errors import NotThere, Unreachable
from lpharness.archive.process import ToolFailed
from lpharness.base.errors import HostError

_CHUNK = 1 << 18
_TIMEOUT = 30.0  # seconds without a byte


def download(
    uri: str,
    target: Path,
    *,
    size: int,
    sha256: str,
    apt: PrivateApt | None,
    tell: Callable[[int], None],
) -> None:
    """Bring ``uri`` to ``target``, continuing what is there already.

    Args:
        uri: any scheme that apt has a method for.
        target: the file, kept if the download breaks off.
        size: bytes expected.
        sha256: expected, from a signed index.
        apt: used where plain HTTP does not do: other schemes, credentials, client certificates.
        tell: called with the bytes that are there.

    Raises:
        NotThere: the server does not have it (any more).
        Unreachable: it could not be fetched.
        HostError: what came is not the file described; it is removed.
        OSError: it could not be written.
    """
    if target.exists() and target.stat().st_size >= size:
        if _is(target, sha256):
            return
        target.unlink()
    try:
        _fetch(uri, target, size, apt, tell)
    except Unreachable:
        if apt is None:
            raise
        _fetch_by_apt(uri, target, sha256, apt)
    if not _is(target, sha256):
        target.unlink()
        raise HostError(
            f"{uri} is not the file that the signed index describes (SHA-256 differs)",
            hint="try again, or name another mirror with --mirror",
        )


def _is(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _fetch(
    uri: str, target: Path, size: int, apt: PrivateApt | None, tell: Callable[[int], None]
) -> None:
    have = target.stat().st_size if target.exists() else 0
    with _request(uri, have, apt) as answer, target.open("ab") as file:
        if have and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            file.truncate(0)  # a server that knows no ranges sends all of it again
            have = 0
        for chunk in _chunks(uri, answer):
            file.write(chunk)
            have += len(chunk)
            tell(have)
    if have < size:
        raise Unreachable(f"cannot download {uri}: broke off after {have} of {size} bytes")


def _request(uri: str, start: int, apt: PrivateApt | None) -> http.client.HTTPResponse:
    """Ask for a file from byte ``start`` on."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        raise Unreachable(f"cannot download {uri}: not a web address")
    request = urllib.request.Request(uri, headers={"User-Agent": "lpharness"})  # noqa: S310
    if start:
        request.add_header("Range", f"bytes={start}-")
    opener = _opener(parts.scheme, parts.hostname or "", apt)
    try:
        answer: http.client.HTTPResponse = opener.open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE):
            raise NotThere(f"{uri} is not there (HTTP {error.code})") from error
        raise Unreachable(f"cannot download {uri}: HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise Unreachable(
            f"cannot download {uri}: {getattr(error, 'reason', None) or error}"
        ) from error
    return answer


def _chunks(uri: str, answer: http.client.HTTPResponse) -> Iterator[bytes]:
    # Only reading is watched here: an error of writing is the disk's, not the network's.
    try:
        while chunk := answer.read(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"cannot download {uri}: {error}") from error


def _opener(scheme: str, host: str, apt: PrivateApt | None) -> urllib.request.OpenerDirector:
    """Return an opener with apt's proxy, else the environment's."""
    proxy = apt.proxy(scheme, host) if apt else None
    if proxy is None:
        return urllib.request.build_opener()
    proxies = {} if proxy.upper() == "DIRECT" else {scheme: proxy}
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies))


def _fetch_by_apt(uri: str, target: Path, sha256: str, apt: PrivateApt) -> None:
    try:
        apt.fetch(uri, target, sha256)
    except ToolFailed as error:
        if " 404 " in f"{error.output} ":
            raise NotThere(f"{uri} is not there") from error
        raise Unreachable(
            error.message, hint="is the network up? --mirror names another"
        ) from error
