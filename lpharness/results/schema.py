"""The JSON schema of ``trial.json``: ``python -m lpharness.results.schema`` prints it."""

from __future__ import annotations

import json
import sys

import msgspec

from lpharness.results.model import SCHEMA, Trial


def trial_schema() -> str:
    """Return the schema as JSON text, made from the data model itself."""
    schema = msgspec.json.schema(Trial)
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"lpharness trial, schema {SCHEMA}",
        **schema,
    }
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(trial_schema())
