"""Nothing that a guest, a case or a run is called becomes markup, or leads out of the site."""

from pathlib import PurePosixPath
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from site_support import ABOUT, Page, book, found

from lpharness.results.model import CheckResult, Evidence, Provenance, Trial, TrialId, Verdict
from lpharness.site.addresses import case_page, release_page, run_page, safe, trial_page
from lpharness.site.pages import pages
from lpharness.site.trial_page import trial_html
from lpharness.store.measures import Measure
from lpharness.store.trials import Detail

_NASTY = (
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", '" onmouseover="x',
    "' autofocus onfocus='x", "javascript:alert(1)", "{{ 7 * 7 }}", "{% raw %}", "]]>", "<!--",
    "&lt;b&gt;", "../../etc/passwd", "\u202egnp.exe", "\x00\x1b[31m", "</title><svg onload=x>",
)  # fmt: skip
_texts = st.one_of(
    st.text(min_size=1, max_size=40),
    st.lists(st.sampled_from(_NASTY), min_size=1, max_size=3).map("".join),
)


def _all_pages(text: str) -> dict[str, Page]:
    """Render each kind of page with one text wherever a trial can have its own."""
    trials = [
        found(
            number, verdict, case=text, variant=text, target=text, workload=text, model=text,
            run=text, kernel=text, reason=text, title=text, slug=text, attempt=number,
        )
        for number, verdict in enumerate((Verdict.PASS, Verdict.FAIL), 1)
    ]  # fmt: skip
    told = book(
        trials, cves={1: ["CVE-2026-1234"], 2: ["CVE-2026-1234"]}, tag=text, run_name=text,
        changed=text,
    )  # fmt: skip
    made = {path: Page(render()) for path, render in pages(told, ABOUT).items()}
    detail = Detail(
        found=trials[1],
        trial=_document(text),
        measures=(Measure(name=text, value=1.0, unit=text, phase=text, of=text),),
        cves=("CVE-2026-1234",),
        folder="",
        attempts=(1, 2),
    )
    return {**made, trial_page(trials[1]): Page(trial_html(told, detail, ABOUT))}


def _document(text: str) -> Trial:
    return Trial(
        id=TrialId(case=text, kernel=text, workload=text, variant=text, model=text),
        verdict=Verdict.FAIL,
        reason=text,
        checks=(
            CheckResult(
                check=text,
                verdict=Verdict.FAIL,
                summary=text,
                evidence=(Evidence(what=text, seen=text, wanted=text, good=False),),
            ),
        ),
        provenance=Provenance(
            lpharness="1", kernel_release=text, host=text, modules={text: text}, command_line=text,
            backend="qemu", accelerator=text, accelerator_why=text,
        ),
        phases={text: 1.0},
        started_at="2026-11-25T12:00:00+00:00",
        finished=True,
    )  # fmt: skip


def _skeletons(made: dict[str, Page]) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [page.skeleton for page in made.values()]


_PLAIN = _skeletons(_all_pages("plain"))


@settings(max_examples=30, deadline=None)
@given(_texts)
def test_text_never_changes_what_elements_a_page_has(text: str) -> None:
    made = _all_pages(text)
    assert _skeletons(made) == _PLAIN
    for path, page in made.items():
        assert page.open == []
        for link in page.links(path):
            assert not link.startswith(("/", ".")), link


def test_the_nasty_words_are_there_to_be_read() -> None:
    made = _all_pages(_NASTY[0])
    assert all(any(_NASTY[0] in text for text in page.texts) for page in made.values() if page)


@given(st.text(max_size=300))
def test_a_name_is_one_harmless_component(name: str) -> None:
    part = safe(name)
    assert part
    assert part[0] not in ".-"
    assert "/" not in part
    assert quote(part, safe="+") == part
    assert len(part) <= 100


@given(st.text(max_size=200), st.text(max_size=200))
def test_two_names_have_two_addresses_whatever_the_case_of_letters(one: str, other: str) -> None:
    assert (safe(one).lower() == safe(other).lower()) == (one == other)


@given(_texts, _texts)
def test_no_page_leaves_the_site(run: str, slug: str) -> None:
    paths = (
        trial_page(found(run=run, slug=slug)),
        case_page(slug),
        run_page(run),
        release_page(run),
    )
    for path in paths:
        assert not PurePosixPath(path).is_absolute()
        assert ".." not in PurePosixPath(path).parts
        assert path.endswith(".html")
