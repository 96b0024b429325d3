"""The entry point: finds the command asked for, and turns errors into exit statuses.

A command's module is imported only when that command is used, so ``lpharness --help`` is quick.
"""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from lpharness.base.errors import LpharnessError

# name -> (module below lpharness.cli, what `lpharness --help` says of it)
COMMANDS: dict[str, tuple[str, str]] = {
    "doctor": ("doctor", "What this machine can do, proved by doing it."),
    "kernels": ("kernels", "List, fetch and prune the kernels that can be tested."),
    "case": ("case", "List the cases, show one, or write the skeleton of a new one."),
    "build": ("build", "Build a livepatch module: a case's, or from a source diff."),
    "diff": ("diff", "Compare two objects as a livepatch would, function by function."),
    "inspect": ("inspect", "Read a livepatch .ko and say whether it can load, without a boot."),
    "compare": ("compare", "Show two livepatch modules side by side."),
    "run": ("run", "Try cases on kernels under workloads, and judge what was seen."),
    "selftest": ("selftest", "Run the kernel's own livepatch tests, of exactly its source."),
    "judge": ("judge", "Judge recorded trials again with today's checks."),
    "report": ("report", "Write the reports of a run again: HTML, JUnit, KTAP, Markdown."),
    "serve": ("serve", "Serve the store as a site, and a run as it goes, to this machine."),
    "bundle": ("bundle", "Bundle a proven livepatch with its proof, signed; verify one."),
    "store": ("store", "Remember results: add runs, name releases, show what there is."),
    "history": ("history", "Since when a case fails, what is flaky, how measures moved."),
    "gate": ("gate", "May it ship? A run held against a release, by a policy."),
    "export": (
        "export",
        "Write what the store knows, or a bundle's Ansible role, for other tools.",
    ),
    "vmcore": ("vmcore", "Read a guest's kept memory: who died, which livepatches, who waits."),
    "shell": ("shell", "A guest to look around in."),
    "models": ("models", "Compare the consistency models: one patch, one load, five answers."),
    "simulate": ("simulate", "Simulate a transition under five consistency models."),
    "bench": ("bench", "Measure lpharness itself on this machine."),
}


class LazyGroup(TyperGroup):
    """A command group that knows its commands' names but imports only the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return a stand-in that carries the help line, or ``None`` for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(name=cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the command that is about to be run."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            module = import_module(f"lpharness.cli.{COMMANDS[name][0]}")
            command = typer.main.get_command(module.app)
            command.name = name
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; say what ended it if it was a signal."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.stderr.write("lpharness: interrupted\n")
            raise SystemExit(130) from None
        except _Terminated:
            sys.stderr.write("lpharness: terminated\n")
            raise


class _Terminated(SystemExit):
    """SIGTERM came."""


def _version(wanted: bool) -> None:
    if wanted:
        from lpharness import __version__

        typer.echo(f"lpharness {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Prove a Linux kernel live patch in a real guest before it ships.

    Start with `lpharness doctor`, then `lpharness run cmdline -k debian:6.1-cloud`.

    Exit status: 0 all well; 1 a verdict is fail; 2 bad input; 3 the harness or host could not say.
    """
    del version


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except LpharnessError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:  # no space left, no permission: the host's, wherever it strikes
        sys.stderr.write(f"lpharness: {error}\n")
        sys.exit(3)


def _terminate(number: int, frame: object) -> None:
    """Turn SIGTERM into an orderly way out: every ``with`` block closes what it opened."""
    del frame
    raise _Terminated(128 + number)


def _complain(error: LpharnessError) -> None:
    sys.stderr.write(f"lpharness: {error.message}\n")
    if error.hint:
        sys.stderr.write(f"  hint: {error.hint}\n")
