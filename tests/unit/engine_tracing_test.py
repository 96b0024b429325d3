"""What the guest's tracefs says, parsed: real texts of 6.1 and 6.12."""

from lpharness.engine.observe import _parse_enabled, _parse_sysfs
from lpharness.engine.tracing import _calls, _missed, body_offset

HIST = """# event histogram
#
# trigger info: hist:keys=common_pid:vals=hitcount:at=common_timestamp,inv=... [active]
#

{ common_pid:         94 } hitcount:          1
\tmax: 1152921500112953176  comm: cat
{ common_pid:         95 } hitcount:         12
\tmax: 1152921500097679776  comm: a task } hitcount: 3

Totals:
    Hits: 13
    Entries: 2
    Dropped: 0
"""


def test_first_calls_are_turned_back_into_time_stamps():
    first, second = _calls(HIST, "first")
    assert (first.pid, first.comm, first.hits) == (94, "cat", 1)
    assert first.at == (1 << 60) - 1152921500112953176 == 4493893800
    assert second.hits == 12
    assert second.comm == "a task } hitcount: 3"


def test_last_calls_are_time_stamps_as_they_are():
    assert _calls(HIST, "last")[0].at == 1152921500112953176


def test_an_empty_histogram_has_no_calls():
    assert _calls(HIST.split("{")[0] + "Totals:\n    Hits: 0\n", "last") == []


def test_misses_are_read_from_the_profile():
    profile = "  old0                     2               0\n  new0        7      3\n@junk\n"
    assert _missed(profile) == {"old0": 0, "new0": 3}


def test_the_body_begins_after_the_ftrace_site():
    nop5 = bytes.fromhex("0f1f440000")
    assert body_offset(nop5 + b"\x53\x48") == 5
    assert body_offset(bytes.fromhex("e8123456ff") + b"\x53") == 5


def test_the_body_begins_after_endbr_sealed_or_not():
    nop5 = bytes.fromhex("0f1f440000")
    assert body_offset(bytes.fromhex("f30f1efa") + nop5) == 9
    assert body_offset(bytes.fromhex("660f1f00") + nop5) == 9


def test_enabled_functions_names_the_handler_and_the_flag():
    line = (
        "cmdline_proc_show (1)   I  \ttramp: 0xffffffffc0494000 "
        "(klp_ftrace_handler+0x0/0x110) ->klp_ftrace_handler+0x0/0x110"
    )
    found = _parse_enabled(line)
    assert found.name == "cmdline_proc_show"
    assert found.ip_modify
    assert found.handlers == ("klp_ftrace_handler",)


def test_enabled_functions_of_a_module_and_of_another_user():
    found = _parse_enabled("initstate_show [zram] (2) R   ->arch_ftrace_ops_list_func+0x0/0x90")
    assert found.name == "initstate_show"
    assert not found.ip_modify
    assert found.handlers == ("arch_ftrace_ops_list_func",)


def test_a_patch_in_sysfs():
    text = (
        "enabled=1\ntransition=0\nobject=vmlinux/=1\nfunction=vmlinux/cmdline_proc_show,1/\n"
        "object=zram/=\nfunction=zram/initstate_show,1/\nrefcnt=1\n"
    )
    state = _parse_sysfs("p", text, 7)
    assert (state.present, state.enabled, state.transition, state.refcount) == (
        True,
        True,
        False,
        1,
    )
    assert state.objects["vmlinux"].patched is True
    assert state.objects["vmlinux"].functions == ("cmdline_proc_show,1",)
    assert state.objects["zram"].patched is None


def test_a_patch_that_is_not_there():
    state = _parse_sysfs("p", "", 7)
    assert not state.present
    assert state.refcount is None
    assert state.objects == {}
