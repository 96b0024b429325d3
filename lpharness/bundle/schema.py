"""The JSON schema of a bundle's statement: ``python -m lpharness.bundle.schema`` prints it."""

from __future__ import annotations

import sys

from lpharness.bundle.model import PREDICATE, Statement
from lpharness.results.schema import described


def statement_schema() -> str:
    """Return the schema as JSON text, made from the data model itself."""
    return described(Statement, f"in-toto statement with the predicate {PREDICATE}")


if __name__ == "__main__":
    sys.stdout.write(statement_schema())
