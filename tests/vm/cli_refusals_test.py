"""Bad input, as a user would type it: one clear line, the right exit status, nothing left behind.

Nothing boots here, but the kernels' packages are needed.
"""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_support import KERNEL, LPHARNESS, complaint, lpharness, without_qemu

from lpharness.kernels import Kernel, resolve, with_headers


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return with_headers(resolve(KERNEL))


@pytest.fixture(scope="module")
def other() -> Kernel:
    return with_headers(resolve("debian:6.12-cloud"))


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def edited(folder: Path, name: str, *changes: tuple[str, str], file: str = "case.toml") -> Path:
    """Write a new case and edit one of its files."""
    case = folder / name
    assert lpharness("case", "new", name, cwd=folder).returncode == 0
    text = (case / file).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (case / file).write_text(text)
    return case


def prebuilt(folder: Path, module: Path) -> Path:
    """Write a case whose module is prebuilt; its functions are not said."""
    case = edited(folder, "mine", ('source = "lph_mine.c"', 'prebuilt = "lph_mine.ko"'))
    text = (case / "case.toml").read_text()
    at, end = text.index("[[module.function]]"), text.index("# A command that makes")
    (case / "case.toml").write_text(text[:at] + text[end:])
    shutil.copy(module, case / "lph_mine.ko")
    return case


def built(folder: Path, kernel: str = KERNEL) -> Path:
    case = edited(folder, "mine")
    assert lpharness("build", case, "-k", kernel, "-o", "built", cwd=folder).returncode == 0
    shutil.rmtree(case)
    return folder / "built" / "lph_mine.ko"


WORDS = [
    (("run", "cmdline", "-k", "debian:6.1.0-99-cloud-amd64"), "no kernel 6.1.0-99-cloud-amd64"),
    (("run", "cmdline", "-k", "debian:9.9-cloud"), "no cloud-amd64 kernel of 9.9"),
    (("run", "cmdline", "-k", "nonsense"), "not a kernel: 'nonsense'"),
    (("run", "cmdline", "-k", "tree:/nowhere"), "/nowhere is not a kernel tree"),
    (("run", "cmdlin", "-k", KERNEL), "did you mean cmdline?"),
    (("run", "cmdline", "cmdline", "-k", KERNEL), "would be tried twice"),
    (("run", "cmdline", "-k", KERNEL, "-w", "nosuch"), "no workload 'nosuch'"),
    (("run", "cmdline", "-k", KERNEL, "-w", "sleepers"), "needs `park`"),
    (("run", "cmdline", "-k", KERNEL, "--variant", "x"), "no variant 'x'"),
    (("run", "cmdline", "-k", KERNEL, "--backend", "x"), "no backend named 'x'"),
    (("run", "cmdline", "-k", KERNEL, "-o", "/dev/null"), "/dev/null is not a folder"),
    (("run", "cmdline", "-k", KERNEL, "-o", "/dev/null/x"), "/dev/null is not a folder"),
    (("run", "cmdline", "-k", KERNEL, "-o", "/proc"), "/proc is not empty and no run's folder"),
    (("build", "nosuch", "-k", KERNEL), "no case 'nosuch'"),
    (("case", "show", "nosuch"), "no case 'nosuch'"),
    (("case", "new", "../Not/a name"), "cannot name a case"),
    (("inspect", "nosuch.ko"), "nosuch.ko: no such file"),
    (("inspect", "/dev/zero"), "/dev/zero: not a plain file"),
    (("inspect", "/etc/passwd"), "/etc/passwd: not an ELF file"),
    (("inspect", "/bin/true"), "/bin/true: "),
    (("judge", "nowhere"), "nowhere is not a run's folder"),
    (("report", "nowhere"), "nowhere is not a run's folder"),
    (("shell", "-k", "nonsense"), "not a kernel"),
    (("shell", "-k", KERNEL, "--image", "nosuch"), "nosuch"),
    (("kernels", "fetch", "nonsense"), "not a kernel"),
    (("kernels", "list", "--debs", "/nowhere"), "no such folder: /nowhere"),
    (("kernels", "prune", "--kind", "nosuch"), "nosuch"),
    (("kernels", "prune", "--all", "--keep", "1"), "--all keeps nothing"),
    (("diff", "/etc/passwd", "/etc/passwd"), "/etc/passwd"),
    (("bench", "guest", "-k", "nonsense"), "not a kernel"),
]


@pytest.mark.parametrize(("words", "says"), WORDS, ids=[" ".join(words) for words, _ in WORDS])
def test_words_that_cannot_be(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    assert says in complaint(lpharness(*words, cwd=tmp_path), 2)
    assert contents(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("frobnicate",),
        ("run",),
        ("run", "cmdline"),
        ("run", "cmdline", "-k", KERNEL, "--cpus", "0"),
        ("run", "cmdline", "-k", KERNEL, "--accelerator", "magic"),
        ("run", "cmdline", "-k", KERNEL, "--frobnicate"),
        ("case", "show"),
        ("kernels", "prune", "--keep", "few"),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: tuple[str, ...], tmp_path: Path) -> None:
    done = lpharness(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Usage: " in (done.stderr or done.stdout)
    assert "Traceback" not in done.stderr
    assert contents(tmp_path) == []


@pytest.mark.parametrize("words", [("run", "nosuch", "-k", KERNEL), ("inspect", "/etc/passwd")])
def test_json_prints_nothing_but_documents(words: tuple[str, ...], tmp_path: Path) -> None:
    complaint(lpharness(*words, "--json", cwd=tmp_path), 2)


# --- cases ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("workloads =", "wrkloads ="), "unknown key `wrkloads`\n  hint: did you mean `workloads`"),
        (('name = "command-line"\nrun', 'name = "command-line"\nrum'), "did you mean `run`?"),
        (('source = "lph_mine.c"', 'source = "../other.c"'), "climbs out of the case's folder"),
        (('source = "lph_mine.c"', 'source = "/etc/passwd"'), "climbs out of the case's folder"),
        (('source = "lph_mine.c"', 'source = "gone.c"'), "there is no file 'gone.c'"),
        (('old = "cmdline', 'old = "version'), "says it replaces version_proc_show"),
        (("title =", "title"), "not TOML"),
    ],
)
def test_a_case_that_cannot_be_tried(change: tuple[str, str], says: str, tmp_path: Path) -> None:
    (tmp_path / "other.c").touch()
    edited(tmp_path, "mine", change)
    before = contents(tmp_path)
    assert says in complaint(lpharness("run", "./mine", "-k", KERNEL, cwd=tmp_path), 2)
    assert contents(tmp_path) == before


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    case = edited(tmp_path, "mine")
    shutil.move(case / "lph_mine.c", tmp_path)
    (case / "lph_mine.c").symlink_to("../lph_mine.c")
    said = complaint(lpharness("run", "./mine", "-k", KERNEL, cwd=tmp_path), 2)
    assert "climbs out of the case's folder" in said


def test_source_that_does_not_compile_is_shown_with_the_compilers_words(tmp_path: Path) -> None:
    edited(tmp_path, "mine", ("seq_puts(m", "seq_puts(nowhere"), file="lph_mine.c")
    before = contents(tmp_path)
    done = lpharness("run", "./mine", "-k", KERNEL, cwd=tmp_path)
    assert done.returncode == 2
    assert f"lpharness: {tmp_path}/mine/lph_mine.c:13: 'nowhere' undeclared" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(tmp_path) == before


# --- modules and kernels -------------------------------------------------------------------


def refused_trial(done: subprocess.CompletedProcess[str]) -> str:
    """Return why a trial failed without a guest."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (trial,) = json.loads(done.stdout)["trials"]
    assert (trial["verdict"], trial["seconds"]) == ("fail", 0.0)
    return str(trial["reason"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cmdline_proc_shaw", "does not exist in 6.1"),
        ("state_show", "ambiguous"),
    ],
)
def test_a_symbol_that_is_missing_or_ambiguous(name: str, says: str, tmp_path: Path) -> None:
    change = ('"cmdline_proc_show"', f'"{name}"')
    edited(tmp_path, "mine", change, file="lph_mine.c")
    text = (tmp_path / "mine" / "case.toml").read_text()
    (tmp_path / "mine" / "case.toml").write_text(text.replace(*change))
    done = lpharness("run", "./mine", "-k", KERNEL, "--json", "-o", "out", cwd=tmp_path)
    reason = refused_trial(done)
    assert name in reason
    assert says in reason
    again = lpharness("judge", "out", "--json", cwd=tmp_path)
    assert refused_trial(again) == reason
    assert lpharness("report", "out", cwd=tmp_path).returncode == 0


def test_a_module_for_another_kernel(kernel: Kernel, other: Kernel, tmp_path: Path) -> None:
    module = built(tmp_path, f"debian:{other.release}")
    done = lpharness("inspect", module, "-k", KERNEL, cwd=tmp_path)
    assert done.returncode == 1
    assert f"built for {other.release}" in done.stdout
    prebuilt(tmp_path, module)
    reason = refused_trial(lpharness("run", "./mine", "-k", KERNEL, "--json", cwd=tmp_path))
    assert f"built for {other.release}, the kernel is {kernel.release}" in reason


@pytest.mark.parametrize("kind", ["no livepatch", "cut short", "no ELF", "hostile"])
def test_modules_that_are_none(kind: str, kernel: Kernel, tmp_path: Path) -> None:
    good = built(tmp_path).read_bytes()
    hostile = bytearray(good)
    hostile[40:48] = b"\xff" * 8  # e_shoff: the section table lies beyond all memory
    zram = next(kernel.modules.rglob("zram.ko*"))
    packed = zram.read_bytes()
    content, says = {
        "no livepatch": (lzma.decompress(packed) if zram.suffix == ".xz" else packed, "not a live"),
        "cut short": (good[:3000], "cut short or damaged"),
        "no ELF": (b"hello\n", "not an ELF file"),
        "hostile": (bytes(hostile), "cut short or damaged"),
    }[kind]
    module = tmp_path / "bad.ko"
    module.write_bytes(content)
    assert says in complaint(lpharness("inspect", module, "-k", KERNEL, cwd=tmp_path), 2)
    prebuilt(tmp_path, module)
    before = contents(tmp_path)
    assert says in complaint(lpharness("run", "./mine", "-k", KERNEL, cwd=tmp_path), 2)
    assert contents(tmp_path) == before


def test_headers_of_another_kernel(kernel: Kernel, other: Kernel, tmp_path: Path) -> None:
    spec = f"files:image={kernel.image},modules={kernel.modules},headers={other.headers}"
    said = complaint(lpharness("run", "cmdline", "-k", spec, cwd=tmp_path), 2)
    assert f"are those of {other.release}, the image is {kernel.release}" in said


# --- the host ------------------------------------------------------------------------------


def test_no_qemu(kernel: Kernel, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    env = without_qemu(tmp_path)
    for words in (("run", "cmdline"), ("shell", "-c", "true")):
        done = lpharness(*words, "-k", KERNEL, cwd=bare, env=env)
        assert "qemu-system-x86_64 is not installed\n  hint: apt" in complaint(done, 3)
    assert contents(bare) == []


def mounted(size: str, folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command where ``full`` is a file system of that size, in a namespace of its own.

    Skips where users may make none.
    """
    (folder / "full").mkdir()
    inside = f"mount -t tmpfs -o size={size} none full && {{ {command}; }}"
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    probe = subprocess.run(
        [*words, "mount -t tmpfs none full"], cwd=folder, capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip(f"no small file system can be mounted here: {probe.stderr.decode().strip()}")
    return subprocess.run([*words, inside], cwd=folder, capture_output=True, text=True, check=False)


def test_no_space_left_for_the_cache(tmp_path: Path) -> None:
    command = " ".join(LPHARNESS) + f" run cmdline -k {KERNEL}"
    done = mounted("1m", tmp_path, f"LPHARNESS_CACHE=full {command}")
    assert "hint: free some space" in complaint(done, 3)
    assert contents(tmp_path) == ["full"]


def test_no_space_left_for_results(tmp_path: Path) -> None:
    """A run's folder with room for its mark alone: told when the first document is written."""
    command = " ".join(LPHARNESS) + f" run cmdline -k {KERNEL} -o full/run"
    done = mounted("24k", tmp_path, command)
    assert "No space left on device" in complaint(done, 3)


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    from lpharness.results.folder import RunFolder

    with RunFolder.create(tmp_path / "out"):
        before = contents(tmp_path)
        done = lpharness("run", "cmdline", "-k", KERNEL, "-o", "out", cwd=tmp_path)
        assert "another run writes to out now (pid " in complaint(done, 2)
        assert contents(tmp_path) == before


def test_a_folder_with_other_things(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").touch()
    done = lpharness("run", "cmdline", "-k", KERNEL, "-o", "out", cwd=tmp_path)
    assert "it holds 'letter.txt'" in complaint(done, 2)
    assert contents(tmp_path) == ["out", "out/letter.txt"]
