"""What comes of building a case, as a verdict; builds here are of modules that are made already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_build_test import F, G, kernel, prebuilt

from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT
from lpharness.cases.model import Case, Function
from lpharness.results.folder import RunFolder
from lpharness.results.junit import junit
from lpharness.results.model import TrialId, Verdict
from lpharness.run import Refused
from lpharness.run.carry import write_refusal
from lpharness.run.prepare import Prepared, refuse_bad_input
from lpharness.trial.build import CaseBuild, build_case

OTHER = Function(old="h")


def built(case: Case, **expect: Any) -> CaseBuild:
    changed = msgspec.structs.replace(case.expect, **expect)
    return build_case(
        msgspec.structs.replace(case, expect=changed), kernel("gcc-12 (Debian) 12.2.0"), SILENT
    )


def prepared(found: CaseBuild) -> Prepared:
    id_ = TrialId(case="c", kernel="6.1.0-made", workload="idle")
    verdict, reason = found.build.verdict, found.build.summary
    refused = Refused(id=id_, kernel="debian:6.1", verdict=verdict, reason=reason)
    return Prepared(entries=(refused,), refusal=found.error if found.bad_input else None)


@pytest.mark.parametrize(
    ("functions", "expected", "verdict", "kind"),
    [
        ((F, G, OTHER), "", Verdict.FAIL, "not-as-asserted"),
        ((F, G, OTHER), "layout", Verdict.FAIL, "not-as-asserted"),
        ((F, G, OTHER), "not-as-asserted", Verdict.XFAIL, "not-as-asserted"),
        ((F, G), "", Verdict.FAIL, "inspection"),  # there is no such kernel to load it into
        ((F, G), "inspection", Verdict.XFAIL, "inspection"),
    ],
)
def test_a_refusal_has_a_kind_and_a_verdict(
    tmp_path: Path, functions: tuple[Function, ...], expected: str, verdict: Verdict, kind: str
) -> None:
    found = built(prebuilt(tmp_path, *functions), refused=expected)
    assert (found.build.verdict, found.build.kind) == (verdict, kind)
    assert found.build.reason
    assert found.build.seconds > 0
    assert not found.to_be_run


def test_what_is_no_module_says_nothing_of_the_patch(tmp_path: Path) -> None:
    case = prebuilt(tmp_path)
    (tmp_path / "made.ko").write_text("no module")
    found = built(case)
    assert (found.build.verdict, found.build.kind) == (Verdict.ERROR, "")
    assert found.bad_input


def test_bad_input_ends_a_run_only_if_there_is_nothing_else(tmp_path: Path) -> None:
    case = prebuilt(tmp_path, F, G, OTHER)
    bad, other = built(case), built(prebuilt(tmp_path, F, G))
    assert (bad.bad_input, other.bad_input) == (True, False)
    with pytest.raises(InputError, match="says it replaces h"):
        refuse_bad_input([prepared(bad), prepared(bad)])
    refuse_bad_input([prepared(bad), prepared(other)])
    refuse_bad_input([])


@pytest.mark.parametrize("expected", ["", "not-as-asserted"])
def test_a_refused_build_is_a_result_of_its_own(tmp_path: Path, expected: str) -> None:
    found = built(prebuilt(tmp_path, F, G, OTHER), refused=expected)
    id_ = TrialId(case="c", kernel="6.1.0-made", workload="idle")
    refused = Refused(
        id=id_,
        kernel="debian:6.1",
        verdict=found.build.verdict,
        reason=found.build.summary,
        build=found.build,
    )
    with RunFolder.create(tmp_path / "run") as run:
        write_refusal(refused, run.trial(id_))
        (trial,) = run.trials()
    assert trial.build == found.build
    assert trial.provenance.kernel_origin == "debian:6.1", "history and gate go by it"
    assert trial.verdict is (Verdict.XFAIL if expected else Verdict.FAIL)
    text = junit([trial]).decode()
    assert 'testcase name="build" classname="c--6.1.0-made--idle"' in text
    assert text.count("<testcase") == 1
    assert ("<skipped" if expected else "<failure") in text
