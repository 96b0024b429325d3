"""A case is loaded as it is written, or refused by file and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.cases import bundled, load, tagged, write_skeleton
from lpharness.cases.model import Outcome

GOOD = """
title = "A title"
[[module]]
name = "lph_x"
source = "x.c"
[[module.function]]
old = "f"
[[probe]]
name = "p"
run = "cat /proc/x"
[probe.state.original]
stdout.equals = "a"
[probe.state.patched]
stdout.equals = "b"
"""


def case_in(folder: Path, text: str) -> Path:
    case = folder / "case-x"
    case.mkdir(exist_ok=True)
    (case / "case.toml").write_text(text)
    (case / "x.c").write_text("")
    return case


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        load(case_in(folder, text))
    assert caught.value.message.startswith(f"{folder}/case-x/case.toml: ")
    assert "\n" not in caught.value.message
    return str(caught.value).removeprefix(f"{folder}/case-x/case.toml: ")


def test_loads_folder_and_file(tmp_path: Path) -> None:
    folder = case_in(tmp_path, GOOD)
    case = load(folder)
    assert case == load(folder / "case.toml")
    assert (case.name, case.folder, case.title) == ("case-x", folder, "A title")
    assert case.modules[0].functions[0].object == "vmlinux"
    assert case.probes[0].outcome("patched").stdout.equals == "b"


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_case_loads(name: str) -> None:
    case = load(name)
    assert case.name == name
    assert case.summary
    assert all(module.functions for module in case.modules)


def test_the_bundled_cases_are_those_that_were_promised() -> None:
    assert {
        "atomic-replace",
        "callbacks-shadow",
        "cmdline",
        "hot-syscall",
        "module-function",
        "stall",
    } <= set(bundled())


def test_a_skeleton_is_a_case(tmp_path: Path) -> None:
    case = load(write_skeleton(tmp_path / "fix-it"))
    assert case.name == "fix-it"
    assert case.modules[0].name == "lph_fix_it"
    assert "@" not in (tmp_path / "fix-it/lph_fix_it.c").read_text()


@pytest.mark.parametrize("name", ["", "UPPER", "has space", "-x", "a" * 41, "."])
def test_a_skeleton_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        write_skeleton(tmp_path / name)


def test_a_skeleton_overwrites_nothing(tmp_path: Path) -> None:
    write_skeleton(tmp_path / "x1")
    with pytest.raises(InputError, match="there already"):
        write_skeleton(tmp_path / "x1")


def test_unknown_names_suggest_the_nearest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no case 'cmdlin'.*did you mean cmdline\?"):
        load("cmdlin")
    with pytest.raises(InputError, match=r"no case\.toml in this folder"):
        load(tmp_path)


def test_a_bundled_name_wins_over_a_folder_but_a_path_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = case_in(tmp_path, GOOD)
    folder.rename(tmp_path / "cmdline")
    monkeypatch.chdir(tmp_path)
    assert load("cmdline").title != "A title"
    assert load("./cmdline").title == "A title"


def test_any_exit_status(tmp_path: Path) -> None:
    text = GOOD.replace("[probe.state.patched]", '[probe.state.patched]\nexit = "any"')
    case = load(case_in(tmp_path, text))
    assert case.probes[0].states["patched"].exit is None
    assert case.probes[0].states["original"].exit == 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("title =", "titel =", "unknown key `titel` (did you mean `title`?)"),
        ("stdout.equals = \"b\"", 'stdot.equals = "b"',
         "unknown key `probe[0].state.patched.stdot` (did you mean `stdout`?)"),
        ("stdout.equals = \"b\"", 'stdout.equal = "b"',
         "unknown key `probe[0].state.patched.stdout.equal` (did you mean `equals`?)"),
        ('old = "f"', 'old = "f"\nsymps = 1',
         "unknown key `module[0].function[0].symps` (did you mean `sympos`?)"),
        ('old = "f"', 'old = "f"\ntimed = "calls"',
         "module[0].function[0].timed: 'calls' is no absolute path"),
        ("title =", "name =", "unknown key `name`"),
        ("title =", "folder =", "unknown key `folder`"),
        ('title = "A title"', 'title = "A"\narchitectures = ["x86_64"]',
         "architectures[0]: 'x86_64' is none that guests have"),
        ('title = "A title"', "title = 3", "title: expected `str`, got `int`"),
        ('title = "A title"', 'title = "A"\ncompanions = ["y.c"]',
         "companions[0]: there is no file 'y.c' in the case's folder"),
        ('title = "A title"', 'title = "A"\ncompanions = ["x.ko"]', "companions[0]: there is no"),
        ("[[probe]]", '[[action]]\nphase = "later"\nrun = "true"\n[[probe]]',
         "action[0].phase: invalid enum value 'later'"),
        ("[[probe]]", '[[action]]\nphase = "steady"\nrun = " "\n[[probe]]',
         "action[0].run: is empty"),
        ("[[probe]]", '[[action]]\nphase = "steady"\nrun = "true"\nexit = 300\n[[probe]]',
         "action[0].exit: 300 is no exit status"),
        ("[[probe]]", '[[action]]\nphase = "steady"\nrun = "true"\nexit = "any"\n[[probe]]',
         None),
        ("[[probe]]", '[[action]]\nphase = "steady"\nmodule = "y"\nrun = "true"\n[[probe]]',
         "action[0].module: the case has no module 'y'"),
        ("[[probe]]", '[[action]]\nphase = "after"\nmodule = "lph_x"\nrun = "true"\n[[probe]]',
         "action[0].module: is given, but `after` is no phase of one module"),
        ("[[probe]]", "[pace]\nsteady_s = 1e9\n[[probe]]", "pace.steady_s: must be from 0 to 3600"),
        ('title = "A title"', "", "the key `title` is missing"),
        ('run = "cat /proc/x"', "", "probe[0]: the key `run` is missing"),
        ("[[probe]]", '[module.built]\nobject = ["x"]\n[[probe]]',
         "unknown key `module[0].built.object` (did you mean `objects`?)"),
        ('source = "x.c"', 'source = "x.c"\n[[module.edit]]\nfile = "a.c"\nold = "a"\nnew = "b"',
         "module[0]: needs exactly one of"),
        ('source = "x.c"', '[[module.edit]]\nfile = "a.c"\nold = " "\nnew = "b"',
         "module[0].edit[0].old: is empty"),
        ('source = "x.c"', '[[module.edit]]\nfile = "a.c"\nold = "a"\nnew = " a "',
         "module[0].edit[0].new: is the same"),
        ('source = "x.c"', '[[module.edit]]\nfile = "a.c"\nold = "a"\nnew = "b"\ncount = 0',
         "module[0].edit[0].count: must be at least 1"),
        ('source = "x.c"', '[[module.edit]]\nfile = "a.c"\nold = "a"\nnew = "b"\nfunctions = "f"',
         "unknown key `module[0].edit[0].functions` (did you mean `function`?)"),
        ("[[module]]", '[flaw]\nrun = "x"\n[[module]]', "flaw: the key `unpatched` is missing"),
        ("[[module]]", '[flaw]\nrun = " "\nunpatched.functions = ["f"]\n[[module]]', "flaw.run:"),
        ("[[module]]", '[flaw]\nrun = "x"\nunpatched = {}\n[[module]]', "flaw.unpatched: says"),
        ("[[module]]", '[flaw]\nrun = "x"\nunpatched.console = ["page-falt"]\n[[module]]',
         "there is no console pattern 'page-falt' (did you mean `page-fault`?)"),
        ("[[module]]", '[flaw]\nrun = "x"\nunpatched.outcome.exit = 0\n[[module]]',
         "flaw.unpatched.outcome: is the same as `patched`"),
        ("[[module]]", '[flaw]\nrun = "x"\nunpatched.outcome.exit = 300\n[[module]]',
         "flaw.unpatched.outcome.exit: 300 is no exit status"),
        ("[[module]]", '[flaw]\nrun = "x"\ntimeout_s = 0\nunpatched.functions = ["f"]\n[[module]]',
         "flaw.timeout_s: must be more than 0"),
        ("[[module]]", '[flaw]\nrun = "x"\nreturns = true\nunpatched.functions = ["f"]\n[[module]]',
         "flaw.returns: needs `unpatched.outcome`"),
        ('name = "lph_x"', 'name = "lph_x"\nbase = true', "module: all are `base`"),
        ("[[probe]]", '[[module]]\nname = "y"\nsource = "x.c"\nbase = true\n[[probe]]',
         "module: a `base` comes after one that is none"),
        ('name = "lph_x"', 'name = "b"\nbase = true\nsource = "x.c"\n[[module]]\nname = "y"',
         "module[1].replaces: is not set"),
        ('title = "A title"', 'title = "A title"\nschema = 2', "schema: 2 is not known"),
        ('source = "x.c"', "", "module[0]: needs exactly one of"),
        ('source = "x.c"', 'source = "x.c"\nprebuilt = "x.ko"', "module[0]: needs exactly one of"),
        ('source = "x.c"', 'source = "../x.c"', "module[0].source: '../x.c' climbs out"),
        ('source = "x.c"', 'source = "/etc/passwd"', "module[0].source: '/etc/passwd' climbs out"),
        ('source = "x.c"', 'source = "y.c"', "module[0].source: there is no file 'y.c'"),
        ('source = "x.c"', 'source = "case.toml"', "'case.toml' does not end in .c"),
        ('title = "A title"', 'title = "A title"\nprograms = ["y.c"]',
         "programs[0]: there is no file 'y.c'"),
        ('title = "A title"', 'title = "A title"\nprograms = ["../x.c"]',
         "programs[0]: '../x.c' climbs out"),
        ('title = "A title"', 'title = "A title"\nprograms = ["case.toml"]',
         "programs[0]: 'case.toml' does not end in .c"),
        ('title = "A title"', 'title = "A title"\nprograms = ["x.c", "./x.c"]',
         "programs: the name 'x' is used twice"),
        ('"lph_x"', '"lph-x"', "module[0].name: 'lph-x' is no module name"),
        ('"lph_x"', f'"{"m" * 56}"', "is no module name"),
        ("[probe.state.original]", "[probe.state.orginal]",
         "probe[0].state: `original` is missing"),
        ("[probe.state.patched]", "[probe.state.later]\n[probe.state.patched]",
         "probe[0].state.later: is neither original, patched nor a module"),
        ('stdout.equals = "b"', 'stdout.equals = "a"', "probe: no probe tells"),
        ('stdout.equals = "b"', 'stdout.matches = "("', "not a regular expression"),
        ("[probe.state.patched]", "[probe.state.patched]\nexit = 256", "256 is no exit status"),
        ("[probe.state.patched]", '[probe.state.patched]\nexit = "all"', "probe[0].state"),
        ('run = "cat /proc/x"', 'run = "x"\ntimeout_s = 0', "probe[0].timeout_s: must be more"),
        ("[[module]]", 'workloads = []\n[[module]]', "workloads: is empty"),
        ("[[module]]", '[[variant]]\nname = "v"\ntarget = "after"\n[[module]]',
         "variant[0].target: is `after`, but the case has no [target]"),
        ("[[module]]", '[[variant]]\nname = "v"\ntarget = "now"\n[[module]]', "variant[0].target"),
        ("[[module]]",
         '[expect.stall]\ncomm = "x"\nfunction = "f"\nrelease = "r"\nseconds = 14\n[[module]]',
         "expect.stall.seconds: must be more than 0 and at most 12"),
        ("title =", "title =", None),
        ("[[module]]", "[[module", "not TOML"),
        ('title = "A title"', "title = '''\n", "not TOML"),
    ],
)  # fmt: skip
def test_refuses_by_file_and_key(tmp_path: Path, old: str, new: str, says: str | None) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    if says is None:
        load(case_in(tmp_path, text))
    else:
        assert says in refusal(tmp_path, text)


def test_refuses_a_link_out_of_the_folder(tmp_path: Path) -> None:
    folder = case_in(tmp_path, GOOD)
    (tmp_path / "outside.c").write_text("")
    (folder / "x.c").unlink()
    (folder / "x.c").symlink_to(tmp_path / "outside.c")
    with pytest.raises(InputError, match="climbs out"):
        load(folder)


def test_refuses_what_is_no_text(tmp_path: Path) -> None:
    folder = case_in(tmp_path, GOOD)
    (folder / "case.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(InputError, match="not UTF-8"):
        load(folder)
    (folder / "case.toml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(InputError, match="larger than 1 MiB"):
        load(folder)


keys = st.sampled_from(
    ["title", "module", "probe", "state", "expect", "target", "drive", "variant", "run", "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raw=st.dictionaries(keys, values, max_size=5))
def test_wrong_shapes_are_refused_and_never_crash(raw: dict[str, object]) -> None:
    import msgspec

    from lpharness.cases.keys import refuse_unknown_keys
    from lpharness.cases.load import _translate_any
    from lpharness.cases.model import Case

    try:
        refuse_unknown_keys(Path("case.toml"), raw, Case)
    except InputError as error:
        assert "unknown key" in error.message  # noqa: PT017
        return
    _translate_any(raw)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, Case)


def test_a_flaw_makes_the_change_visible_too(tmp_path: Path) -> None:
    head = GOOD[: GOOD.index("[[probe]]")]
    assert "probe: is missing" in refusal(tmp_path, head)
    flaw = '[flaw]\nrun = "x"\nunpatched.outcome.exit = "any"\npatched.stdout.equals = "well"\n'
    case = load(case_in(tmp_path, head + flaw))
    assert case.flaw is not None
    assert case.flaw.unpatched.outcome == Outcome(exit=None)


def test_tags_choose_among_the_bundled_or_the_named() -> None:
    quick, long = tagged(["quick"]), tagged(["long"])
    assert {case.name for case in quick + long} == set(bundled())
    assert not {case.name for case in quick} & {case.name for case in long}
    assert [case.name for case in tagged(["replace", "stall"])] == ["atomic-replace", "stall"]
    assert [case.name for case in tagged(["quick"], [load("stall")])] == ["stall"]
    with pytest.raises(InputError, match="no case is tagged quik"):
        tagged(["quik"])


def test_a_refusal_that_is_expected_needs_no_probe(tmp_path: Path) -> None:
    head = GOOD[: GOOD.index("[[probe]]")]
    case = load(case_in(tmp_path, head + '[expect]\nrefused = "layout"\n'))
    assert case.expect.refused == "layout"


def test_a_base_is_replaced(tmp_path: Path) -> None:
    two = 'name = "b"\nbase = true\nsource = "x.c"\n[[module]]\nname = "lph_x"\nreplaces = true\n'
    case = load(case_in(tmp_path, GOOD.replace('name = "lph_x"\n', two)))
    assert [module.name for module in case.base] == ["b"]


def test_edits_are_data(tmp_path: Path) -> None:
    edit = "[[module.edit]]\nfile = 'fs/a.c'\nfunction = 'f'\nold = 'a'\nnew = 'b'"
    (module,) = load(case_in(tmp_path, GOOD.replace('source = "x.c"', edit))).modules
    assert (module.edits[0].place, module.edits[0].count) == ("fs/a.c: f()", 1)


def test_a_module_may_have_a_state_of_its_own(tmp_path: Path) -> None:
    text = GOOD + '\n[probe.state.lph_x]\nstdout.equals = "c"\n'
    probe = load(case_in(tmp_path, text)).probes[0]
    assert probe.outcome("lph_x").stdout.equals == "c"
    assert probe.outcome("other") == probe.outcome("patched") != Outcome()
