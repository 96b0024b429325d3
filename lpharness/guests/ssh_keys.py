"""Keys for one guest alone, made in memory and never written on this host."""

from __future__ import annotations

import io
import struct

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_TYPE = b"ssh-ed25519"


class GuestKeys:
    """The key that a guest's SSH server shows, and the one key that it lets in."""

    def __init__(self) -> None:
        self._host = Ed25519PrivateKey.generate()
        client = Ed25519PrivateKey.generate()
        text = client.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        self.client = paramiko.Ed25519Key.from_private_key(io.StringIO(text))

    @property
    def host_public(self) -> bytes:
        """The host key as the server will show it: an RFC 8709 public key blob."""
        return _string(_TYPE) + _string(_public(self._host))

    def dropbear_host_key(self) -> bytes:
        """Return the private host key in dropbear's own file format.

        Two SSH strings: the type, then the 32 bytes of the seed and the 32 of the public key
        (``buf_put_ed25519_priv_key`` in dropbear's ``src/ed25519.c``, called by
        ``buf_put_priv_key`` in ``src/signkey.c``).
        """
        raw = self._host.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return _string(_TYPE) + _string(raw + _public(self._host))

    def authorized_keys(self) -> str:
        """Return the line for the guest's ``authorized_keys``."""
        return f"{_TYPE.decode()} {self.client.get_base64()} lpharness"


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
