"""Headers to which a diff only adds: what is new, and whether anything else speaks of it.

A header may be in thousands of units, and a fix often adds a helper to one. Where it only adds
definitions of new names at file scope, and no other file of the tree has these words, no other
unit's code can change: there is nothing for them to be expanded, called or looked up by.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.base.hashing import identity
from lpharness.base.process import run_to_end
from lpharness.sources.ctext import without_comments
from lpharness.sources.tree import SourceTree

_KIND = "mentions"
_SUFFIXES = (".c", ".h", ".S", ".inc", ".tbl", ".lds", ".y", ".l")
_CONDITION = re.compile(r"#\s*(?:if|ifdef|ifndef|elif|else|endif)\b")
_DEFINE = re.compile(r"#\s*define\s+(\w+)")
_OPENS = re.compile(r"#\s*if")
_CLOSES = re.compile(r"#\s*endif\b")
_STRINGS = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'")
_TAGGED = re.compile(r"(?:struct|union|enum)\s+(\w+)\s*(?:\{|;|$)")
_FUNCTION = re.compile(r"(\w+)\s*\(")
_VARIABLE = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*;$")
_TYPEDEF = re.compile(r"(?:\(\s*\*\s*(\w+)\s*\)\s*\(.*\)|(\w+)\s*(?:\[[^\]]*\]\s*)*);$")


def added_names(before: str, after: str) -> frozenset[str] | None:
    """Return the names that ``after`` defines anew, if that is all that it does.

    Returns:
        ``None`` if anything else changed, or might have: a line went, something was added within
        a definition, or a definition was not understood.
    """
    old, new = _without_same_end(_lines(before), _lines(after))
    names: set[str] = set()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, at, _, begin, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        found = _defined(new[begin:end]) if tag == "insert" and _at_file_scope(old[:at]) else None
        if found is None:
            return None
        names |= found
    return frozenset(names)


def _without_same_end(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Cut off what both end in: of two ways to see an addition, the one that has it whole."""
    same = 0
    while same < min(len(old), len(new)) and old[-1 - same] == new[-1 - same]:
        same += 1
    return old[: len(old) - same], new[: len(new) - same]


def mentioned(
    tree: SourceTree, names: Iterable[str], beside: Iterable[str], *, cache: Cache | None = None
) -> list[str]:
    """Return files of a tree, other than those of the diff, in which any of some words stands.

    Args:
        tree: the tree, as it is without the diff.
        names: the words.
        beside: the files of the diff, which are compiled anyway.
        cache: the user's, unless given; nothing is kept of a user's own tree.

    Raises:
        HostError: the tree cannot be searched.
    """
    words = sorted(names)
    if tree.own:
        found = _search(tree, words)
    else:

        def build(folder: Path) -> None:
            (folder / "files").write_bytes(b"\n".join(_search(tree, words)))

        entry = (cache or Cache()).get(_KIND, identity(tree.key, *words), build)
        found = (entry / "files").read_bytes().split(b"\n")
    return sorted({path.decode(errors="replace") for path in found if path} - set(beside))


def _search(tree: SourceTree, words: list[str]) -> list[bytes]:
    found: list[bytes] = []
    for layer in tree.layers:
        done = run_to_end(
            ["grep", "-rlwF", *(f"--include=*{suffix}" for suffix in _SUFFIXES),
             *(f"-e{word}" for word in words), "--", "."],
            what="search the kernel's source", seconds=600, folder=layer,
            environment={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        if done.status > 1:
            raise HostError(f"cannot search {layer}: {done.said.strip()[-200:]}")
        found += [path.removeprefix(b"./") for path in done.output.splitlines()]
    return found


def _lines(text: str) -> list[str]:
    """Return the lines of C text, comments and spacing apart, continued ones as one."""
    code = re.sub(r"\\\n", " ", without_comments(text))
    lines = (" ".join(line.split()) for line in code.split("\n"))
    return [line for line in lines if line]


def _at_file_scope(lines: list[str]) -> bool:
    """Say whether nothing is open where some lines end."""
    code = _STRINGS.sub("0", "\n".join(line for line in lines if not line.startswith("#")))
    balanced = all(code.count(a) == code.count(b) for a, b in ("{}", "()"))
    return balanced and (not code.strip() or code.rstrip()[-1] in ";}")


def _defined(lines: list[str]) -> set[str] | None:
    """Return what some added lines define, or ``None`` if they do anything else."""
    names: set[str] = set()
    code: list[str] = []
    depth = 0
    for line in lines:
        if not line.startswith("#"):
            code.append(line)
            continue
        if define := _DEFINE.match(line):
            names.add(define[1])
        elif not _CONDITION.match(line):
            return None
        depth += bool(_OPENS.match(line)) - bool(_CLOSES.match(line))
        if depth < 0:
            return None
    if depth:
        return None
    for item in _items(_STRINGS.sub("0", "\n".join(code))):
        found = _names_of(item)
        if not found:
            return None
        names |= found
    return names


def _items(code: str) -> Iterator[str]:
    """Yield the definitions and declarations of file scope; what is left open comes last."""
    depth = begin = 0
    for match in re.finditer(r"[{}();]", code):
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(match[0], 0)
        ends = match[0] == ";" or (match[0] == "}" and _is_function(code[begin : match.end()]))
        if depth == 0 and ends:
            yield " ".join(code[begin : match.end()].split())
            begin = match.end()
    if code[begin:].strip():
        yield " ".join(code[begin:].split())


def _is_function(item: str) -> bool:
    return ")" in item.partition("{")[0]


def _names_of(item: str) -> set[str]:
    """Return what one definition or declaration defines; empty if that was not understood."""
    if not item.endswith((";", "}")):
        return set()
    head, _, body = item.partition("{")
    if item.startswith("typedef "):
        named = _TYPEDEF.search(item)
        names = {name for name in (named.groups() if named else ()) if name}
        return names | _tags(item, body)
    tagged = _TAGGED.match(item)
    if tagged and not _FUNCTION.search(head):
        # What follows the brace would be a variable, which a header has no business to define.
        return _tags(item, body) if item.endswith("};") or not body else set()
    if function := _FUNCTION.search(head):
        return {function[1]}
    variable = _VARIABLE.search(item) if not body else None
    return {variable[1]} if variable else set()


def _tags(item: str, body: str) -> set[str]:
    """Return a definition's tag, and what an enumeration's values are called."""
    tagged = _TAGGED.match(item.removeprefix("typedef "))
    names = {tagged[1]} if tagged else set()
    if item.removeprefix("typedef ").startswith("enum"):
        values = body.rpartition("}")[0].split(",")
        names |= {value.split("=")[0].strip() for value in values if value.strip()}
    return names
