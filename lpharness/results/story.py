"""One trial with everything that its folder holds: what a report is made from."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from lpharness.base.errors import InputError
from lpharness.results.figures import Figures, figures
from lpharness.results.folder import TrialFolder
from lpharness.results.model import Trial
from lpharness.timeline.events import Event


class Story(Struct, kw_only=True):
    """A trial, its timeline and its console."""

    trial: Trial
    name: str
    """Of its folder: unique in the run, and harmless in a path, an address or an id."""
    events: Sequence[Event] = ()
    console: Sequence[str] = ()
    control_events: Sequence[Event] = ()
    """Of the guest without the patch, if the case describes a flaw."""
    control_console: Sequence[str] = ()
    figures: Figures = field(default_factory=Figures)
    problem: str = ""
    """Why the timeline could not be read, if so: one torn file must not cost the whole report."""


def read_story(folder: TrialFolder, trial: Trial) -> Story:
    """Read what lies beside a trial's document."""
    story = Story(
        trial=trial,
        name=folder.path.name,
        console=folder.console(),
        control_console=folder.control.console(),
    )
    try:
        story.events = folder.events()
        story.control_events = folder.control.events()
    except InputError as error:
        story.problem = error.message
    story.figures = figures(story.events)
    return story
