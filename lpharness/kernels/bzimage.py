"""What an x86 boot image says of itself (Documentation/arch/x86/boot.rst)."""

from __future__ import annotations

from pathlib import Path

from lpharness.base.errors import InputError

_MAGIC_AT, _MAGIC = 0x202, b"HdrS"
_VERSION_AT = 0x20E  # kernel_version: where the version string is, less 0x200


def read_release(image: Path) -> str:
    """Return the release that a bzImage was built as.

    Raises:
        InputError: it cannot be read, or is no bzImage.
    """
    try:
        with image.open("rb") as file:
            head = file.read(0x10000)
    except OSError as error:
        raise InputError(f"cannot read the kernel image {image}: {error.strerror}") from error
    if head[_MAGIC_AT : _MAGIC_AT + 4] != _MAGIC:
        raise InputError(
            f"{image} is not an x86 boot image",
            hint="the bzImage is wanted (arch/x86/boot/bzImage, /boot/vmlinuz-…), not vmlinux",
        )
    start = int.from_bytes(head[_VERSION_AT : _VERSION_AT + 2], "little") + 0x200
    release = head[start:].partition(b"\0")[0].split(b" ")[0].decode("ascii", "replace")
    if start == 0x200 or not release or not release[0].isdigit():
        raise InputError(f"{image} does not tell its release")
    return release
