"""The data that our own kernels are made from: whole, and named by what there is."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir
from lpharness.cli.kernels import app
from lpharness.kernels.configurations import configuration, configuration_names
from lpharness.kernels.profiles import find_profile, profiles
from lpharness.kernels.spec import BuiltSpec, parse_spec
from lpharness.kernels.toolchains import parse_toolchain


def test_every_line_is_an_option_or_a_comment() -> None:
    for path in data_dir("kernels").glob("*.config"):
        for line in path.read_text().splitlines():
            assert re.fullmatch(r"|#.*|CONFIG_[A-Z0-9_]+=(y|m|\d+)", line), f"{path.name}: {line}"


@pytest.mark.parametrize("series", ["6.1", "6.12"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("name", configuration_names())
def test_no_option_is_wanted_twice(name: str, compiler: str, series: str) -> None:
    options = [
        line.partition("=")[0] for line in configuration(name, series, compiler).text.splitlines()
    ]
    assert sorted(set(options)) == sorted(options)


def test_fragments_come_by_series_and_compiler() -> None:
    assert configuration_names() == ["debug", "small"]
    gcc, clang = (configuration("small", "6.1", compiler) for compiler in ("gcc", "clang"))
    assert "CONFIG_LIVEPATCH=y\n" in gcc.text
    assert set(gcc.text.splitlines()) - set(clang.text.splitlines()) == {
        "CONFIG_RETHUNK=y", "CONFIG_SLS=y",
    }  # fmt: skip
    assert "CONFIG_RETPOLINE=y\n" not in configuration("small", "6.12", "gcc").text


def test_a_configuration_is_a_promise() -> None:
    wanted = configuration("debug", "6.1", "gcc")
    lines = wanted.text.splitlines()
    assert wanted.missing_from("".join(f"{line}\n" for line in lines[1:])) == lines[:1]
    assert wanted.missing_from(f"# more\n{wanted.text}CONFIG_MORE=y\n") == []


def test_an_unknown_configuration_names_the_nearest() -> None:
    with pytest.raises(InputError, match="no configuration 'smal'") as caught:
        configuration("smal", "6.1", "gcc")
    assert caught.value.hint == "did you mean small?"


@pytest.mark.parametrize("name", profiles())
def test_each_profile_is_a_kernel_and_says_what_built_it(name: str) -> None:
    profile = find_profile(name)
    asked = parse_spec(profile.kernel)
    assert parse_spec(f"profile:{name}") == asked
    parse_toolchain(profile.toolchain)
    if isinstance(asked, BuiltSpec):
        assert asked.config in configuration_names()
        assert asked.toolchain == profile.toolchain


def test_the_command_lists_them() -> None:
    told = json.loads(CliRunner().invoke(app, ["profiles", "--json"]).stdout)
    assert list(told) == list(profiles())
    said = CliRunner().invoke(app, ["profiles"]).stdout
    assert all(f"profile:{name} " in said for name in told)


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no profile 'small-6\.1-gc'") as caught:
        parse_spec("profile:small-6.1-gc")
    assert caught.value.hint == "did you mean small-6.1-gcc?"
