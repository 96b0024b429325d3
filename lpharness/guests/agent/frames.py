"""Frames of the agent's protocol; the C side of the same is in ``images/programs/agent.c``."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

_MAGIC = 0x4148504C
_TRAILER = 0x21444E45
_HEADER = struct.Struct("<IIIHHI")
_WORD = struct.Struct("<I")

MAX_PAYLOAD = 32768
OUTPUT_WINDOW = 262144
"""Bytes of output that a job sends ahead of the host's credit."""
INPUT_WINDOW = 65536
"""Bytes of input that the host may send ahead of the agent's credit."""


class FrameType(IntEnum):
    """Host to guest below 64, guest to host from there; payloads are told in ``agent.c``."""

    HELLO = 1
    EXEC = 2
    PUT = 3
    GET = 4
    INPUT = 5
    SIGNAL = 6
    CREDIT = 7
    PING = 8
    RENEW = 9
    READY = 64
    WELCOME = 65
    STARTED = 66
    OUT = 67
    ERR = 68
    EXIT = 69
    PONG = 70
    DONE = 71


class Frame(NamedTuple):
    """One frame as it came."""

    session: int
    id: int
    type: int
    payload: bytes


class Malformed(ValueError):
    """The stream does not hold frames where frames must be."""


def encode(session: int, type: FrameType, id: int = 0, payload: bytes = b"") -> bytes:  # noqa: A002
    """Return a frame's bytes.

    Raises:
        ValueError: the payload is longer than `MAX_PAYLOAD`.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(payload)} bytes, {MAX_PAYLOAD} at most")
    header = _HEADER.pack(_MAGIC, session, id, type, 0, len(payload))
    return header + payload + _WORD.pack(_TRAILER ^ session)


OPEN_FRAME_END = bytes(MAX_PAYLOAD + _HEADER.size + _WORD.size)
"""Zeros that end any frame which a former host left half sent."""


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes as they come; yield the frames they complete.

        Raises:
            Malformed: what follows is no frame.
        """
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEADER.size:
                magic, session, id, type, _, length = _HEADER.unpack_from(self._buffer, at)  # noqa: A001
                if magic != _MAGIC or length > MAX_PAYLOAD:
                    raise Malformed("no frame where one must begin")
                end = at + _HEADER.size + length
                if len(self._buffer) < end + _WORD.size:
                    break
                (trailer,) = _WORD.unpack_from(self._buffer, end)
                if trailer != _TRAILER ^ session:
                    raise Malformed("a frame does not end as one must")
                payload = bytes(self._buffer[at + _HEADER.size : end])
                at = end + _WORD.size
                yield Frame(session, id, type, payload)
        finally:
            del self._buffer[:at]

    def skip_to(self, marker: bytes) -> bool:
        """Drop everything before ``marker``; return whether it is there.

        Used when a session begins: what is in the stream before may be the torn rest of another.
        """
        found = self._buffer.find(marker)
        if found < 0:
            keep = len(marker) - 1
            del self._buffer[: max(0, len(self._buffer) - keep)]
            return False
        del self._buffer[:found]
        return True

    def holds(self, marker: bytes) -> bool:
        """Return whether ``marker`` is in what was held back, and take it out."""
        found = self._buffer.find(marker)
        if found >= 0:
            del self._buffer[found : found + len(marker)]
        return found >= 0

    def hold(self, data: bytes) -> None:
        """Keep bytes without looking for frames in them yet."""
        self._buffer += data
