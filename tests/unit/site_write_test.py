import re
from pathlib import Path

import pytest
from results_samples import write_all
from site_support import Page
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.bench.made_up import Lived, Shape, fill
from lpharness.cli.report import app
from lpharness.results.folder import TrialFolder
from lpharness.site.write import MARK, write_site
from lpharness.store import Store, open_store
from lpharness.store.add import add_run
from lpharness.store.runs import tag

RECORDED = Path(__file__).parents[1] / "recordings/trials"
SMALL = Shape(cases=3, kernels=2, workloads=2, repeats=1, failing=0.2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "run"
    write_all(folder)
    return folder


@pytest.fixture(scope="module")
def site(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of trials that tell hostile things, and of two releases that were made up."""
    folder = tmp_path_factory.mktemp("whole")
    with open_store(str(folder / "store.sqlite"), create=True) as store:
        add_run(store, run)
        tag(store, "v12", "latest")
        fill(store, 24, shape=SMALL)
        write_site(store, folder / "site")
    return folder / "site"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = open_store(str(tmp_path / "store.sqlite"), create=True)
    fill(opened, 12, shape=SMALL)
    return opened


def test_made_up_trials_may_have_a_timeline(tmp_path: Path) -> None:
    """So that what `bench site --like` measures is what a site of real trials costs."""
    lived = Lived(TrialFolder(RECORDED / "cmdline"), tmp_path / "trials")
    with open_store(str(tmp_path / "store.sqlite"), create=True) as opened:
        fill(opened, 2, shape=SMALL, lived=lived)
        write_site(opened, tmp_path / "site")
    for page in (tmp_path / "site").glob("trial/*/*.html"):
        text = page.read_text()
        assert "not shown" not in text
        assert "<svg" in text
    with pytest.raises(InputError, match="has no timeline"):
        Lived(TrialFolder(tmp_path), tmp_path)


def _pages(site: Path) -> dict[str, Page]:
    return {
        path.relative_to(site).as_posix(): Page(path.read_text()) for path in site.rglob("*.html")
    }


def test_every_link_leads_to_a_page_of_the_site(site: Path) -> None:
    for path, page in _pages(site).items():
        assert page.open == [], path
        for link in page.links(path):
            assert (site / link).is_file(), f"{path} links to {link}"


def test_every_page_can_be_reached(site: Path) -> None:
    made, seen, waiting = _pages(site), set[str](), ["index.html"]
    while waiting:
        path = waiting.pop()
        if path not in seen and path in made:
            seen.add(path)
            waiting += made[path].links(path)
    assert seen == set(made)


def test_no_page_carries_script_or_style_of_its_own(site: Path) -> None:
    for path, page in _pages(site).items():
        policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for tag_, attrs in page.elements:
            assert tag_ not in ("style", "iframe", "object", "embed", "base", "img", "form"), path
            assert tag_ != "script" or "src" in attrs
            assert not any(name.startswith("on") or name == "style" for name in attrs), path


def test_ids_are_unique_and_links_within_a_page_lead_somewhere(site: Path) -> None:
    for path, page in _pages(site).items():
        ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
        assert len(ids) == len(set(ids)), path
        for _, attrs in page.elements:
            href = attrs.get("href", "")
            assert not href.startswith("#") or href[1:] in ids, f"{path}: {href}"


def test_a_trial_page_has_evidence_provenance_and_the_curve(site: Path) -> None:
    (path,) = site.glob("trial/*/syscall--*.html")
    page = Page(path.read_text())
    words = " ".join(page.texts)
    for wanted in ("Timeline", "Checks", "Provenance", "Console", "seen", "wanted"):
        assert wanted in words
    pictures = [attrs["aria-label"] for tag_, attrs in page.elements if attrs.get("role") == "img"]
    assert any(label.startswith("Phases:") for label in pictures)


def test_nothing_on_a_page_acts_on_the_text(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", path.read_text()
        )


def test_written_again_only_what_changed_is_written(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    first = write_site(store, folder)
    times = {path: path.stat().st_mtime_ns for path in folder.glob("trial/*/*.html")}
    assert len(times) == 12
    again = write_site(store, folder)
    assert first.pages == again.pages
    assert again.written == first.written - 12
    fill(store, 12, shape=SMALL, seed=2)
    write_site(store, folder)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(list(folder.glob("trial/*/*.html"))) == 24


def test_a_page_that_is_gone_or_of_other_templates_is_written_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    first = write_site(store, folder)
    next(folder.glob("trial/*/*.html")).unlink()
    assert write_site(store, folder).written == first.written - 11
    monkeypatch.setattr("lpharness.site.write.templates_digest", lambda: "other")
    assert write_site(store, folder).written == first.written


def test_what_the_store_has_no_more_goes(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(store, folder)
    with open_store(str(tmp_path / "other.sqlite"), create=True) as empty:
        assert write_site(empty, folder).removed > 12
    assert not list(folder.glob("trial/**/*.html"))


def test_a_torn_mark_costs_only_the_time_to_write_again(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    first = write_site(store, folder)
    (folder / MARK).write_text("{")
    assert write_site(store, folder).written == first.written


def test_other_things_are_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.html").write_text("years")
    with pytest.raises(InputError, match="no site"):
        write_site(store, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.html"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not a folder"):
        write_site(store, tmp_path / "file")


def test_a_trial_whose_folder_is_gone_is_told_by_its_measures(store: Store, tmp_path: Path) -> None:
    write_site(store, tmp_path / "site")
    page = Page(next((tmp_path / "site").glob("trial/*/*.html")).read_text())
    words = " ".join(page.texts)
    assert "folder is gone" in words
    assert "throughput" in words


def test_the_command_writes_a_site_and_refuses_what_makes_no_sense(
    store: Store, tmp_path: Path
) -> None:
    runner = CliRunner()
    name = str(tmp_path / "store.sqlite")
    done = runner.invoke(app, ["--site", str(tmp_path / "s"), "--store", name])
    assert done.exit_code == 0
    assert "pages" in done.output
    for args in (["--store", name], ["results", "--site", "x"]):
        refused = runner.invoke(app, args)
        assert isinstance(refused.exception, InputError)
    missing = runner.invoke(app, ["--site", str(tmp_path / "n"), "--store", str(tmp_path / "no")])
    assert isinstance(missing.exception, InputError)
    assert not (tmp_path / "n").exists()
