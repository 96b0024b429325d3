"""The tree of errors that lpharness raises on purpose.

Each error is one clear line (what is wrong, and where) with an optional hint (what to do).
The command line prints it without a traceback and exits with ``exit_code``.
"""

from __future__ import annotations


class LpharnessError(Exception):
    """Base of everything raised on purpose.

    Attributes:
        message: what is wrong and where, one line.
        hint: what the user can do about it, one line, or ``None``.
        kind: a stable word for the reason, where programs tell reasons apart; else empty. Those of
            the engine are listed in ``docs/engine.md`` and ``docs/differ.md``.
        exit_code: the process's exit status if nothing handles it (see ``docs/cli.md``).
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str | None = None, kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(LpharnessError):
    """The user asked for something that cannot be: bad name, file, key or combination."""

    exit_code = 2


class HostError(LpharnessError):
    """The host or the harness could not do its part; says nothing about the patch."""


class BuildError(InputError):
    """A module could not be built from what was given (compiler errors, wrong headers)."""


class GuestError(LpharnessError):
    """Something went wrong with a guest; subclasses say what, as far as it is known."""


class GuestStartError(GuestError):
    """The guest never answered: it did not boot, or QEMU or libvirt refused it."""


class GuestDied(GuestError):
    """The guest is gone. ``condition`` tells how (see ``lpharness.guests.contract.Condition``)."""

    def __init__(self, message: str, *, condition: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.condition = condition


class TransportError(GuestError):
    """The channel to the guest broke while the guest may well be alive."""


class DeadlineExpired(GuestError):
    """A bounded wait ended without the thing waited for."""
