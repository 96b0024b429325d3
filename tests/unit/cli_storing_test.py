"""Where a run's trials go besides its folder."""

from __future__ import annotations

import subprocess
import sys

_ASK = """
import sys
import lpharness.cli.conduct
from lpharness.cli.storing import storing
with storing(None) as stored:
    assert stored.complete(whole=True)
print(sorted({"sqlalchemy", "alembic"} & sys.modules.keys()))
"""


def test_a_run_without_a_store_waits_for_no_database_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASK], capture_output=True, text=True, check=True, env={}
    )
    assert done.stdout == "[]\n"
