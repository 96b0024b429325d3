"""A guest's process: what it says, and how it ends."""

from pathlib import Path

from lpharness.guests.process import Child


def test_what_qemu_says_at_length_is_told_in_one_line(tmp_path: Path) -> None:
    """As of a KVM that breaks in QEMU: an error, then an assertion."""
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text(
        "#!/bin/sh\necho 'qemu: error: no MSR' >&2\necho 'it ends' >&2\nkill -ABRT $$\n"
    )
    qemu.chmod(0o755)
    child = Child([str(qemu)])
    assert child.exit_status(30.0) == -6
    assert (child.stderr(), child.complaint()) == ("qemu: error: no MSR\nit ends", "error: no MSR")
    child.end()
    assert child.complaint() == "error: no MSR"


def test_a_process_that_says_nothing() -> None:
    child = Child(["true"])
    assert child.exit_status(30.0) == 0
    assert child.complaint() == ""
    child.end()
