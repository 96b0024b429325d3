"""The wheel in an environment of its own, used from an empty folder with an empty HOME."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from cli_support import KERNEL
from guest_support import spec

from lpharness.base.cache import cache_root

CHECKOUT = Path(__file__).parent.parent.parent
TEST = """
import pytest

def test_mine(guest, livepatch):
    with livepatch("my-fix"):
        assert guest.run("cat /proc/cmdline").text == "patched by lph_my_fix\\n"
"""


class Installed:
    """An environment with nothing but the wheel in it, and a user who has nothing."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "venv" / "bin"
        self.work = folder / "work"
        self.home = folder / "home"
        self.work.mkdir()
        self.home.mkdir()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = ("PATH", "LANG", "TERM")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"HOME": str(self.home), "LPHARNESS_CACHE": str(cache_root())}
        return subprocess.run(
            [str(self.bin / words[0]), *words[1:]],
            cwd=self.work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel by way of the sdist, so that both are whole."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(CHECKOUT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("*.whl")
    assert len(list(folder.glob("*.tar.gz"))) == 1
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    pip = [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", str(wheel)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Installed(folder)


def test_the_wheel_carries_all_data_and_nothing_else(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "images", "patches", "lpharness"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if not name.startswith(("lpharness/", "lpharness-"))]
    assert not [name for name in names if "__pycache__" in name or name.endswith(".ko")]
    if tracked.returncode:
        pytest.skip("no git checkout to hold it against")
    wanted = {
        path if path.startswith("lpharness/") else f"lpharness/_data/{path}"
        for path in tracked.stdout.splitlines()
        if (CHECKOUT / path).exists()  # renamed or removed, and not committed yet
    }
    assert wanted - set(names) == set()


def test_commands_that_need_no_guest(installed: Installed) -> None:
    assert "Usage: lpharness" in installed.run("lpharness", "--help").stdout
    listed = installed.run("lpharness", "case", "list")
    assert listed.returncode == 0, listed.stderr
    assert "hot-syscall" in listed.stdout
    missing = installed.run("python", "-c", "import libvirt")
    assert missing.returncode != 0, "the environment is not as empty as it should be"
    refused = installed.run("lpharness", "run", "cmdline", "-k", KERNEL, "--backend", "libvirt")
    assert refused.returncode == 3
    assert "hint: pip install 'lpharness[libvirt]'" in refused.stderr
    assert list(installed.work.iterdir()) == []
    assert list(installed.home.iterdir()) == []


def test_a_bundled_case_a_new_one_and_a_suite(installed: Installed) -> None:
    spec()  # skips where no guest can be had
    done = installed.run("lpharness", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    done = installed.run("lpharness", "case", "new", "my-fix")
    assert done.returncode == 0, done.stderr
    (installed.work / "test_mine.py").write_text(TEST)
    done = installed.run("lpharness", "run", "cmdline", "./my-fix", "-k", KERNEL, "-o", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    done = installed.run("lpharness", "judge", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("pass ") == 2
    done = installed.run("pytest", "-q", "test_mine.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert list(installed.home.iterdir()) == []
