"""A declarative Jenkins pipeline as Groovy's grammar has it: blocks in blocks.

Jenkins's own linter needs a server. What it holds such a file to is told in its documentation
("Pipeline Syntax", Declarative Pipeline), and is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import tree_sitter_groovy
from tree_sitter import Language, Node, Parser

_GROOVY = Parser(Language(tree_sitter_groovy.language()))

_ANY = frozenset({"agent", "environment", "options", "tools", "post"})
PIPELINE = _ANY | {"stages", "parameters", "triggers", "libraries"}
STAGE = _ANY | {"steps", "stages", "parallel", "matrix", "when", "input", "failFast"}
POST = frozenset(
    {"always", "changed", "fixed", "regression", "aborted"}
    | {"failure", "success", "unstable", "unsuccessful", "cleanup"}
)
_WORK = ("steps", "stages", "parallel", "matrix")


@dataclass
class Block:
    """What stands in braces after a name, perhaps with words in parentheses."""

    name: str
    blocks: list[Block] = field(default_factory=list)

    def named(self, name: str) -> list[Block]:
        """Return the blocks in it of that name."""
        return [block for block in self.blocks if block.name == name]


def faults(text: str) -> list[str]:
    """Return what is wrong with a Jenkinsfile, in a few words each."""
    tree = _GROOVY.parse(text.encode())
    if tree.root_node.has_error:
        return ["it is no Groovy"]
    outer = list(_blocks(tree.root_node))
    if [block.name for block in outer] != ["pipeline"]:
        return ["it is not one pipeline"]
    return list(_pipeline_faults(outer[0]))


def _pipeline_faults(pipeline: Block) -> Iterator[str]:
    yield from _strangers(pipeline, PIPELINE)
    for needed in ("agent", "stages"):
        if len(pipeline.named(needed)) != 1:
            yield f"a pipeline has one {needed}"
    for post in pipeline.named("post"):
        yield from _strangers(post, POST)
    for stage in [s for stages in pipeline.named("stages") for s in stages.blocks]:
        if stage.name != "stage":
            yield f"in stages there is {stage.name}"
            continue
        yield from _strangers(stage, STAGE)
        if sum(len(stage.named(work)) for work in _WORK) != 1:
            yield "a stage does one thing"


def _strangers(block: Block, known: frozenset[str]) -> Iterator[str]:
    for inner in block.blocks:
        if inner.name not in known:
            yield f"in {block.name} there is {inner.name}"


def _blocks(node: Node) -> Iterator[Block]:
    """Yield the blocks of a node that no other block is around."""
    for child in node.named_children:
        closure = next((c for c in child.named_children if c.type == "closure"), None)
        if child.type == "method_invocation" and closure is not None:
            name = child.named_children[0].text or b""
            yield Block(name.decode(), list(_blocks(closure)))
        else:
            yield from _blocks(child)
