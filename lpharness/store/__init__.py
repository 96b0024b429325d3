"""What was ever tried, remembered: a database of runs, trials, checks and measures.

`open_store` opens one; `lpharness.store.add` fills it, `lpharness.store.trials` and
`lpharness.store.history` ask it. ``docs/store.md`` tells of each.
"""

from lpharness.store.database import Store, open_store

__all__ = ["Store", "open_store"]
