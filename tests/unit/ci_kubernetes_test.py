"""The manifests of ci/kubernetes are what Dask's operator takes: held against its own schemas."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted((ROOT / "ci/kubernetes").glob("*.yaml"))
_CRDS = "operator/deployment/helm/dask-kubernetes-operator/crds"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the operator's schemas by kind; the package is not imported, nor what it needs."""
    found = importlib.util.find_spec("dask_kubernetes")
    if found is None or found.origin is None:
        pytest.skip("NOT VALIDATED: pip install --no-deps dask-kubernetes has the schemas")
    by_kind = {}
    for path in (Path(found.origin).parent / _CRDS).glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())["spec"]
        (version,) = definition["versions"]
        by_kind[definition["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    return by_kind


def closed(schema: Any) -> Any:
    """Return a schema that takes no property which it does not name: a slip would be dropped."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if "properties" in inner and isinstance(schema.get("type"), str):
        inner.setdefault("additionalProperties", False)
    return inner


def complaints(document: dict[str, Any]) -> list[str]:
    schema = closed(schemas()[document["kind"]])
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    errors = Draft202012Validator(schema).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_valid(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text()):
        assert document["apiVersion"] == "kubernetes.dask.org/v1"
        assert complaints(document) == []


def test_what_is_wrong_is_found() -> None:
    text = MANIFESTS[0].read_text()
    assert complaints(yaml.safe_load(text.replace("replicas: 4", "replicas: many")))
    assert complaints(yaml.safe_load(text.replace("containerPort", "containerPrt")))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_what_a_manifest_calls_is_there(path: Path) -> None:
    """Its service leads to the scheduler, and its commands know the options that are given."""
    text = path.read_text()
    (document,) = yaml.safe_load_all(text)
    spec = document["spec"].get("cluster", document)["spec"]
    assert spec["scheduler"]["service"]["selector"] == {
        "dask.org/cluster-name": document["metadata"]["name"],
        "dask.org/component": "scheduler",
    }
    assert {port["port"] for port in spec["scheduler"]["service"]["ports"]} == {8786, 8787}
