from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.kernels.debian import nearest_release
from lpharness.kernels.spec import ExactSpec, FilesSpec, NewestSpec, Release, TreeSpec, parse_spec


@pytest.mark.parametrize(
    ("text", "series", "flavour"),
    [
        ("debian:6.1-cloud", "6.1", "cloud-amd64"),
        ("debian:6.12-amd64", "6.12", "amd64"),
        ("debian:6.1-rt", "6.1", "rt-amd64"),
        ("debian:6.1-rt-amd64", "6.1", "rt-amd64"),
    ],
)
def test_newest(text: str, series: str, flavour: str) -> None:
    assert parse_spec(text) == NewestSpec(text, series, flavour)


@pytest.mark.parametrize(
    ("name", "base", "series", "flavour"),
    [
        ("6.1.0-55-cloud-amd64", "6.1.0-55", "6.1", "cloud-amd64"),
        ("6.1.0-55-amd64", "6.1.0-55", "6.1", "amd64"),
        ("6.12.117+deb12-cloud-amd64", "6.12.117+deb12", "6.12", "cloud-amd64"),
        ("6.12.117+deb12-rt-amd64", "6.12.117+deb12", "6.12", "rt-amd64"),
        ("6.1.0-0.deb11.13-amd64", "6.1.0-0.deb11.13", "6.1", "amd64"),
    ],
)
def test_exact(name: str, base: str, series: str, flavour: str) -> None:
    asked = parse_spec(f"debian:{name}")
    assert asked == ExactSpec(f"debian:{name}", Release(name, base, flavour))
    assert asked.release.series == series


def test_tree_and_files() -> None:
    assert parse_spec("tree:/a,b") == TreeSpec("tree:/a,b", Path("/a,b"))
    text = "files:image=/i,modules=/m,headers=/h,config=/c"
    assert parse_spec(text) == FilesSpec(text, Path("/i"), Path("/m"), Path("/h"), Path("/c"))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("6.1-cloud", "not a kernel", "debian:6.1-cloud"),
        ("", "not a kernel", "tree:PATH"),
        ("debian:", "not a kernel", "tree:PATH"),
        ("debain:6.1-cloud", "not a kernel", "did you mean debian:6.1-cloud?"),
        ("debian:6.1", "which flavour", "debian:6.1-cloud"),
        ("debian:6.1.0-55", "which flavour", "debian:6.1.0-55-cloud-amd64"),
        ("debian:6.1-clud", "no flavour 'clud'", "did you mean debian:6.1-cloud?"),
        ("debian:6.1-arm64", "no flavour 'arm64'", "debian:6.1-amd64"),
        ("debian:6.1.0-55-cloud", "no flavour 'cloud'", "debian:6.1.0-55-cloud-amd64"),
        ("debian:six", "not a kernel", "debian:6.1-cloud"),
        ("files:image=/i", "lacks modules=", "files:image=PATH"),
        ("files:imag=/i,modules=/m", "no key 'imag'", "did you mean image=?"),
        ("files:image=/i,modules", "not KEY=PATH", "keys:"),
        ("files:image=/i,image=/j,modules=/m", "given twice", ""),
    ],
)
def test_refusals(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        parse_spec(text)
    assert hint in (refused.value.hint or "")


@given(st.text() | st.text("debian:6.1-0cloudfilestree=,/").map(lambda t: f"debian:{t}"))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        parse_spec(text)
    except InputError as error:
        assert "\n" not in error.message or "\n" in text  # noqa: PT017


def releases(*names: str) -> list[Release]:
    found = [Release.parse(name) for name in names]
    return [release for release in found if release]


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ("6.1.0-52-cloud-amd64", "6.1.0-53-cloud-amd64"),
        ("6.1.0-99-cloud-amd64", "6.1.0-100-cloud-amd64"),
        ("6.1.0-101-cloud-amd64", "6.1.0-100-cloud-amd64"),
        ("6.1.0-1-amd64", "6.1.0-53-amd64"),
        ("6.12.9+deb12-cloud-amd64", "6.12.107+deb12-cloud-amd64"),
        ("6.13.1+deb12-cloud-amd64", "6.12.107+deb12-cloud-amd64"),
    ],
)
def test_the_nearest_release(wanted: str, nearest: str) -> None:
    there = releases(
        "6.1.0-47-cloud-amd64", "6.1.0-53-cloud-amd64", "6.1.0-100-cloud-amd64", "6.1.0-53-amd64",
        "6.12.107+deb12-cloud-amd64",
    )  # fmt: skip
    found = nearest_release(releases(wanted)[0], there)
    assert found is not None
    assert found.name == nearest
    assert nearest_release(releases(wanted)[0], []) is None
