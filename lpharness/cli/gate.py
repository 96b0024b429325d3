"""``lpharness gate``: may it ship?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import answers, print_json
from lpharness.cli.store import Where

if TYPE_CHECKING:
    from lpharness.gate.findings import Decision
    from lpharness.gate.policy import Policy

app = typer.Typer(add_completion=False)


@app.command()
def gate(
    *,
    policy: Annotated[
        Path, typer.Option("--policy", help="What is demanded: gate.toml. docs/gate.md")
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", help="The release or run to hold against: v12. Default: the policy's."
        ),
    ] = None,
    candidate: Annotated[
        str, typer.Option("--candidate", help="The release or run that is to ship.")
    ] = "latest",
    store: Where = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write a pull request's comment here.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    code_quality: Annotated[
        Path | None,
        typer.Option("--code-quality", help="Write GitLab's code quality report here."),
    ] = None,
    annotations: Annotated[
        bool, typer.Option("--annotations", help="Print GitHub's annotations: ::error …")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Answer whether a release may ship: a candidate held against a baseline by a policy.

    It may not if what was good fails, if the very same comes out now so, now so, or if a measure
    became worse by more than chance. What is demanded and was not tried, and what too few trials
    say, is never taken for fine: then nobody can say.

    First: lpharness store add results/OLD --tag v12; lpharness store add results/latest

    Then: lpharness gate --policy gate.toml --baseline v12 --markdown comment.md

    Exit status: 0 ship; 1 do not ship; 2 bad input; 3 nobody can say.
    """
    from lpharness.base.errors import InputError
    from lpharness.gate.decide import decide
    from lpharness.gate.policy import read_policy
    from lpharness.store import open_store

    if json and annotations:
        raise InputError("--json and --annotations both want standard output", hint="take one")
    rules = read_policy(policy)
    held = _baseline(rules, baseline, policy)
    with open_store(store) as opened:
        decision = decide(opened, rules, held, candidate)
    _write(decision, policy, markdown, junit, code_quality)
    if json:
        print_json(decision)
    else:
        _show(decision, annotations=annotations)
    raise typer.Exit(int(decision.ship))


def _baseline(rules: Policy, named: str | None, file: Path) -> str:
    from lpharness.base.errors import InputError

    if not (named or rules.baseline):
        raise InputError(
            "no baseline is named", hint=f'--baseline v12, or baseline = "v12" in {file}'
        )
    return named or rules.baseline


def _write(
    decision: Decision,
    policy: Path,
    markdown: Path | None,
    junit: Path | None,
    code_quality: Path | None,
) -> None:
    from lpharness.gate import annotations
    from lpharness.gate import junit as as_junit
    from lpharness.gate import markdown as as_markdown
    from lpharness.results.files import write_atomically

    if markdown is not None:
        write_atomically(markdown, as_markdown.markdown(decision))
    if junit is not None:
        write_atomically(junit, as_junit.junit(decision))
    if code_quality is not None:
        write_atomically(code_quality, annotations.gitlab(decision, policy.as_posix()))


def _show(decision: Decision, *, annotations: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from lpharness.gate.annotations import github

    out = answers()
    out.print(Text(decision.answer), soft_wrap=True)
    if decision.findings:
        out.print()
        table = Table(box=None, show_header=False)
        for finding in decision.findings:
            style = {"block": "red", "hole": "yellow", "tell": "dim"}[finding.answer]
            kind = Text(finding.kind.replace("_", " "), style=style)
            table.add_row(kind, Text(finding.about), Text(finding.said))
        out.print(table)
    if annotations:
        for line in github(decision):
            typer.echo(line)
