"""The site in a browser: by keyboard alone, on a phone, in the dark, for a screen reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Visit, chromium
from playwright.sync_api import Browser
from results_samples import write_all

from lpharness.bench.made_up import Shape, fill
from lpharness.site.write import write_site
from lpharness.store import open_store
from lpharness.store.add import add_run
from lpharness.store.runs import tag

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
SHAPE = Shape(cases=6, kernels=4, workloads=2, repeats=1, failing=0.1, silent=0.05)
TRIAL_OF_SAMPLES = "trial/*/syscall--*.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with open_store(str(folder / "store.sqlite"), create=True) as store:
        write_all(folder / "run")
        add_run(store, folder / "run")
        tag(store, "v12", "latest")
        fill(store, 96, shape=SHAPE)
        write_site(store, folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    options: dict[str, Any] = getattr(request, "param", DESKTOP)
    context = browser.new_context(**options)
    yield Visit(context.new_page())
    context.close()


def kinds_of_pages(site: Path) -> list[str]:
    """Return the address of a page of each kind; those with the most varied content."""
    (trial,) = site.glob(TRIAL_OF_SAMPLES)
    kinds = ("release/v12.html", "release/v1.html", "case/made-up-01.html")
    names = ("index.html", "history.html", "flaws.html", "runs.html", *kinds)
    return [(site / name).as_uri() for name in names] + [trial.as_uri()]


def test_the_keyboard_alone_opens_a_trial_from_the_matrix(site: Path, visit: Visit) -> None:
    page = visit.page
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("made-up-02")
    page.keyboard.press("Enter")
    focused = page.locator(":focus")
    assert "made-up-02" in (focused.get_attribute("title") or "")
    begun = focused.get_attribute("href")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    there = page.locator(":focus").get_attribute("href")
    assert there != begun
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{there}*")
    assert page.locator("h1").inner_text().endswith("made-up-02")
    assert visit.complaints == []


def test_arrows_walk_the_matrix_and_tab_leaves_it(site: Path, visit: Visit) -> None:
    page = visit.page
    page.goto((site / "release/v1.html").as_uri())
    page.locator("table.matrix td a[tabindex='0']").focus()
    place = "e => [e.closest('tr').rowIndex, e.closest('td').cellIndex]"
    assert page.locator(":focus").evaluate(place) == [1, 1]
    for key in ("ArrowDown", "End", "ArrowUp", "Home", "ArrowUp"):
        page.keyboard.press(key)
    assert page.locator(":focus").evaluate(place) == [1, 1]
    page.keyboard.press("Control+End")
    assert page.locator(":focus").evaluate(place) == [6, 4]
    page.keyboard.press("Tab")
    assert page.locator("table.matrix td :focus").count() == 0
    assert page.locator("table.matrix td [tabindex='0']").count() == 1


def test_the_filter_narrows_and_its_address_can_be_sent(site: Path, visit: Visit) -> None:
    page = visit.page
    page.goto((site / "release/v1.html").as_uri())
    rows, tiles = page.locator("tbody tr:visible"), page.locator("td a.tile:visible")
    assert (rows.count(), tiles.count()) == (6, 48)
    page.get_by_label("Workload").select_option("idle")
    assert (rows.count(), tiles.count()) == (6, 24)
    page.get_by_label("Kernel").select_option("debian:6.1-cloud")
    assert (rows.count(), tiles.count()) == (6, 6)
    page.get_by_label("Words that a case must have").fill("-03")
    assert (rows.count(), tiles.count()) == (1, 1)
    sent = page.url
    page.goto("about:blank")
    page.goto(sent)
    assert (rows.count(), tiles.count()) == (1, 1)
    assert page.locator("#shown").inner_text() == "1 of 6 rows"
    page.get_by_label("Words that a case must have").fill("no such case")
    assert page.locator("#none").is_visible()


def test_keys_go_from_page_to_page(site: Path, visit: Visit) -> None:
    page = visit.page
    page.goto((site / "index.html").as_uri())
    for key, name in (("h", "history"), ("f", "flaws"), ("r", "runs"), ("m", "index")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/{name}.html")


@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_no_page_is_wider_than_a_phone(site: Path, visit: Visit) -> None:
    for address in kinds_of_pages(site):
        visit.page.goto(address)
        wide = visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, address


def test_nothing_leaves_the_site_and_nothing_complains(site: Path, visit: Visit) -> None:
    for address in kinds_of_pages(site):
        visit.page.goto(address)
    begins = site.as_uri()
    assert all(url.startswith((begins, "data:,")) for url in visit.requests)
    assert visit.complaints == []


@pytest.mark.parametrize(
    "visit",
    [
        {**DESKTOP, "color_scheme": "light"},
        {**DESKTOP, "color_scheme": "dark"},
        {**PHONE, "color_scheme": "light"},
    ],
    ids=["light", "dark", "phone"],
    indirect=True,
)
def test_the_site_is_accessible(site: Path, visit: Visit) -> None:
    axe = Axe()
    for address in kinds_of_pages(site):
        visit.page.goto(address)
        found = axe.run(visit.page)
        assert len(found.response["passes"]) > 10, "axe looked at next to nothing"
        assert found.violations_count == 0, f"{address}\n{found.generate_report()}"


@pytest.mark.parametrize(
    "visit", [{**DESKTOP, "color_scheme": "dark"}], ids=["dark"], indirect=True
)
def test_the_dark_is_dark(site: Path, visit: Visit) -> None:
    visit.page.goto((site / "index.html").as_uri())
    back = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, back.removeprefix("rgb(").removesuffix(")").split(","))) < 120


def test_without_script_everything_is_there_to_read(site: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "release/v1.html").as_uri())
    assert page.locator("td a.tile").count() == 48
    assert not page.locator(".filter").is_visible()
    page.locator("td a.tile").first.click()
    assert page.locator("article").is_visible()
    context.close()
