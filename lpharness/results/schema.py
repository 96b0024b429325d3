"""The JSON schema of ``trial.json``: ``python -m lpharness.results.schema`` prints it."""

from __future__ import annotations

import json
import sys

import msgspec

from lpharness.results.model import SCHEMA, Trial


def trial_schema() -> str:
    """Return the schema as JSON text, made from the data model itself."""
    return described(Trial, f"lpharness trial, schema {SCHEMA}")


def described(struct: type[msgspec.Struct], title: str) -> str:
    """Return the JSON schema of a struct as text."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **msgspec.json.schema(struct),
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(trial_schema())
