"""What ``--help`` shows of each command."""

import pytest
from typer.testing import CliRunner

from lpharness.cli.main import COMMANDS, app


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_speaks_of_that_command_only(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], terminal_width=100)
    assert result.exit_code == 0
    assert f"{command} [OPTIONS]" in result.output
    assert "completion" not in result.output
