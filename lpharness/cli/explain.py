"""What ``lpharness build`` prints about a module that was made of a source diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpharness.engine.differ.report import DiffReport, Function
    from lpharness.engine.emit import ObjectBuild, PatchBuild


def summarize_patch(patch: PatchBuild) -> Iterator[str]:
    """Yield a few lines: what was proved, what was taken, how long it took."""
    for one in patch.objects:
        yield f"{one.source}: {_proved(one)}; {_taken(one.report)}"
    yield _times(patch)


def explain_patch(patch: PatchBuild) -> Iterator[str]:
    """Yield all that is known of where a module comes from."""
    yield f"of the diff sha256 {patch.diff_sha256}, for {patch.release}"
    yield from explain_objects(patch.objects)
    yield _times(patch)


def explain_objects(objects: Iterable[ObjectBuild]) -> Iterator[str]:
    """Yield what is known of each source file: functions, data, references, sections, refusals."""
    for one in objects:
        yield f"{one.source} ({one.object}): {_proved(one)}"
        for failure in one.unproved:
            yield f"  not proved  {failure.name}: {failure.state}"
        for function in one.report.functions:
            yield from _function(function)
        for data in one.report.data:
            why = f": {data.why}" if data.why else ""
            needed = f", for {', '.join(data.needed_by)}" if data.needed_by else ""
            yield f"  data {data.state}  {data.name}{why}{needed}"
        for refusal in one.report.refusals:
            yield f"  refused  {refusal.subject}: {refusal.reason} [{refusal.kind}]"
            yield f"           {refusal.hint}"
        for reference in one.references:
            yield f"  {reference.how}  {reference.symbol} ({reference.evidence})"
        for special in one.report.special:
            if special.kept:
                kept = f"{special.kept} of {special.entries} entries"
                yield f"  special  {special.section}: {kept} ({special.entry})"
        for section in one.sections:
            yield f"  section  {section.name}: {section.size} bytes"


def _function(function: Function) -> Iterator[str]:
    if not function.taken and function.state == "unchanged":
        return
    notes = []
    if function.replaces:
        notes.append("replaced")
    elif function.parent and function.taken:
        notes.append(f"part of {function.parent}")
    elif function.taken and function.state != "new":
        notes.append("copied for its callers")
    yield f"  {function.state}  {function.name}" + (f" ({', '.join(notes)})" if notes else "")
    if function.why:
        at = f" at +{function.why.offset:#x}" if function.why.offset is not None else ""
        yield f"    {function.why.text}{at}"
        if function.why.original != function.why.patched:
            yield f"      - {function.why.original}"
            yield f"      + {function.why.patched}"


def _proved(one: ObjectBuild) -> str:
    return f"{one.proved} of {one.functions} functions are the kernel's byte for byte"


def _taken(answer: DiffReport) -> str:
    taken = [function for function in answer.functions if function.taken]
    new = sum(function.state == "new" for function in taken)
    replaced = sum(function.replaces for function in taken)
    return f"{replaced} replaced, {new} new" if taken else "nothing taken"


def _times(patch: PatchBuild) -> str:
    steps = ", ".join(f"{timing.step} {timing.seconds:.1f}" for timing in patch.timings)
    total = sum(timing.seconds for timing in patch.timings)
    return f"{total:.1f} s: {steps}" + (" (built before)" if patch.cached else "")
