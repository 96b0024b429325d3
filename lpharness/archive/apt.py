"""apt with a state of its own: the host's configuration and sources, none of its locks or lists.

Everything lies in one folder of the user's cache, so no root is needed; and since it is the user's,
apt must not drop to ``_apt`` there when root runs it.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lpharness.archive.process import ToolFailed, run_tool
from lpharness.archive.sources import Source
from lpharness.base.architecture import NATIVE
from lpharness.base.process import find_tool

_HELPER = "/usr/lib/apt/apt-helper"
_UPDATE_SECONDS = 300.0
_FORMAT = (
    "$(CREATED_BY)|$(FILENAME)|$(REPO_URI)|$(BASE_URI)|$(ORIGIN)|$(SITE) $(RELEASE)/$(COMPONENT)"
)


@dataclass(frozen=True, slots=True)
class PackagesFile:
    """One verified ``Packages`` index on disk."""

    path: Path
    repository: str
    """URL that the packages' ``Filename`` is relative to."""
    origin: str
    """``URL SUITE/COMPONENT``, for people."""
    automatic: bool


class PrivateApt:
    """apt as seen through one private state folder; callers hold that folder's lock."""

    def __init__(self, folder: Path, arch: str = NATIVE) -> None:
        self.folder = folder
        self._arch = arch
        self.lists = folder / "lists"
        self._config = folder / "apt.conf"

    def prepare(self, sources: list[Source], host_lists: Path) -> bool:
        """Lay out the state; the first time, begin with what the host's own update verified.

        Returns:
            Whether the host's lists were taken over: they are of its own architecture.
        """
        first = not self.lists.is_dir()
        for name in ("lists/partial", "cache/archives/partial", "sources.list.d"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        _write_sources(self.folder / "sources.list.d", sources)
        self._config.write_text(self._configuration())
        return first and self._arch == NATIVE and self._take_over(host_lists)

    def update(self) -> None:
        """Fetch and verify the indices anew; what cannot be fetched stays as it was.

        Raises:
            ToolFailed: not every index could be fetched and verified; ``output`` says which.
        """
        run_tool(
            ["apt-get", "-q", "-c", str(self._config), "update"],
            seconds=_UPDATE_SECONDS,
            what="refresh the package index",
        )

    def packages_files(self) -> list[PackagesFile]:
        """Return Debian's indices that are on disk, in the order of the sources."""
        said = run_tool(
            ["apt-get", "-c", str(self._config), "indextargets", "--format", _FORMAT],
            seconds=60,
            what="list apt's indices",
        ).decode()
        found = []
        for line in said.splitlines():
            created_by, path, repository, base, origin, label = line.split("|", 5)
            if created_by == "Packages" and origin == "Debian" and Path(path).exists():
                found.append(PackagesFile(Path(path), repository, label, self._is_automatic(base)))
        return found

    def read(self, index: PackagesFile) -> bytes:
        """Return an index's text, whatever it is compressed with on disk."""
        return run_tool(
            [_HELPER, "cat-file", str(index.path)], seconds=120, what=f"read {index.path.name}"
        )

    def fetch(self, uri: str, target: Path, sha256: str) -> None:
        """Fetch a file by apt's own methods, with the host's proxies and credentials.

        Raises:
            ToolFailed: it could not be fetched, or is not the file asked for.
        """
        argv = [_HELPER, "-q", "-c", str(self._config), "download-file", uri, str(target),
                f"SHA256:{sha256}"]  # fmt: skip
        try:
            run_tool(argv, seconds=3600, what=f"download {uri}")
        except ToolFailed as error:
            target.with_name(target.name + ".FAILED").unlink(missing_ok=True)
            reason = re.search(r"^E: Failed to fetch \S+ +(.*)$", error.output, re.MULTILINE)
            if reason:
                raise ToolFailed(
                    f"cannot download {uri}: {reason[1]}", output=error.output
                ) from error
            raise

    def proxy(self, scheme: str, host: str) -> str | None:
        """Return the proxy the host's apt uses for ``host``; ``DIRECT`` for none at all."""
        said = run_tool(
            ["apt-config", "-c", str(self._config), "shell",
             "host", f"Acquire::{scheme}::Proxy::{host}", "all", f"Acquire::{scheme}::Proxy"],
            seconds=20, what="read apt's configuration",
        ).decode()  # fmt: skip
        found = dict(re.findall(r"^(\w+)='(.*)'$", said, re.MULTILINE))
        return found.get("host") or found.get("all")

    def _configuration(self) -> str:
        settings = {
            "Dir::State": f"{self.folder}/",
            "Dir::State::lists": f"{self.lists}/",
            "Dir::State::status": f"{self.folder}/status",
            "Dir::Cache": f"{self.folder}/cache/",
            "Dir::Cache::archives": f"{self.folder}/cache/archives/",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": f"{self.folder}/sources.list.d/",
            "APT::Sandbox::User": "root",  # that is: stay who you are
            "APT::Architecture": self._arch,
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Retries": "1",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
            **{f"Acquire::IndexTargets::{target}::DefaultEnabled": "false"
               for target in _other_targets()},
        }  # fmt: skip
        # The host's hooks are for the host's packages; its other architectures are of no use here.
        cleared = ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke",
                   "APT::Update::Post-Invoke-Success", "APT::Architectures",
                   "Acquire::Languages")  # fmt: skip
        return "".join(
            [f"#clear {name};\n" for name in cleared]
            + [f'{name} "{value}";\n' for name, value in settings.items()]
        )

    def _take_over(self, host_lists: Path) -> bool:
        """Copy the lists that the host's own apt fetched and verified."""
        taken = False
        for path in host_lists.glob("*_dists_*"):
            if re.search(r"_(In)?Release(\.gpg)?$|_Packages(\.\w+)?$", path.name):
                with contextlib.suppress(OSError):
                    shutil.copy2(path, self.lists / path.name)
                    taken = True
        return taken

    def _is_automatic(self, base_uri: str) -> bool:
        stem = re.sub(r"^[a-z0-9+.-]+:/+", "", base_uri).replace("/", "_")
        for name in ("InRelease", "Release"):
            path = self.lists / f"{stem}{name}"
            if path.exists():
                head = path.read_text(errors="replace")[:4000]
                return not re.search(r"^NotAutomatic: *yes", head, re.MULTILINE)
        return True


def _write_sources(folder: Path, sources: list[Source]) -> None:
    for old in folder.iterdir():
        old.unlink()
    for number, source in enumerate(sources):
        suffix = "sources" if source.deb822 else "list"
        (folder / f"{number:02}.{suffix}").write_text(source.text.rstrip("\n") + "\n")


def _other_targets() -> set[str]:
    """Return what else the host's apt would download: translations, contents, icons, sources."""
    said = run_tool(["apt-config", "dump"], seconds=20, what="read apt's configuration").decode()
    names = set(re.findall(r"^Acquire::IndexTargets::(deb(?:-src)?::[^: ]+)", said, re.MULTILINE))
    return (names | {"deb::Translations", "deb-src::Sources"}) - {"deb::Packages"}


def apt_is_here() -> bool:
    """Whether this host has apt."""
    return find_tool("apt-get") is not None and Path(_HELPER).exists()
