"""The example in docs/reference.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_example_runs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(compile(example, "docs/reference.md", "exec"), {})
