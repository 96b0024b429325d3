"""Programs as they are written in a scenario, turned into steps.

One step a line; ``call``, ``syscall`` and ``maybe`` last until their ``end``::

    user exponential 20us
    syscall
      call vfs_read
        run 2us
        sleep exponential 1ms
      end
    end
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from lpharness.base.errors import InputError
from lpharness.simulation import codes, durations
from lpharness.simulation.machine import Array

_TAKE_TIME = {
    "user": codes.USER,
    "run": codes.RUN,
    "sleep": codes.SLEEP,
    "block": codes.BLOCK,
}
_ALONE = {"safe": codes.SAFE, "resched": codes.RESCHED}
_TOKENS = {"put": codes.PUT, "take": codes.GET}
_STEPS = "user, run, sleep, block, syscall, call, maybe, safe, resched, put, take, end"


class Step(Struct):
    """One entry of the machine's program."""

    op: int
    arg: int = 0
    jump: int = 0


class Assembly(Struct):
    """The programs of a scenario, in one row of steps."""

    distributions: Mapping[str, Sequence[str]]
    steps: list[Step] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    tables: list[Array] = field(default_factory=list)
    deepest: int = 1
    _tables: dict[str, int] = field(default_factory=dict)

    def table(self, text: str) -> int:
        """Return the number of a distribution, which is kept once however often it is named."""
        if text not in self._tables:
            self._tables[text] = len(self.tables)
            self.tables.append(durations.table(text, self.distributions))
        return self._tables[text]

    def function(self, name: str) -> int:
        """Return a function's number."""
        return _number(self.functions, name)

    def add(self, program: str, kind: str, where: str) -> int:
        """Add the program of a ``user`` task, a ``kthread`` or an ``irq``; return its entry.

        Raises:
            InputError: it is no program, with the line.
        """
        return _Parser(self, kind, where).parse(program)


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


class _Parser:
    """Reads one program."""

    def __init__(self, assembly: Assembly, kind: str, where: str) -> None:
        self._to, self._kind, self._where = assembly, kind, where
        self._open: list[tuple[str, int]] = []
        self._line = 0
        self._takes_time = False

    def parse(self, program: str) -> int:
        entry = len(self._to.steps)
        for self._line, text in enumerate(program.splitlines(), 1):
            words = text.split("#")[0].split()
            if words:
                self._step(words[0], words[1:])
        if self._open:
            raise self._wrong(f"{self._open[-1][0]} has no end")
        if not self._takes_time:
            raise self._wrong(
                "a round must take time: it needs a user, run, sleep or block outside every maybe"
            )
        self._to.steps.append(Step(codes.IRET if self._kind == "irq" else codes.JUMP, 0, entry))
        return entry

    def _step(self, word: str, rest: list[str]) -> None:
        try:
            if word in _TAKE_TIME:
                self._timed(word, rest)
            elif word in _ALONE and not rest:
                self._add(_ALONE[word])
            elif word in _TOKENS and len(rest) == 1:
                self._add(_TOKENS[word], _number(self._to.channels, rest[0]))
            elif word in ("call", "syscall", "maybe"):
                self._begin(word, rest)
            elif word == "end" and not rest:
                self._end()
            else:
                raise InputError(f"not a step: {' '.join([word, *rest])!r}", hint=_STEPS)
        except InputError as error:
            raise self._wrong(error.message, error.hint) from None

    def _timed(self, word: str, rest: list[str]) -> None:
        in_syscall = any(what == "syscall" for what, _ in self._open)
        if word == "user" and (self._kind != "user" or in_syscall):
            raise InputError("user: only a user task runs in user mode, outside its syscalls")
        if word != "user" and self._kind == "user" and not in_syscall:
            raise InputError(f"{word}: a user task needs a syscall around it")
        if word in ("sleep", "block") and self._kind == "irq":
            raise InputError(f"{word}: an interrupt cannot sleep")
        if not any(what == "maybe" for what, _ in self._open):
            self._takes_time = True
        self._add(_TAKE_TIME[word], self._to.table(" ".join(rest)))

    def _begin(self, word: str, rest: list[str]) -> None:
        if word == "syscall":
            if rest or self._kind != "user" or any(what == word for what, _ in self._open):
                raise InputError("syscall: takes no value, and is for user tasks, not in another")
            self._add(codes.SYSCALL)
        elif word == "call":
            if len(rest) != 1:
                raise InputError("call: takes the name of a function")
            if self._kind == "user" and not any(what == "syscall" for what, _ in self._open):
                raise InputError("call: a user task needs a syscall around it")
            self._add(codes.ENTER, self._to.function(rest[0]))
        else:
            self._add(codes.MAYBE, _odds(rest))
        self._open.append((word, len(self._to.steps) - 1))
        depth = sum(what == "call" for what, _ in self._open)
        self._to.deepest = max(self._to.deepest, depth)

    def _end(self) -> None:
        if not self._open:
            raise InputError("end: nothing is open")
        word, at = self._open.pop()
        if word == "maybe":
            self._to.steps[at].jump = len(self._to.steps)
        else:
            self._add(codes.SYSRET if word == "syscall" else codes.LEAVE)

    def _add(self, op: int, arg: int = 0) -> None:
        self._to.steps.append(Step(op, arg))

    def _wrong(self, message: str, hint: str | None = None) -> InputError:
        return InputError(f"{self._where}, line {self._line} of the program: {message}", hint=hint)


def _odds(words: Sequence[str]) -> int:
    """Return of how many draws (see `draws.RANGE`) a step is taken."""
    try:
        (word,) = words
        share = float(word)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError(f"maybe: takes a share from 0 to 1, not {' '.join(words)!r}")
    return round(share * 2147483562)
