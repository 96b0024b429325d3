"""Tracers, probes and BPF programs at a function that is patched; `bench coexistence` has them all.

Here are those that differ most, and what must be noticed if one of them goes wrong.
"""

from __future__ import annotations

import msgspec
import pytest

from lpharness.base.errors import HostError, InputError
from lpharness.bench.coexistence import ORDERS, Met, Order, Outcome, measure, tracers
from lpharness.bench.coexistence.model import Act, Tracer
from lpharness.bench.coexistence.table import cells, markdown

OLD, NEW = "debian:6.1-cloud", "debian:6.12-cloud"
FIRST, LAST = ORDERS[0], ORDERS[-1]


def met(kernel: str, tracer: Tracer, *orders: Order) -> list[Outcome]:
    try:
        return measure([kernel], [tracer], orders)
    except HostError as error:
        pytest.skip(f"cannot be prepared: {error}")


def named(name: str) -> Tracer:
    (tracer,) = tracers((name,))
    return tracer


@pytest.mark.parametrize(
    ("kernel", "name"),
    [(OLD, "fexit"), (NEW, "function_graph"), (NEW, "kretprobe")],
    ids=lambda value: value,
)
def test_they_go_together(kernel: str, name: str) -> None:
    for outcome in met(kernel, named(name), FIRST, LAST):
        assert outcome.met is Met.WORKS, outcome
        both = [step for step in outcome.steps if step.patched and step.counted is not None]
        assert both
        assert all(step.counted == step.calls for step in both)
        assert all("I" in step.enabled.split() for step in both)


@pytest.mark.parametrize("kernel", [OLD, NEW])
def test_of_two_that_change_where_a_function_goes_on_the_second_is_refused(kernel: str) -> None:
    first, last = met(kernel, named("kprobe_post"), FIRST, LAST)
    assert (first.met, first.summary) == (Met.REFUSED, "patch on: EBUSY")
    assert (last.met, last.summary) == (Met.REFUSED, "tracer on: EBUSY")
    assert {first.later, last.later} == {"works alone"}
    refused = next(step for step in first.steps if step.act is Act.PATCH_ON)
    assert (refused.patched, refused.counted) == (False, refused.calls)


def test_a_count_that_is_not_right_is_wrong() -> None:
    deaf = msgspec.structs.replace(named("function"), count="echo 0")
    (outcome,) = met(OLD, deaf, FIRST)
    assert (outcome.met, outcome.summary) == (
        Met.WRONG,
        "after tracer on: the tracer counted 0 of 5 calls",
    )


def test_a_tracer_that_stays_is_wrong_and_one_that_cannot_be_asked_is_unknown() -> None:
    stays = msgspec.structs.replace(named("kprobe"), off="true")
    (outcome,) = met(OLD, stays, LAST)
    assert outcome.met is Met.WRONG
    assert "ftrace still has cmdline_proc_show" in outcome.summary
    dumb = msgspec.structs.replace(named("kprobe"), count="true")
    (outcome,) = met(OLD, dumb, FIRST)
    assert outcome.met is Met.UNKNOWN


def test_the_table_names_each_order_once() -> None:
    names = [order.name for order in ORDERS]
    assert len(set(names)) == len(ORDERS) == 4
    outcome = Outcome(
        kernel="6.1", tracer="kprobe_post", order=names[0], met=Met.REFUSED,
        summary="patch on: EBUSY", later="works alone",
    )  # fmt: skip
    assert cells([outcome]) == [
        ["kprobe with a post handler", "6.1", "refused: patch on: EBUSY", "", "", ""]
    ]
    assert "works alone once the other has gone" in markdown([outcome], "lpharness bench …")
    with pytest.raises(InputError, match="no tracer 'kprobes'"):
        tracers(("kprobes",))
