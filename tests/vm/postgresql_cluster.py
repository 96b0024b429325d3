"""A PostgreSQL cluster of the tests' own: in a temporary folder, on a Unix socket, for one session.

No cluster of the system is looked at or touched.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_UNPRIVILEGED = "nobody"


def _programs() -> Path | None:
    """Return the newest version's folder of programs; Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def _version(initdb: Path) -> int:
    name = initdb.parent.parent.name
    return int(name) if name.isdigit() else 0


@contextmanager
def cluster() -> Iterator[str]:
    """Yield the folder of the socket that the cluster answers on."""
    programs = _programs()
    if programs is None:
        pytest.skip("NO POSTGRESQL TESTS: Debian's package postgresql is not installed")
    pytest.importorskip("psycopg", reason="NO POSTGRESQL TESTS: psycopg is not installed")
    with tempfile.TemporaryDirectory(prefix="lph-pg-") as name:
        folder = Path(name)
        user = _leave_to_somebody(folder)
        data = folder / "data"
        _run(
            programs / "initdb",
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "lph",
            "-N",
            "-E",
            "UTF8",
            user=user,
        )
        # Durability is the database's own affair; the tests kill clients, not the machine.
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w", "-t", "120"]
        _run(*control, "-l", folder / "log", "-o", options, "start", user=user)
        try:
            yield str(folder)
        finally:
            _run(*control, "-m", "immediate", "stop", user=user)


def _leave_to_somebody(folder: Path) -> str | None:
    """Give the folder to an unprivileged user where we are root: PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return _UNPRIVILEGED


def _run(*command: object, user: str | None) -> None:
    group = pwd.getpwnam(user).pw_gid if user else None
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        user=user,
        group=group,
        extra_groups=[] if user else None,
        cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
