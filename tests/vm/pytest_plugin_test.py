"""The plugin in a user's own suite: real guests, and what a person sees when a test fails."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from cli_support import lpharness, without_qemu
from guest_support import spec

pytest_plugins = ["pytester"]

README = Path(__file__).parent.parent.parent / "README.md"
FAULTS = Path(__file__).parent.parent / "faults"


@pytest.fixture(autouse=True)
def real_home(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo pytester's own HOME: the kernels and the snapshots are in the user's cache."""
    spec()
    from lpharness.base.cache import cache_root

    monkeypatch.setenv("LPHARNESS_CACHE", str(cache_root()))


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-ra", *words, timeout=300)


def no_traceback_of_ours(result: pytest.RunResult) -> None:
    result.stdout.no_fnmatch_line("*/lpharness/*.py:*: in *")
    result.stdout.no_fnmatch_line("*contextlib.py*")
    result.stdout.no_fnmatch_line("*site-packages*")
    result.stdout.no_fnmatch_line("INTERNALERROR*")


def test_the_five_lines_of_the_readme(pytester: pytest.Pytester) -> None:
    """As they stand there, with the skeleton that ``lpharness case new`` writes."""
    assert lpharness("case", "new", "my-fix", cwd=pytester.path).returncode == 0
    (lines,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    pytester.makepyfile(lines)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*::test_my_fix?debian:6.1-cloud? PASSED*", "*::test_my_fix?debian:6.12-cloud? PASSED*"]
    )


def test_what_the_fixtures_give(pytester: pytest.Pytester) -> None:
    """One file, several tests, on two workers at once: a fresh guest for each."""
    pytester.makepyfile(
        """
        import pytest

        def test_a_case_under_load(guest, livepatch, workload):
            with workload("proc-reader", file="/proc/cmdline") as load:
                with livepatch("cmdline") as patch:
                    assert "live patched" in guest.run("cat /proc/cmdline").text
                    assert 0 < patch.transition_seconds < 60
                    assert patch.module.name == "lph_cmdline"
                before = load.operations
                while load.operations == before:
                    guest.run("sleep 0.1")
            assert load.errors == 0
            assert "console=" in guest.run("cat /proc/cmdline").text
            assert "lph_cmdline" not in guest.run("cat /proc/modules").text
            guest.put(b"here", "/tmp/file")
            assert guest.get("/tmp/file") == b"here"

        def test_a_guest_of_its_own(guest):
            assert guest.run("ls /tmp/file").exit_status != 0
            assert "unpatched" in guest.run("echo unpatched; exit 3").text

        @pytest.mark.machine(cpus=1)
        @pytest.mark.image(modules=["zram"])
        def test_its_machine(guest, kernel):
            assert guest.run("nproc").text == "1\\n"
            assert guest.run("uname -r").text.strip() == kernel.release
            assert guest.run("modprobe zram").exit_status == 0
        """
    )
    run(pytester, "-n", "2").assert_outcomes(passed=3)


def test_what_fails_is_shown(pytester: pytest.Pytester) -> None:
    """An oops fails the test though its own assertions hold; so do loads that cannot be."""
    pytester.makepyfile(
        f"""
        import pytest

        def test_oops(guest, livepatch):
            with livepatch("{FAULTS}/crash/oops"):
                guest.run("dd if=/proc/cmdline")

        def test_oops_that_is_wanted(guest, livepatch):
            guest.expected.add("page-fault")
            with livepatch("{FAULTS}/crash/oops"):
                guest.run("dd if=/proc/cmdline")

        def test_own_assertion(guest):
            assert guest.run("cat /proc/cmdline").text == "something else"

        def test_stuck(guest, livepatch, workload):
            with workload("sleepers", park="pause"):
                with livepatch("{FAULTS}/transition/sleeper-for-ever", transition_s=2):
                    pass

        def test_no_such_file(guest, livepatch):
            with livepatch("nosuch.c"):
                pass

        def test_no_such_workload(guest, workload):
            with workload("nosuch"):
                pass

        def test_no_such_key(guest, workload):
            with workload("idle", fiel="/proc/cmdline"):
                pass

        @pytest.mark.kernel("nonsense")
        def test_no_such_kernel(guest):
            pass

        @pytest.mark.image("nosuch")
        def test_no_such_image(guest):
            pass

        @pytest.mark.machine(backend="nosuch")
        def test_no_such_backend(guest):
            pass

        @pytest.mark.machine(cpu=1)
        def test_no_such_machine_key(guest):
            pass
        """
    )
    result = run(pytester, "-n", "2", "--tb=short")
    result.assert_outcomes(passed=1, failed=6, errors=4)
    no_traceback_of_ours(result)
    result.stdout.fnmatch_lines_random(
        [
            "the guest's console told of:",
            "  page-fault: BUG: kernel NULL pointer dereference, address: 0000000000000000",
            "*guest console*",
            "*RIP: 0010:lph_oops_proc_show+*",
            "*guest timeline*",
            '{"kind":"module-load-tried",*"module":"lph_oops","errno":0*',
            "E*AssertionError: assert 'console=*",
            "E*: patching of lph_stuck did not complete in 2 s; blocked by lph-sleeper*_pause+*",
            "test_what_fails_is_shown.py:*: in test_no_such_file",
            "E*InputError: nosuch.c: no such file",
            "E*InputError: no workload 'nosuch'*",
            "E*InputError: *unknown field `fiel`*its keys are run, file, *",
            "not a kernel: 'nonsense'",
            "*no backend named 'nosuch'",
            "the machine marker knows no 'cpu'",
            "  hint: did you mean cpus[?]",
        ]
    )


def test_kernels_are_named_on_the_command_line(pytester: pytest.Pytester) -> None:
    """Collected only: the marker wins, then the option, then the ini key, then the default."""
    pytester.makepyfile(
        """
        import pytest

        def test_any(kernel): ...

        @pytest.mark.kernel("debian:6.1-rt")
        def test_marked(kernel): ...

        @pytest.mark.parametrize("kernel", ["mine"], indirect=True)
        def test_own(kernel): ...

        def test_none(): ...
        """
    )

    def collected(*words: str) -> list[str]:
        result = run(pytester, "--collect-only", "-q", *words)
        return [line.split("::")[1] for line in result.outlines if "::" in line]

    rest = ["test_marked[debian:6.1-rt]", "test_own[mine]", "test_none"]
    assert collected() == ["test_any[debian:6.1-cloud]", *rest]
    two = ["test_any[debian:6.12-cloud]", "test_any[tree:x]"]
    assert collected("--lp-kernel=debian:6.12-cloud", "--lp-kernel=tree:x") == [*two, *rest]
    pytester.makeini("[pytest]\nlp_kernels =\n    debian:6.12-cloud\n    tree:x\n")
    assert collected() == [*two, *rest]
    assert collected("--lp-kernel=tree:y") == ["test_any[tree:y]", *rest]


def test_a_host_without_qemu_skips(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is fetched, which such a host may not be able to."""
    monkeypatch.setenv("PATH", without_qemu(pytester.path)["PATH"])
    monkeypatch.setenv("LPHARNESS_CACHE", "/nowhere")
    pytester.makepyfile("def test_it(guest): raise AssertionError")
    result = run(pytester)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*QEMU is not installed: apt install qemu-system-x86"])


def test_without_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): ...", test_other="def test_it(guest): ...")
    result = run(pytester, "-p", "no:lpharness", "--strict-markers")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'guest' not found"])


def test_what_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    """Every pytest run of the environment loads the plugin; only pytest may come with it."""
    pytester.makepyfile("def test_it(): ...")
    code = (
        "import sys, pytest; before = set(sys.modules); import lpharness.pytest_plugin;"
        "status = pytest.main(['-q', '-p', 'no:cacheprovider']);"
        "assert status == 0; mine = [m for m in sys.modules if m.startswith('lpharness')];"
        "heavy = {'msgspec', 'paramiko', 'elftools', 'jinja2', 'rich', 'typer', 'qemu'};"
        "assert not heavy & (set(sys.modules) - before), heavy & set(sys.modules); print(mine)"
    )
    result = pytester.run(sys.executable, "-c", code)
    assert result.ret == 0, result.stderr.str()
