"""``lpharness simulate`` as it is typed."""

import simulation_support as support

# isort: split
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.cli.simulate import Model, app
from lpharness.simulation import codes
from lpharness.simulation.sweep import plan

_SMALL = """
name = "tiny"
settle = "20ms"
limit = "3s"
patch = { functions = ["first"] }
machine = { cpus = 1 }
[[tasks]]
name = "callers"
count = 2
program = '''
user 5ms
syscall
  call first
    run 5ms
    sleep 50ms
  end
end
'''
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(_SMALL)
    return str(path)


def test_the_command_knows_the_models() -> None:
    assert tuple(Model) == codes.MODELS


def test_tables_name_every_model_and_who_was_in_the_way(tiny: str) -> None:
    result = CliRunner().invoke(app, [tiny])
    assert result.exit_code == 0, result.output
    for model in codes.MODELS:
        assert model in result.output
    assert "along one stack" in result.output


def test_one_json_document_and_a_folder_of_files(tiny: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    arguments = [tiny, "-m", "hybrid", "--sweep", "cpus=1,2", "--json", "-o", str(folder)]
    result = CliRunner().invoke(app, arguments)
    found = json.loads(result.stdout)["simulations"]
    assert [each["swept"] for each in found] == ["cpus=1", "cpus=2"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves-cpus=1.svg",
        "curves-cpus=2.svg",
        "curves.csv",
        "simulations.csv",
        "simulations.json",
    ]
    ElementTree.parse(folder / "curves-cpus=1.svg")
    assert len((folder / "simulations.csv").read_text().splitlines()) == 3


def test_a_folder_that_is_there_is_not_touched(tiny: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [tiny, "-o", str(tmp_path)])
    assert isinstance(result.exception, InputError)


@pytest.mark.parametrize("sweep", ["cpus", "cpus=a", "colour=1", "tasks.nobody=1"])
def test_a_sweep_that_cannot_be_is_refused(sweep: str) -> None:
    with pytest.raises(InputError, match="--sweep"):
        plan(support.small(), ["hybrid"], [1], sweep)


def test_a_sweep_over_tasks_keeps_their_shares() -> None:
    (job,) = plan(support.small(), ["hybrid"], [1], "tasks=70")
    assert [group.count for group in job.scenario.tasks] == [50, 20]
