"""The page of a comparison in a browser: readable by anybody, on any screen, with no network."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Visit, chromium
from checks_samples import clean
from comparison_samples import marking, stopping
from playwright.sync_api import Browser

from lpharness.comparison import compare, measure
from lpharness.comparison.files import write
from lpharness.comparison.report import Report
from lpharness.results.model import Verdict


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a comparison in two crowds; return the page's address."""
    made = [measure(each, Verdict.PASS, "") for each in (stopping(), marking(), clean())]
    trials = [
        msgspec.structs.replace(trial, workload=f"crowd-{count}", tasks=count)
        for count in (10, 1000)
        for trial in made
    ]
    folder: Path = tmp_path_factory.mktemp("comparison")
    return write(Report(comparison=compare(trials)), folder)["html"].as_uri()


def test_nothing_is_asked_for_and_nothing_complains(browser: Browser, address: str) -> None:
    visit = Visit(browser.new_page())
    visit.page.goto(address)
    assert visit.requests == [address]
    assert visit.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(browser: Browser, address: str, scheme: str) -> None:
    page = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address)
    found = Axe().run(page)
    assert len(found.response["passes"]) > 10, "axe looked at next to nothing"
    assert found.violations_count == 0, found.generate_report()


def test_no_page_is_wider_than_a_phone(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_pictures_lie_side_by_side_and_tables_across(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1500, "height": 900})
    page.goto(address)
    card = "element => element.getBoundingClientRect().width"
    table = page.locator("section.wide").first.evaluate(card)
    picture = page.locator("section:not(.wide)").first.evaluate(card)
    assert picture < table / 1.9


def test_a_link_leads_to_each_chapter(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    names = page.locator("nav a").all_text_contents()
    assert len(names) == len(set(names)) == page.locator("h2").count() > 1
    page.locator("nav a").last.click()
    assert page.url.endswith(page.locator("h2").last.get_attribute("id") or "-")
