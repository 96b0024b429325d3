"""What each task of a small machine does, and the pictures of docs/models.md."""

import simulation_support as support

# isort: split
import itertools
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lpharness.base.errors import InputError
from lpharness.simulation import codes
from lpharness.simulation.scenario import load
from lpharness.simulation.simulate import simulate
from lpharness.simulation.timeline import MOST_TASKS, Timeline, timeline
from lpharness.simulation.timeline_picture import timeline_svg

DOCS = Path(__file__).parents[2] / "docs"


def shown(model: str) -> Timeline:
    scenario = load("showcase")
    took = simulate(scenario, model).completed_s
    assert took is not None
    return timeline(scenario, model, 1, took)


@pytest.mark.parametrize("model", codes.MODELS)
def test_the_picture_in_the_docs_is_what_the_simulation_draws(model: str) -> None:
    """`lpharness simulate showcase -o FOLDER` draws them again."""
    drawn = timeline_svg(shown(model))
    ElementTree.fromstring(drawn)
    assert (DOCS / "pictures" / f"timeline-{model}.svg").read_text() == drawn
    assert f"](pictures/timeline-{model}.svg)" in (DOCS / "models.md").read_text()


@pytest.mark.parametrize("model", codes.MODELS)
def test_spans_lie_end_to_end_and_end_in_the_new_code(model: str) -> None:
    found = shown(model)
    for row in found.spans:
        assert row[0].begin_s == pytest.approx(found.first_s)
        assert row[-1].end_s == pytest.approx(found.last_s)
        assert all(a.end_s == b.begin_s for a, b in itertools.pairwise(row))
        assert (row[0].what.calls, row[-1].what.calls) == (0, 1)
    assert found.ended_s == simulate(load("showcase"), model).completed_s


def test_only_under_immediate_new_code_calls_old() -> None:
    mixed = {
        model
        for model in codes.MODELS
        for row in shown(model).spans
        for span in row
        if span.what.innermost != span.what.outermost
    }
    assert mixed == {"immediate"}


@pytest.mark.parametrize(
    ("model", "ways"),
    [("ksplice", [True, True, False]), ("kpatch", [True, False]), ("immediate", [])],
)
def test_looks_say_whether_somebody_was_in_the_way(model: str, ways: list[bool]) -> None:
    assert [way for _, way in shown(model).tries] == ways


def test_looking_on_changes_nothing() -> None:
    scenario = support.small()
    whole = simulate(scenario, "kgraft")
    assert whole.completed_s is not None
    assert timeline(scenario, "kgraft", 1, whole.completed_s).ended_s == whole.completed_s


def test_too_many_tasks_are_refused() -> None:
    with pytest.raises(InputError, match=f"at most {MOST_TASKS}"):
        timeline(load("mixed"), "hybrid", 1, 1.0)
