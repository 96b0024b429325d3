"""The JSON schema of a bundle's statement: ``python -m lpharness.bundle.schema`` prints it."""

from __future__ import annotations

import json
import sys

import msgspec

from lpharness.bundle.model import PREDICATE, Statement


def statement_schema() -> str:
    """Return the schema as JSON text, made from the data model itself."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"in-toto statement with the predicate {PREDICATE}",
        **msgspec.json.schema(Statement),
    }
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(statement_schema())
