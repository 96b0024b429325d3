"""Does each task at once, right here: nothing is simpler to understand, or to interrupt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lpharness.base.closing import Closing
from lpharness.executor.contract import Began, Ended, How, News, Task, Told

_HERE = "here"


class InlineExecutor(Closing):
    """An `Executor` whose `submit` comes back when the task is through."""

    name = "inline"

    def __init__(self, told: Told) -> None:
        self._told = told

    def submit(self, task: Task) -> None:
        """Do the task."""
        self._told(Began(key=task.key, where=_HERE))
        try:
            result = task.call(_Site(task, self._told))
        except Exception as error:
            ended = Ended(key=task.key, how=How.RAISED, error=error, where=_HERE)
        else:
            ended = Ended(key=task.key, how=How.RETURNED, result=result, where=_HERE)
        self._told(ended)

    def cancel(self, key: str) -> None:
        """Do nothing: what was submitted is through."""

    def close(self) -> None:
        """Do nothing: nothing is under way."""


class _Site:
    def __init__(self, task: Task, told: Told) -> None:
        self.folder: Path = task.folder
        self._key, self._told = task.key, told

    def tell(self, news: Any) -> None:
        self._told(News(key=self._key, news=news))
