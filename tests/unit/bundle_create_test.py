"""What is bundled, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bundle_support import BUILD, Scene
from checks_samples import MODULE, change, clean

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir
from lpharness.bundle import SshKey, Statement, create
from lpharness.bundle.choose import choose
from lpharness.bundle.schema import statement_schema
from lpharness.checks import Recording
from lpharness.checks.rejudge import rejudge
from lpharness.results.model import TrialId, Verdict
from lpharness.timeline.events import Probed


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def bundle(scene: Scene, *what: str | Path, output: str = "out", **how: Any) -> Statement:
    chosen = choose([str(word) for word in what], how.pop("kernels", ()))
    how.setdefault("modules", (scene.module,))
    return create(chosen, scene.folder / output, SshKey(how.pop("key", scene.key)), **how)


def on(release: str, **more: Any) -> Recording:
    """Return a clean recording of another kernel, or another thing about it."""
    recording = clean()
    return msgspec.structs.replace(
        recording, id=msgspec.structs.replace(recording.id, kernel=release, **more)
    )


def test_a_bundle_tells_what_is_proven_on_which_kernel(scene: Scene) -> None:
    statement = bundle(scene, scene.trial())
    (kernel,) = statement.predicate.kernels
    assert (kernel.release, kernel.build) == ("6.1.0-56-cloud-amd64", BUILD)
    assert kernel.machine == "x86_64"
    assert kernel.module.functions == ("vmlinux:cmdline_proc_show",)
    assert statement.subject[0].digest == {"sha256": kernel.module.sha256}
    (trial,) = kernel.trials
    assert trial.verdict == "pass"
    assert set(trial.checks.values()) == {"pass"}


def test_coreutils_can_check_it(scene: Scene) -> None:
    bundle(scene, scene.trial())
    words = ["sha256sum", "--strict", "--quiet", "--check", "SHA256SUMS"]
    subprocess.run(words, cwd=scene.folder / "out", check=True)


def test_its_trials_can_be_judged_again(scene: Scene) -> None:
    statement = bundle(scene, scene.trial())
    path = scene.folder / "out" / statement.predicate.kernels[0].trials[0].path
    assert [trial.verdict for trial in rejudge(path)] == [Verdict.PASS]


def test_the_same_trials_give_the_same_bytes(scene: Scene) -> None:
    run = scene.trial()
    bundle(scene, run, output="one.tar")
    bundle(scene, run, output="two.tar")
    one, two = ((scene.folder / name).read_bytes() for name in ("one.tar", "two.tar"))
    assert one == two  # an ed25519 signature is of the same bytes, too


def test_trials_of_more_kernels_and_runs_come_together(scene: Scene) -> None:
    first, second = scene.trial(), scene.trial("second", on("6.12.1-amd64"))
    again = scene.trial("again")
    statement = bundle(scene, first, second, again)
    kernels = statement.predicate.kernels
    assert [kernel.release for kernel in kernels] == ["6.1.0-56-cloud-amd64", "6.12.1-amd64"]
    assert [len(kernel.trials) for kernel in kernels] == [2, 1]
    assert len({trial.path for kernel in kernels for trial in kernel.trials}) == 3


def test_a_kernel_can_be_asked_for(scene: Scene) -> None:
    run = scene.trial()
    scene.trial("run", on("6.12.1-amd64"), verdict=Verdict.FAIL)
    statement = bundle(scene, run, kernels=("6.1.*",))
    assert [kernel.release for kernel in statement.predicate.kernels] == ["6.1.0-56-cloud-amd64"]
    with pytest.raises(InputError, match=r"no trial on 5\.10"):
        bundle(scene, run, output="other", kernels=("6.1.*", "5.10.*"))


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"verdict": Verdict.FAIL, "reason": "healthy: an oops"}, "is fail: healthy: an oops"),
        ({"verdict": Verdict.SKIP, "reason": "for 6.12 only"}, "is skip: for 6.12 only"),
        ({"verdict": Verdict.ERROR, "reason": "no answer"}, "is error: no answer"),
        ({"verdict": Verdict.XFAIL, "reason": "as declared"}, "is xfail"),
        ({"finished": False, "reason": "interrupted in phase load"}, "did not come to its end"),
    ],
)
def test_only_trials_that_pass_are_bundled(
    scene: Scene, document: dict[str, Any], says: str
) -> None:
    scene.trial()
    run = scene.trial("run", on("6.12.1-amd64"), **document)
    with pytest.raises(InputError, match=f"not proven: sample--6.12.1.* {says}") as refused:
        bundle(scene, run)
    assert "\n" not in refused.value.message
    assert not (scene.folder / "out").exists()


def test_an_attempt_that_nobody_could_judge_is_made_good_by_the_next(scene: Scene) -> None:
    lost = {"verdict": Verdict.ERROR, "reason": "no answer"}
    scene.trial(**lost)
    run = scene.trial("run", on("6.1.0-56-cloud-amd64", attempt=1))
    (kernel,) = bundle(scene, run).predicate.kernels
    assert [trial.path[-6:] for trial in kernel.trials] == ["again1"]
    scene.trial("run", on("6.1.0-56-cloud-amd64", attempt=2), **lost)
    with pytest.raises(InputError, match="again2 is error"):
        bundle(scene, run, output="other")


def test_an_attempt_that_failed_is_not_made_good(scene: Scene) -> None:
    scene.trial(verdict=Verdict.FAIL, reason="an oops")
    run = scene.trial("run", on("6.1.0-56-cloud-amd64", attempt=1))
    with pytest.raises(InputError, match="is fail: an oops"):
        bundle(scene, run)


def test_another_models_trials_prove_nothing_of_production(scene: Scene) -> None:
    run = scene.trial("run", on("6.1.0-56-cloud-amd64", model="kpatch"))
    with pytest.raises(InputError, match="under the model kpatch, which is not the kernel's own"):
        bundle(scene, run)


def test_a_verdict_that_the_recording_does_not_bear_out_is_refused(scene: Scene) -> None:
    spoilt = change(clean(), Probed, lambda event: event.state == MODULE, stdout="console=ttyS0")
    run = scene.trial("run", spoilt, verdict=Verdict.PASS, reason="10 checks pass")
    with pytest.raises(InputError, match="is fail by today's checks"):
        bundle(scene, run)


def test_a_trial_whose_recording_is_gone_is_refused(scene: Scene) -> None:
    run = scene.trial()
    scene.trials()[0].timeline_path.unlink()
    with pytest.raises(InputError, match=r"not proven: .* by today's checks"):
        bundle(scene, run)


def test_a_trial_that_does_not_say_which_build_it_was_is_refused(scene: Scene) -> None:
    run = scene.trial(provenance=scene.provenance(kernel_build=""))
    with pytest.raises(InputError, match="does not say which build of the kernel"):
        bundle(scene, run)


def test_two_builds_of_one_release_are_not_mixed(scene: Scene) -> None:
    first = scene.trial()
    second = scene.trial("second", provenance=scene.provenance(kernel_build="#2 SMP"))
    with pytest.raises(InputError, match=r"different builds of the kernel: #1 .*, #2 SMP"):
        bundle(scene, first, second)


def test_a_sequence_of_livepatches_is_refused(scene: Scene) -> None:
    modules = {MODULE: "1" * 64, "lph_v2": "2" * 64}
    run = scene.trial(provenance=scene.provenance(modules=modules))
    with pytest.raises(InputError, match=r"loads 2 livepatches \(lph_case, lph_v2\)"):
        bundle(scene, run)


def test_the_very_module_that_was_tried_is_wanted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LPHARNESS_CACHE", str(scene.folder / "cache"))
    run = scene.trial()
    with pytest.raises(InputError, match="the module lph_case that was tried"):
        bundle(scene, run, modules=())
    entry = scene.folder / "cache" / "modules" / "key"
    entry.mkdir(parents=True)
    scene.module.rename(entry / f"{MODULE}.ko")
    assert bundle(scene, run, modules=()).subject


def test_several_cases_are_told_apart_by_name(scene: Scene) -> None:
    recording = clean()
    other = TrialId(case="cmdline", kernel="6.1.0-56-cloud-amd64", workload="idle")
    run = scene.trial()
    scene.trial("run", msgspec.structs.replace(recording, id=other))
    with pytest.raises(InputError, match=r"trials of 2 cases \(cmdline, sample\)"):
        bundle(scene, run)
    assert bundle(scene, run, "cmdline").predicate.case == "cmdline"
    with pytest.raises(InputError, match="holds no trial of stall"):
        bundle(scene, run, "stall")


def test_what_is_neither_results_nor_a_case_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError, match="nosuch"):
        choose(["nosuch"])
    with pytest.raises(InputError, match="holds neither results nor a case"):
        choose([str(scene.folder)])


def test_nothing_is_left_behind_by_a_key_that_cannot_sign(scene: Scene) -> None:
    run = scene.trial()
    before = sorted(scene.folder.iterdir())
    for key in (scene.folder / "nosuch", scene.signers):
        with pytest.raises(InputError, match=r"no such key|cannot sign"):
            bundle(scene, run, key=key)
    assert sorted(scene.folder.iterdir()) == before


def test_what_is_there_is_not_written_over(scene: Scene) -> None:
    run = scene.trial()
    with pytest.raises(InputError, match="exists already"):
        bundle(scene, run, output="signers")


def test_the_schema_in_the_docs_is_current() -> None:
    docs = data_dir("docs")  # beside the package only in a checkout
    assert (docs / "proof.schema.json").read_text() == statement_schema()
