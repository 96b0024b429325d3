"""What can be told of C text without compiling it: whether code changed, and which layouts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

_NOT_CODE = re.compile(
    r"""(?P<comment>//(?:[^\n\\]|\\.|\\\n)*|/\*.*?\*/)"""
    r"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""",
    re.DOTALL,
)
_AGGREGATE = re.compile(
    r"\b(?P<kind>struct|union)\b(?:\s+(?:__\w+|____\w+)(?:\s*\([^()]*\))?)*\s*(?P<name>\w+)?\s*\{"
)
_AFTER = re.compile(r"\}[^;{}]*?(?P<name>\w+)\s*(?:\[[^\]]*\])*\s*;")


class Aggregate(Struct, frozen=True):
    """A struct or union as a file defines it."""

    name: str
    """``struct page``; for one without a tag, what it is the type of."""
    line: int
    """Where its definition starts, from 1."""
    body: str
    """Its members, comments and spacing apart."""
    tagged: bool = True
    """Whether ``name`` is its own."""


def without_comments(text: str) -> str:
    """Return C text with each comment turned into as much white space: places stay."""

    def blank(match: re.Match[str]) -> str:
        comment = match["comment"]
        return match[0] if comment is None else re.sub(r"[^\n]", " ", comment)

    return _NOT_CODE.sub(blank, text)


def code_of(text: str) -> str:
    """Return what the compiler sees of C text: equal texts differ in comments and spacing only."""
    lines = (" ".join(line.split()) for line in without_comments(text).split("\n"))
    return "\n".join(line for line in lines if line)


def changed_layouts(before: str, after: str) -> list[Aggregate]:
    """Return the structs and unions that both texts define, but not with the same members.

    Each as ``after`` has it. One that is only in ``after`` is new and harms nobody.
    """
    # One name may have several definitions, under conditions.
    known: dict[str, set[str]] = {}
    for aggregate in _aggregates(before):
        known.setdefault(aggregate.name, set()).add(aggregate.body)
    return [
        aggregate
        for aggregate in _aggregates(after)
        if aggregate.name in known and aggregate.body not in known[aggregate.name]
    ]


def definition_line(text: str, symbol: str) -> int | None:
    """Return the line, from 1, in which C text defines a function or a variable of file scope.

    Args:
        text: a source file.
        symbol: its name in the object; ``.isra.0`` and the like, and what the macros of system
            calls put before a name, are passed over.
    """
    code = without_comments(text)
    found = next(_functions(code, symbol), None) or re.compile(
        rf"^(?![ \t#}}])[^;{{}}()=#]*?\b(?P<name>{_plain_name(symbol)})\b[^;{{}}()=]*[=;]",
        re.MULTILINE,
    ).search(code)
    found = found or next(_system_calls(code, symbol), None)
    return None if found is None else code.count("\n", 0, found.start("name")) + 1


def function_spans(text: str, symbol: str) -> list[tuple[int, int]]:
    """Return where C text defines a function: from its head to after its last brace.

    Several times if the preprocessor chooses among several definitions.

    Args:
        text: a source file.
        symbol: its name, as `definition_line` takes it.
    """
    code = without_comments(text)
    found = list(_functions(code, symbol)) or list(_system_calls(code, symbol))
    return [(match.start(), _end_of_body(code, match.end() - 1)) for match in found]


def _plain_name(symbol: str) -> str:
    """Return a pattern for a symbol's name in the source, without what the compiler added."""
    return re.escape(symbol.partition(".")[0])


def _functions(code: str, symbol: str) -> Iterator[re.Match[str]]:
    """Yield the heads of the definitions of a function, the opening brace included."""
    head = (
        rf"^(?![ \t#}}])[^;{{}}=#]*?\b(?P<name>{_plain_name(symbol)})\s*\([^;{{}}]*\)[^;{{}}()]*\{{"
    )
    return re.compile(head, re.MULTILINE).finditer(code)


def _system_calls(code: str, symbol: str) -> Iterator[re.Match[str]]:
    """Yield the heads of the definitions of a system call, the opening brace included."""
    call = re.fullmatch(r"__(?:x64|ia32|se|do)_(?:compat_)?sys_(\w+)", symbol.partition(".")[0])
    if call is None:
        return iter(())
    head = rf"^\w*SYSCALL_DEFINE\d\(\s*(?P<name>{re.escape(call[1])})\b[^;{{}}]*\)\s*\{{"
    return re.compile(head, re.MULTILINE).finditer(code)


def _end_of_body(code: str, opening: int) -> int:
    """Return where a function's body ends.

    By its look, as all of the kernel is written: a brace that stands alone opens what the next
    brace at the start of a line closes, whatever the preprocessor chooses in between.
    """
    if code[opening - 1 : opening] == "\n" and (end := code.find("\n}", opening)) >= 0:
        return end + 2
    closing = _closing(code, opening)
    return len(code) if closing is None else closing + 1


def _aggregates(text: str) -> Iterator[Aggregate]:
    code = without_comments(text)
    end = 0
    for match in _AGGREGATE.finditer(code):
        if match.start() < end:
            continue  # inside the one before
        closing = _closing(code, match.end() - 1)
        if closing is None:
            continue
        after = _AFTER.match(code, closing)
        name = match["name"] or (after["name"] if after else "")
        if not name:
            continue
        end = closing
        yield Aggregate(
            f"{match['kind']} {name}",
            code.count("\n", 0, match.start()) + 1,
            " ".join(code[match.end() : closing].split()),
            tagged=match["name"] is not None,
        )


def _closing(code: str, at: int) -> int | None:
    """Return where the brace that opens at ``at`` is closed."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, at):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return None
