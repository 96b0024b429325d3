import pytest
from site_support import ABOUT, Page, book, found

from lpharness.results.model import Verdict
from lpharness.site import addresses
from lpharness.site import matrix as laid_out
from lpharness.site.book import SIGNS
from lpharness.site.charts import BARS_HEIGHT, TREND_HEIGHT, run_columns, top, trend_chart
from lpharness.site.flaws import State, flaw_rows
from lpharness.site.matrix import matrix
from lpharness.site.pages import pages
from lpharness.store.trials import Found


def _rendered(trials: list[Found], path: str) -> Page:
    return Page(pages(book(trials), ABOUT)[path]())


def test_a_tile_is_the_worst_of_its_repeats_and_opens_that_one() -> None:
    trials = [found(1), found(2, Verdict.FAIL, repeat=1), found(3, repeat=2)]
    (row,) = matrix(trials).rows
    (tile,) = row.tiles
    assert (tile.verdict, tile.repeats, tile.mixed, tile.trial.id) == (Verdict.FAIL, 3, True, 2)


def test_the_worst_rows_come_first() -> None:
    verdicts = (Verdict.PASS, Verdict.ERROR, Verdict.SKIP, Verdict.FAIL, Verdict.XFAIL)
    rows = matrix(found(n, v, case=f"case-{n}") for n, v in enumerate(verdicts)).rows
    assert [row.worst for row in rows] == [
        Verdict.FAIL, Verdict.ERROR, Verdict.XFAIL, Verdict.SKIP, Verdict.PASS,
    ]  # fmt: skip


def test_what_was_not_tried_is_no_tile_and_leaves_its_place() -> None:
    trials = [
        found(1, target="a", workload="idle"),
        found(2, target="a", workload="storm"),
        found(3, target="b", workload="storm"),
    ]
    (row,) = matrix(trials).rows
    assert [[tile and tile.trial.id for tile in cell] for cell in row.cells] == [[1, 2], [None, 3]]


def test_a_long_matrix_is_cut_between_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laid_out, "MOST_TILES", 3)
    trials = [
        found(10 * case + kernel, case=f"case-{case}", target=f"k{kernel}")
        for case in range(5)
        for kernel in range(2)
    ]
    assert [len(part) for part in matrix(trials).parts()] == [1, 1, 1, 1, 1]
    made = pages(book(trials), ABOUT)
    assert {"index.html", "index.part5.html"} <= set(made)
    last = Page(made["index.part5.html"]())
    assert {"index.html", "index.part4.html"} <= set(last.links("index.part5.html"))


def test_now_is_what_the_last_run_said_that_tried_a_line() -> None:
    trials = [
        found(1, Verdict.FAIL, run="old"),
        found(2, Verdict.FAIL, run="old", workload="storm"),
        found(3, run="new"),
    ]
    assert [trial.id for trial in book(trials).newest()] == [3, 2]


def test_no_verdict_is_told_by_colour_alone() -> None:
    page = _rendered([found(n, v, case=f"c{n}") for n, v in enumerate(Verdict)], "index.html")
    tiles = [
        attrs for tag, attrs in page.elements if tag == "a" and "tile" in attrs.get("class", "")
    ]
    assert len(tiles) == len(Verdict)
    assert all(attrs["title"].startswith(attrs["data-v"]) for attrs in tiles)
    assert set(SIGNS.values()) <= set(page.texts)
    assert len(set(SIGNS.values())) == len(Verdict)


def test_an_empty_store_is_told_so() -> None:
    made = pages(book([]), ABOUT)
    assert any("store add" in text for text in Page(made["index.html"]()).texts)
    for render in made.values():
        assert Page(render()).open == []


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ((Verdict.PASS, Verdict.PASS), State.PROVEN),
        ((Verdict.PASS, Verdict.FAIL), State.FAILING),
        ((Verdict.ERROR, Verdict.XPASS), State.FAILING),
        ((Verdict.PASS, Verdict.XFAIL), State.FAILING),
        ((Verdict.PASS, Verdict.ERROR), State.UNCLEAR),
        ((Verdict.PASS, Verdict.SKIP), State.UNCLEAR),
        ((Verdict.SKIP,), State.UNCLEAR),
    ],
)
def test_a_livepatch_is_proven_only_where_all_pass(
    verdicts: tuple[Verdict, ...], state: State
) -> None:
    trials = [found(n, v, workload=f"w{n}") for n, v in enumerate(verdicts, 1)]
    told = book(trials, cves={trial.id: ["CVE-2026-1000"] for trial in trials})
    (row,) = flaw_rows(told)
    assert [standing.state for standing in row.standings] == [state]


def test_a_kernel_that_nobody_tried_is_missing_and_not_called_safe() -> None:
    trials = [found(1), found(2, case="other", target="debian:6.12-cloud")]
    (row,) = flaw_rows(book(trials, cves={1: ["CVE-2026-1000"]}))
    assert [standing.state for standing in row.standings] == [State.PROVEN, State.MISSING]
    assert row.standings[1].exposed == "nobody looked"


def test_a_flaw_that_no_trial_was_about_is_missing_everywhere() -> None:
    known = {"CVE-2026-7": {"never-tried": "Heals it"}, "CVE-2026-1000": {"case": "A title"}}
    told = book([found(1)], cves={1: ["CVE-2026-1000"]}, known=known)
    tried, never = flaw_rows(told)
    assert (tried.cve, [standing.state for standing in tried.standings]) == (
        "CVE-2026-1000", [State.PROVEN],
    )  # fmt: skip
    assert (never.cve, dict(never.cases)) == ("CVE-2026-7", {"never-tried": "Heals it"})
    assert [standing.state for standing in never.standings] == [State.MISSING]
    page = pages(told, ABOUT)[addresses.FLAWS]()
    assert "never-tried" in page
    assert addresses.case_page("never-tried") not in page  # there is no such page


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        (Verdict.PASS, "exposed: flaw seen"),
        (Verdict.FAIL, "flaw not healed"),
        (Verdict.ERROR, "flaw not seen"),
        (Verdict.SKIP, "case has no trigger"),
        (None, "case has no trigger"),
    ],
)
def test_exposed_is_only_what_a_guest_has_shown(flaw: Verdict | None, words: str) -> None:
    flaws = {} if flaw is None else {1: flaw}
    (row,) = flaw_rows(book([found(1)], cves={1: ["CVE-2026-1000"]}, flaws=flaws))
    assert row.standings[0].exposed == words


def test_the_newest_cve_comes_first() -> None:
    trials = [found(1)]
    told = book(trials, cves={1: ["CVE-2025-99999", "CVE-2026-1000", "CVE-2026-20000"]})
    assert [row.cve for row in flaw_rows(told)] == [
        "CVE-2026-20000", "CVE-2026-1000", "CVE-2025-99999",
    ]  # fmt: skip


def test_charts_stay_inside() -> None:
    told = book([found(1), found(2, workload="storm")])
    trends = list(told.trends.values())
    for trend in trends:
        chart = trend_chart(trend, top(trends))
        for dot in chart.dots:
            assert 0 <= dot.x <= 100
            assert 0 <= dot.upper <= dot.y <= dot.lower <= TREND_HEIGHT
        assert chart.words == "700 ms in v1, 1.50 s in v12, +114%"
    for column in run_columns(told.runs):
        assert sum(share.height for share in column.shares) <= BARS_HEIGHT + 1
        assert all(share.y >= 0 for share in column.shares)
