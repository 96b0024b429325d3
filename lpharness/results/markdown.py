"""A summary in Markdown, made to be posted as a comment on a pull request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from lpharness.results.figures import Figures
from lpharness.results.flaky import Judged, flaky
from lpharness.results.model import WORST_FIRST, Build, CheckResult, Trial, Verdict
from lpharness.results.text import block, one_line, seconds

SIGNS = {
    Verdict.PASS: "✅",
    Verdict.FAIL: "❌",
    Verdict.ERROR: "⚠️",
    Verdict.SKIP: "⏭️",
    Verdict.XFAIL: "☑️",
    Verdict.XPASS: "❗",
}
_LONGEST = 60_000
"""GitHub refuses a comment of more than 65,536 characters."""
_MOST_FLAKY = 50
_LOUD = (Verdict.FAIL, Verdict.XPASS, Verdict.ERROR)


def markdown(rows: Sequence[tuple[Trial, Figures]], judged: Sequence[Judged] | None = None) -> str:
    """Return the summary: the table of verdicts, then the evidence of what went wrong.

    Args:
        rows: what there is room to tell of.
        judged: all that there is, if that is more.
    """
    everything = [trial for trial, _ in rows] if judged is None else judged
    head = [f"## lpharness: {headline(everything)}", "", *_table(rows, len(everything))]
    head += _flaky(everything)
    text = "\n".join(head)
    loud = [trial for trial, _ in rows if trial.verdict in _LOUD]
    for number, trial in enumerate(loud):
        part = "\n".join(_details(trial))
        if len(text) + len(part) > _LONGEST:
            text += f"\n\n… {len(loud) - number} more in the full report.\n"
            break
        text += f"\n\n{part}"
    return text + "\n"


def headline(trials: Sequence[Judged]) -> str:
    """Return the counts of verdicts in one line, the worst first."""
    counts = Counter(trial.verdict for trial in trials)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in WORST_FIRST if counts[verdict]]
    if unsteady := flaky(trials):
        parts.append(f"{len(unsteady)} flaky")
    return ", ".join(parts) or "no trials"


def _flaky(trials: Sequence[Judged]) -> Iterator[str]:
    """Name what did not come out the same each time it was tried."""
    found = flaky(trials)
    if found:
        yield ""
    for number, one in enumerate(found):
        if number == _MOST_FLAKY:
            yield f"- … {len(found) - number} more are flaky"
            return
        yield f"- **flaky** {_plain(one.id.slug)}: {one.words}"


def _table(rows: Sequence[tuple[Trial, Figures]], total: int) -> Iterator[str]:
    yield "| | case | kernel | workload | built in | patched in | unpatched in | took | |"
    yield "|---|---|---|---|--:|--:|--:|--:|---|"
    used = 0
    for number, (trial, found) in enumerate(rows):
        row = _row(trial, found)
        used += len(row)
        if used > _LONGEST // 2:
            yield f"| | … {total - number} more | | | | | | | |"
            return
        yield row
    if total > len(rows):
        yield f"| | … {total - len(rows)} more | | | | | | | |"


def _row(trial: Trial, found: Figures) -> str:
    id_ = trial.id
    case = f"{id_.case} ({id_.variant})" if id_.variant else id_.case
    cells = [
        f"{SIGNS[trial.verdict]} {trial.verdict.value}",
        _cell(case),
        _cell(id_.kernel),
        _cell(id_.workload),
        _built(trial.build),
        seconds(found.patching_s),
        seconds(found.unpatching_s),
        seconds(trial.seconds or None),
        "" if trial.verdict is Verdict.PASS else _cell(trial.reason),
    ]
    return "| " + " | ".join(cells) + " |"


def _built(build: Build | None) -> str:
    if build is None or build.verdict is Verdict.PASS:
        return seconds(build.seconds if build else None)
    return f"{SIGNS[build.verdict]} {_cell(build.kind or build.verdict.value)}"


def _details(trial: Trial) -> Iterator[str]:
    yield f"<details><summary>{SIGNS[trial.verdict]} {_plain(trial.id.slug)}</summary>"
    yield ""
    yield f"**{trial.verdict.value}**: {_plain(trial.reason)}"
    if trial.build is not None and trial.build.detail:
        yield ""
        yield from _fenced(block(trial.build.detail, 3000, 40))
    for check in trial.checks:
        if check.verdict in _LOUD:
            yield ""
            yield from _check(check)
    yield ""
    yield "</details>"


def _check(check: CheckResult) -> Iterator[str]:
    yield f"- **{_plain(check.check)}** {check.verdict.value}: {_plain(check.summary)}"
    bad = [item for item in check.evidence if item.good is not True] or list(check.evidence)
    if not bad:
        return
    lines = []
    for item in bad[:10]:
        lines.append(one_line(item.what, 200))
        lines += [f"  seen:   {line}" for line in block(item.seen, 1500, 20).split("\n")]
        if item.wanted:
            lines += [f"  wanted: {line}" for line in block(item.wanted, 500, 10).split("\n")]
    yield ""
    yield from (f"  {line}" for line in _fenced("\n".join(lines)))


def _fenced(text: str) -> list[str]:
    """Return a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *text.split("\n"), fence]


def _cell(text: str) -> str:
    return _plain(one_line(text, 160))


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no link, no mention, no HTML."""
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*_{}\[\]|~!])", r"\\\1", escaped)
    # A mention or reference would notify people; a word joiner entity breaks it invisibly.
    return re.sub(r"([@#])(?=\w)", r"\1&#8288;", escaped)
