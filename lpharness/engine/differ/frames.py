"""KASAN's descriptions of stack frames, which tell where each variable is declared.

A patch moves the lines below it, and a function with a variable on the stack refers to a string
like ``1 32 24 7 pm:1656``: how many variables, then offset, size, length of the name, and name with
line of each (gcc's ``asan_emit_stack_protection``; mm/kasan/report_generic.c reads them).
"""

from __future__ import annotations

import re

_COUNT = re.compile(rb"\d+")
_VARIABLE = re.compile(rb" (\d+) (\d+) (\d+) ")
_LINE = re.compile(rb":\d+$")


def without_lines(text: bytes) -> bytes:
    """Return a description of a stack frame without its line numbers, any other string as it is."""
    count = _COUNT.match(text)
    if count is None:
        return text
    at, told = count.end(), [count[0]]
    while variable := _VARIABLE.match(text, at):
        at = variable.end() + int(variable[3])
        name = text[variable.end() : at]
        if len(name) != int(variable[3]):
            return text
        told.append(b" ".join((variable[1], variable[2], _LINE.sub(b"", name))))
    whole = at == len(text) and len(told) == int(count[0]) + 1
    return b" ".join(told) if whole and len(told) > 1 else text
