"""What the executors' tests let them do. Found by name in other processes, so it is a module."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from msgspec import Struct

from lpharness.base.errors import GuestDied, InputError
from lpharness.executor.contract import Site


class Greet(Struct, frozen=True):
    """Writes a file, tells of it, and returns its name."""

    name: str

    def __call__(self, site: Site) -> str:
        site.folder.mkdir(parents=True, exist_ok=True)
        (site.folder / "deeper").mkdir()
        (site.folder / "deeper" / "greeting").write_text(f"hello {self.name}")
        site.tell(f"greeting {self.name}")
        site.tell(f"greeted {self.name}")
        return self.name


class Fail(Struct, frozen=True):
    """Raises what is not easily sent: one of our errors with a hint, or one with an odd `init`."""

    what: str

    def __call__(self, site: Site) -> None:
        if self.what == "hint":
            raise InputError("bad input", hint="mend it", kind="input")
        if self.what == "odd":
            raise GuestDied("the guest is gone", condition="killed")
        raise ZeroDivisionError("by zero")


class Unsendable(Struct, frozen=True):
    """Returns what cannot leave its process."""

    def __call__(self, site: Site) -> object:
        return lambda: None


class Meet(Struct, frozen=True):
    """Ends only when so many of its kind are under way at once."""

    place: Path
    number: int

    def __call__(self, site: Site) -> int:
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / str(os.getpid())).touch()
        while len(list(self.place.iterdir())) < self.number:
            time.sleep(0.01)
        return os.getpid()


class Linger(Struct, frozen=True):
    """Tells its process id, and never ends by itself; on SIGTERM it leaves a file behind."""

    place: Path

    def __call__(self, site: Site) -> None:
        try:
            site.tell(os.getpid())
            while True:
                signal.pause()
        finally:
            self.place.write_text("in order")


class Note(Struct, frozen=True):
    """Appends its name to a file."""

    place: Path
    name: str

    def __call__(self, site: Site) -> None:
        with self.place.open("a") as file:
            file.write(f"{self.name}\n")


class DieOnce(Struct, frozen=True):
    """Kills its process when it is done for the first time."""

    place: Path

    def __call__(self, site: Site) -> str:
        if not self.place.exists():
            self.place.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"


class Count(Struct, frozen=True):
    """Says what a file that came along says, and where it is here."""

    file: Path
    programs: tuple[Path, ...] = ()

    def __call__(self, site: Site) -> tuple[str, str, list[bool]]:
        runs = [os.access(program, os.X_OK) for program in self.programs]
        return self.file.read_text(), str(self.file), runs


class LingerOnce(Struct, frozen=True):
    """Tells its process id, and goes on once there is a file."""

    place: Path

    def __call__(self, site: Site) -> str:
        site.tell(os.getpid())
        while not self.place.exists():
            time.sleep(0.01)
        return "through"
