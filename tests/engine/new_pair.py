"""Makes a new object-pair test of two sources, with what the differ says of them today.

    python tests/engine/new_pair.py NAME ORIGINAL.c PATCHED.c "What it is about." [FLAG...]

The folder that comes out is a proposal: read ``expect.toml``, correct it to what the differ must
say, and set ``pattern`` to what the compiler must have made for the test to mean anything.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from object_pairs import HERE, Expect, compile_pair

from lpharness.engine.differ import DiffReport, diff_files


def main(name: str, original: str, patched: str, what: str, *flags: str) -> None:
    folder = HERE / name
    folder.mkdir()
    for source, stem in ((original, "original"), (patched, "patched")):
        shutil.copy(source, folder / f"{stem}{Path(source).suffix}")
    expect = Expect(what=what, answer="", pattern=(), flags=flags)
    with tempfile.TemporaryDirectory() as work:
        report = diff_files(*compile_pair(folder, expect, "gcc", Path(work)))
    (folder / "expect.toml").write_text(proposal(what, flags, report))
    sys.stdout.write(f"{folder / 'expect.toml'}: read it, and correct it\n")


def proposal(what: str, flags: tuple[str, ...], report: DiffReport) -> str:
    def names(values: list[str]) -> str:
        return "[" + ", ".join(f"'{pattern(value)}'" for value in values) + "]"

    lists = {
        "changed": [f.name for f in report.functions if f.state == "changed"],
        "new": [f.name for f in report.functions if f.state == "new"],
        "gone": [f.name for f in report.functions if f.state == "gone"],
        "redirected": [f.name for f in report.functions if f.replaces],
        "line_numbers": [f.name for f in report.functions if f.line_numbers],
        "taken": [d.name for d in report.data if d.state == "taken"],
        "new_data": [d.name for d in report.data if d.state == "new"],
        "unchanged": list(report.unchanged),
        "warnings": list(report.warnings),
    }
    lines = [f'what = "{what}"', f'answer = "{report.answer}"']
    if flags:
        lines.append("flags = [" + ", ".join(f'"{flag}"' for flag in flags) + "]")
    lines += [f"{key} = {names(values)}" for key, values in lists.items() if values]
    refused = ", ".join(f"{one.kind} = '{pattern(one.subject)}'" for one in report.refusals)
    if refused:
        lines.append(f"refused = {{ {refused} }}")
    subject = next(iter(lists["changed"] or lists["unchanged"] or lists["new"]), "")
    lines += ["", "[[pattern]]", f"symbol = '{pattern(subject)}'"]
    return "\n".join(lines) + "\n"


def pattern(name: str) -> str:
    """A regular expression for a name, whatever the compiler's numbers."""
    return re.sub(r"\\\.\d+", r"\\.\\d+", re.escape(name).replace(r"\ ", " "))


if __name__ == "__main__":
    main(*sys.argv[1:])
