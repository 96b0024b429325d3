"""The templates in ``ci/templates``: valid by the forges' schemas, their commands by our own."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from groovy_support import faults
from ruamel.yaml import YAML

from lpharness.cli.main import app
from lpharness.gate.policy import read_policy

TOP = Path(__file__).parent.parent.parent
TEMPLATES = TOP / "ci" / "templates"
SCHEMAS = {
    "github-workflow.yml": "vendor.github-workflows",
    "gitlab-ci.yml": "vendor.gitlab-ci",
}


def scripts(value: Any) -> list[str]:
    """Return all shell scripts of a workflow: what stands at ``run`` or ``script``."""
    if isinstance(value, dict):
        found = [script for item in value.values() for script in scripts(item)]
        for key in ("run", "script"):
            script = value.get(key)
            if isinstance(script, list):
                found.append("\n".join(script))
            elif isinstance(script, str) and "require(" not in script:  # JavaScript for an action
                found.append(script)
        return found
    if isinstance(value, list):
        return [script for item in value for script in scripts(item)]
    return []


def all_scripts() -> list[str]:
    found = [
        script for name in SCHEMAS for script in scripts(YAML(typ="safe").load(TEMPLATES / name))
    ]
    jenkins = (TEMPLATES / "Jenkinsfile").read_text()
    return found + re.findall(r"^\s*sh '(.*)'$", jenkins, re.MULTILINE)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_template_is_valid_by_its_forges_schema(name: str) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name],
            str(TEMPLATES / name),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_script_is_clean_shell() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("NO CHECK OF SCRIPTS: shellcheck is not installed")
    assert len(all_scripts()) >= 9
    for script in all_scripts():
        done = subprocess.run(
            ["shellcheck", "--shell=sh", "-"], input=script, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, script + done.stdout


def test_every_command_takes_its_options() -> None:
    """An option that a template gives and no command takes would be found out by its users."""
    commands = [
        line
        for script in all_scripts()
        for line in script.replace("\\\n", " ").splitlines()
        if line.strip().startswith("lpharness ")
    ]
    assert len(commands) >= 9
    for line in commands:
        words = shlex.split(re.split(r"\|\|", line)[0])[1:]
        group: Any = typer.main.get_command(app)
        context = group.make_context("lpharness", list(words), resilient_parsing=True)
        _, command, rest = group.resolve_command(context, list(words))
        while hasattr(command, "commands"):
            _, command, rest = command.resolve_command(context, rest)
        command.make_context(command.name, rest)


def test_the_example_policy_is_one() -> None:
    policy = read_policy(TEMPLATES / "gate.toml")
    bundled = {path.name for path in (TOP / "patches").iterdir()}
    for demand in policy.require:
        assert set(demand.cases) <= bundled


def test_the_jenkinsfile_is_a_declarative_pipeline() -> None:
    assert faults((TEMPLATES / "Jenkinsfile").read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("agent {", "agent", "it is no Groovy"),
        ("'v12'", "'v12", "it is no Groovy"),
        ("pipeline {", "node {", "it is not one pipeline"),
        ("post {", "posts {", "in pipeline there is posts"),
        ("always {", "allways {", "in post there is allways"),
        ("stage('Gate')", "step('Gate')", "in stages there is step"),
        ("            steps {", "            script {", "in stage there is script"),
        ("options {", "stages {", "a pipeline has one stages"),
    ],
)
def test_a_broken_jenkinsfile_is_found_out(old: str, new: str, wrong: str) -> None:
    text = (TEMPLATES / "Jenkinsfile").read_text()
    assert old in text
    assert wrong in faults(text.replace(old, new, 1))


def test_the_container_has_what_lpharness_needs_to_run() -> None:
    text = (TEMPLATES / "Containerfile").read_text()
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    instructions = [line.split()[0] for line in joined.splitlines() if line.strip()]
    assert instructions[0] == "FROM"
    assert set(instructions) <= {"FROM", "RUN", "COPY", "ENV", "VOLUME", "ENTRYPOINT", "CMD"}
    listed = (TOP / "ci" / "debian-packages.txt").read_text()
    running = listed.split("# Running\n")[1].split("#")[0].split()
    install = re.search(r"--no-install-recommends\s+(.*?)&&", joined)
    assert install is not None
    assert install[1].split() == running
    copied = {
        path
        for source in re.findall(r"^COPY (.*) \S+$", joined, re.MULTILINE)
        for path in source.split()
    }
    assert all((TOP / path).exists() for path in copied)
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert copied >= {*wheel["force-include"], "lpharness", "pyproject.toml", "README.md"}
