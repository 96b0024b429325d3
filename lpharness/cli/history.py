"""``lpharness history``: since when does it fail, what is flaky, how has it moved?"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import answers, print_json
from lpharness.cli.store import Where

if TYPE_CHECKING:
    from lpharness.store import Store
    from lpharness.store.history import History
    from lpharness.store.trend import Trend
    from lpharness.store.trials import Which

app = typer.Typer(add_completion=False)


class Of(StrEnum):
    """What ``--of`` takes: the measures that a release is judged by."""

    TRANSITION = "transition"
    STOP = "stop"
    THROUGHPUT = "throughput"
    HEARTBEAT = "heartbeat"


@app.command()
def history(
    case: Annotated[
        str | None, typer.Argument(metavar="[CASE]", help="Default: every case.")
    ] = None,
    *,
    kernel: Annotated[
        str | None,
        typer.Option("-k", "--kernel", help="As asked for (debian:6.1-cloud), or exact."),
    ] = None,
    workload: Annotated[str | None, typer.Option("-w", "--workload")] = None,
    cve: Annotated[str | None, typer.Option(help="Cases that heal it: CVE-2026-72402.")] = None,
    flaky: Annotated[
        bool,
        typer.Option("--flaky", help="Only where the very same came out now good, now bad."),
    ] = False,
    of: Annotated[
        Of | None, typer.Option("--of", help="How this measure moved from release to release.")
    ] = None,
    store: Where = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Tell what came of a case: since when it fails, what was new then, whether it is flaky.

    A line is what is tried again in each release: a case on a kernel with a workload. Its verdicts
    are shown oldest first: . good, F bad, e nobody could say, s skipped.

    Examples: lpharness history hot-syscall -k debian:6.1-cloud

    lpharness history --flaky

    lpharness history hot-syscall --of transition

    Exit status: 0 told; 2 bad input, or the store knows no such trial; 3 it could not be read.
    """
    from lpharness.store import open_store
    from lpharness.store.trials import Which

    which = Which(case=case, kernel=kernel, workload=workload, cve=cve)
    with open_store(store) as opened:
        if of is not None:
            _tell_trends(opened, which, of, json=json)
        else:
            _tell_histories(opened, which, flaky=flaky, json=json)


def _tell_histories(store: Store, which: Which, *, flaky: bool, json: bool) -> None:
    from lpharness.store.history import histories

    found = histories(store, which)
    if not found:
        raise _nothing(store)
    if flaky:
        found = [line for line in found if line.flaky]
    if json:
        print_json({"lines": [_told(line) for line in found]})
    elif not found:
        answers().print("nothing is flaky: what was tested again came out alike")
    else:
        _show_histories(found)


def _told(history: History) -> dict[str, object]:
    return {
        "line": history.line,
        "good": history.good,
        "bad": history.bad,
        "silent": history.silent,
        "flaky": history.flaky,
        "failing": history.failing,
        "trials": history.trials,
    }


def _show_histories(found: list[History]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = answers()
    table = Table(box=None, header_style="dim")
    for column in ("line", "verdicts", "good/bad/silent", "now"):
        table.add_column(column)
    for line in found:
        counts = f"{line.good}/{line.bad}/{line.silent}"
        table.add_row(Text(str(line.line)), _signs(line), counts, Text(_now(line)))
    out.print(table)


_SIGNS = {"pass": ".", "xfail": ".", "fail": "F", "xpass": "F", "error": "e", "skip": "s"}
_NEWEST = 40


def _signs(line: History) -> str:
    signs = "".join(_SIGNS[trial.verdict.value] for trial in line.trials[-_NEWEST:])
    return f"…{signs}" if len(line.trials) > _NEWEST else signs


def _now(line: History) -> str:
    flaky = "flaky; " if line.flaky else ""
    failing = line.failing
    if failing is None:
        return f"{flaky}{line.last.verdict.value}"
    since = f"{flaky}failing since {failing.since.started_at:%Y-%m-%d %H:%M} UTC"
    if failing.before is None:
        return f"{since}: was never good ({failing.since.reason})"
    news = f"; new then: {', '.join(failing.changed)}" if failing.changed else ""
    before = f"last good {failing.before.started_at:%Y-%m-%d %H:%M} UTC"
    return f"{since}, {before}{news} ({failing.since.reason})"


def _tell_trends(store: Store, which: Which, of: Of, *, json: bool) -> None:
    from lpharness.store.trend import trends

    found = trends(store, which, of.value)
    if not found:
        raise _nothing(store)
    if json:
        print_json({"trends": found})
    else:
        _show_trends(found)


def _show_trends(found: list[Trend]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = answers()
    for trend in found:
        phase = f" {trend.phase}" if trend.phase else ""
        out.print(Text(f"{trend.name}{phase} of {trend.line}", style="bold"))
        table = Table(box=None, header_style="dim")
        for column in ("release", "since", "trials", f"median, {trend.unit}", "quartiles", ""):
            table.add_column(column)
        first = trend.points[0].median
        for point in trend.points:
            lower, upper = point.spread
            moved = f"{point.median / first - 1:+.0%}" if first else ""
            table.add_row(
                Text(point.release),
                f"{point.at:%Y-%m-%d}",
                str(len(point.values)),
                f"{point.median:,.3g}",
                f"{lower:,.3g} to {upper:,.3g}",
                moved,
            )
        out.print(table)


def _nothing(store: Store) -> Exception:
    from lpharness.base.errors import InputError

    return InputError(
        f"the store {store.name} knows no such trial",
        hint="`lpharness store info` shows its runs; `lpharness store add RESULTS` adds one",
    )
