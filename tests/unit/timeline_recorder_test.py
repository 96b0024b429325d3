"""A timeline that cannot be written: who tells the trial is told of it, who listens is not."""

from __future__ import annotations

import io
import threading

import pytest

from lpharness.base.errors import HostError
from lpharness.timeline.events import Note
from lpharness.timeline.recorder import Recorder


class FullDisk(io.BytesIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_only_the_trials_own_thread_is_told_of_a_full_disk() -> None:
    recorder = Recorder(FullDisk())
    raised: list[BaseException] = []

    def listen() -> None:
        try:
            recorder.add(Note(host_ns=1, text="heard"))
        except BaseException as error:  # what would end the thread with a traceback
            raised.append(error)

    listener = threading.Thread(target=listen)
    listener.start()
    listener.join()
    assert raised == []
    for _ in range(2):
        with pytest.raises(HostError, match="cannot write the timeline: No space left on device"):
            recorder.add(Note(host_ns=2, text="told"))
    assert [event.text for event in recorder.events if isinstance(event, Note)] == [
        "heard",
        "told",
        "told",
    ]
