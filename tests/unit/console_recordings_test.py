"""Consoles of real guests, most of them crashed on purpose, held to their exact findings."""

import tomllib
from pathlib import Path

import pytest

from lpharness.console import Classifier, Finding, classify_text

RECORDINGS = Path(__file__).parent.parent / "recordings"
CONSOLES = sorted((RECORDINGS / "consoles").glob("*.console"))
EXPECTED = tomllib.loads((RECORDINGS / "findings.toml").read_text())


def brief(found: Finding) -> str:
    parts = (found.name, str(found.line), found.function.split("+")[0], found.task)
    return " ".join(part for part in parts if part)


def test_every_recording_is_held_to_something() -> None:
    assert {path.stem for path in CONSOLES} == EXPECTED.keys()
    assert len(CONSOLES) > 25


@pytest.mark.parametrize("path", CONSOLES, ids=lambda path: path.stem)
def test_findings_are_exactly_those_expected(path: Path) -> None:
    assert [brief(found) for found in classify_text(path.read_bytes())] == EXPECTED[path.stem]


@pytest.mark.parametrize("path", CONSOLES, ids=lambda path: path.stem)
def test_line_by_line_gives_the_same(path: Path) -> None:
    """As the guests feed it: whole lines, one at a time, carriage returns already gone."""
    classifier = Classifier()
    found: list[Finding] = []
    for line in path.read_bytes().split(b"\n"):
        found += classifier.feed(line.rstrip(b"\r") + b"\n")
    found += classifier.finish()
    assert [brief(f) for f in sorted(found, key=lambda f: f.line)] == EXPECTED[path.stem]


@pytest.mark.parametrize("name", ["clean-61", "clean-612", "livepatch-61", "livepatch-612"])
def test_healthy_lives_raise_no_alarm(name: str) -> None:
    found = classify_text((RECORDINGS / "consoles" / f"{name}.console").read_bytes())
    # It ends by switching itself off, which is told but is nothing bad.
    assert {f.name for f in found if f.severity != "expected"} == {"power-off"}


@pytest.mark.parametrize(
    "name",
    [
        path.stem
        for path in CONSOLES
        if path.stem.split("-")[0]
        in {"null", "gp", "bug", "list", "stack", "nullpanic", "sysrqc", "killinit"}
    ],
)
def test_deaths_are_fatal(name: str) -> None:
    found = classify_text((RECORDINGS / "consoles" / f"{name}.console").read_bytes())
    assert "fatal" in {f.severity for f in found}


def test_a_refused_livepatch_is_told_in_the_kernels_own_class() -> None:
    found = classify_text((RECORDINGS / "consoles" / "refused-612.console").read_bytes())
    assert "module-refused" in {f.name for f in found}
