"""A small real archive for tests: dpkg-deb makes its packages, apt reads it over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "archive_data"
needs_apt = shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


def make_deb(
    folder: Path,
    name: str,
    version: str = "1.0-1",
    *,
    arch: str = "amd64",
    files: dict[str, bytes] | None = None,
    modes: dict[str, int] | None = None,
    **control: str,
) -> Path:
    """Build a package; ``control`` gives further fields (``pre_depends`` for Pre-Depends)."""
    tree = folder / f".build-{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    for path, content in (files or {"usr/share/doc/" + name: b"x"}).items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod((modes or {}).get(path, 0o644))
    stated = {"Package": name, "Version": version, "Architecture": arch, "Maintainer": "a test"}
    stated |= {key.replace("_", "-").title(): value for key, value in control.items()}
    stated["Description"] = "a test"
    (tree / "DEBIAN/control").write_text("".join(f"{k}: {v}\n" for k, v in stated.items()))
    deb = folder / f"{name}_{version}_{arch}.deb"
    subprocess.run(
        ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(tree), str(deb)],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(tree)
    return deb


@dataclass
class Served:
    """The archive's folder, its server, and what was asked of it."""

    root: Path
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """(path, Range header) of each request."""
    down: bool = False

    @property
    def pool(self) -> Path:
        return self.root / "pool"

    def publish(
        self, *, origin: str = "Debian", extra: str = "", suite: str = "bookworm",
        archs: tuple[str, ...] = ("amd64",),
    ) -> None:  # fmt: skip
        """Write indices of what is in the pool now, for each architecture the same."""
        stanzas = []
        for deb in sorted(self.pool.glob("*.deb")):
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()
            stanzas.append(
                f"{_control_of(deb, digest)}Filename: pool/{deb.name}\nSize: {deb.stat().st_size}\n"
                f"SHA256: {digest}\n"
            )
        text = "\n".join(stanzas).encode()
        names = [f"main/binary-{arch}/Packages" for arch in archs]
        for index in (self.root / "dists" / suite / name for name in names):
            index.parent.mkdir(parents=True, exist_ok=True)
            index.write_bytes(text)
        digest = hashlib.sha256(text).hexdigest()
        (self.root / f"dists/{suite}/Release").write_text(
            f"Origin: {origin}\nSuite: {suite}\nCodename: {suite}\n{extra}"
            f"Date: Wed, 03 Jan 2024 00:00:00 UTC\nArchitectures: {' '.join(archs)}\n"
            "Components: main\nSHA256:\n"
            + "".join(f" {digest} {len(text)} {name}\n" for name in names)
        )

    def asked_for(self, part: str) -> list[tuple[str, str]]:
        return [request for request in self.requests if part in request[0]]


_controls: dict[str, str] = {}


def _control_of(deb: Path, digest: str) -> str:
    """Return a package's control stanza, asking dpkg-deb once for each content."""
    if digest not in _controls:
        _controls[digest] = subprocess.run(
            ["dpkg-deb", "-f", str(deb)], check=True, capture_output=True, text=True
        ).stdout
    return _controls[digest]


@contextlib.contextmanager
def serve(root: Path) -> Iterator[Served]:
    """Serve an archive on a free port of this host."""
    served = Served(root)
    served.pool.mkdir(parents=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(root))

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            served.requests.append((self.path, wanted))
            path = root / self.path.lstrip("/")
            if served.down:
                self.send_error(503)
            elif path.is_file():
                self._send(path.read_bytes(), wanted)
            else:
                self.send_error(404)

        def _send(self, data: bytes, wanted: str) -> None:
            found = re.fullmatch(r"bytes=(\d+)-", wanted)
            start = int(found[1]) if found else 0
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:])

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def redirect_apt(folder: Path, sources: str, monkeypatch: Any) -> Path:
    """Make a host's apt configuration in ``folder`` with these one-line sources; return its etc."""
    etc = folder / "etc/apt"
    (etc / "sources.list.d").mkdir(parents=True)
    (folder / "hostlists").mkdir()
    (etc / "sources.list").write_text(sources)
    config = folder / "host-apt.conf"
    config.write_text(
        f'Dir::Etc "{etc}";\nDir::State::lists "{folder}/hostlists";\n'
        'Acquire::http::Proxy "DIRECT";\nAcquire::Retries "0";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    return etc
