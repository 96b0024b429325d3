"""The site served live: what it says, to whom, how a run grows on it, and that it ends."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Server, Visit, chromium, serving
from playwright.sync_api import Browser, expect
from results_samples import hostile, passing, write

from lpharness.bench.made_up import Shape, fill
from lpharness.results.folder import RunFolder
from lpharness.results.model import TrialId
from lpharness.store import open_store
from lpharness.store.add import add_run

SHAPE = Shape(cases=3, kernels=2, workloads=1, repeats=1)


@pytest.fixture
def store(tmp_path: Path) -> str:
    name = str(tmp_path / "store.sqlite")
    with open_store(name, create=True) as opened:
        fill(opened, 6, shape=SHAPE)
    return name


@pytest.fixture
def server(store: str) -> Iterator[Server]:
    with serving("--store", store) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    context = browser.new_context()
    yield Visit(context.new_page())
    context.close()


def asked(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Return status, headers and body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc, timeout=30)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, str(answer.headers).lower(), body


def test_every_answer_is_guarded(server: Server) -> None:
    for path in ("/", "/site.css", "/site.js", "/nothing", "/history.html"):
        _, headers, _ = asked(server, path)
        assert "default-src 'none'" in headers
        assert "unsafe" not in headers
        assert "frame-ancestors 'none'" in headers
        assert "x-content-type-options: nosniff" in headers
    assert "text/css" in asked(server, "/site.css")[1]
    assert "text/javascript" in asked(server, "/site.js")[1]


def test_there_is_nothing_but_the_site(server: Server) -> None:
    for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/trial/x.html"):
        status, _, body = asked(server, path)
        assert (status, body) == (404, "There is no such page.")
    assert asked(server, "/", "POST")[0] == 405


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(server: Server, host: str) -> None:
    status, headers, body = asked(server, "/", Host=host)
    assert status == 421
    assert "made-up" not in body
    assert "nosniff" in headers
    assert asked(server, "/", Host="localhost:1")[0] == 200


def test_a_page_is_what_the_static_site_has(server: Server, visit: Visit) -> None:
    visit.page.goto(server.address)
    visit.page.locator("td a.tile").first.click()
    visit.page.locator("h1").get_by_text("made-up").wait_for()
    assert visit.complaints == []
    assert all(url.startswith((server.address, "data:,")) for url in visit.requests)


def test_a_run_grows_before_ones_eyes(store: str, tmp_path: Path, visit: Visit) -> None:
    with (
        RunFolder.create(tmp_path / "run") as run,
        serving("--store", store, "--run", str(tmp_path / "run")) as server,
    ):
        page = visit.page
        page.goto(f"{server.address}/live.html")
        expect(page.locator("#status")).to_have_text("Goes on")
        expect(page.locator("#none")).to_be_visible()
        id_ = TrialId(case="cmdline", kernel="6.1.0-56-cloud-amd64", workload="syscall-hammer")
        run.trial(id_).begin(id_, "boot")
        row = page.locator("#going li", has_text="cmdline")
        expect(row.locator(".verdict")).to_have_text("… running")
        expect(row.locator(".said")).to_have_text("boot")
        write(run, passing())
        expect(row.locator(".verdict")).to_have_text("✓ pass")
        assert row.locator("a").count() == 0
        write(run, hostile())
        expect(page.locator("#going li")).to_have_count(2)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        with open_store(store) as opened:
            add_run(opened, tmp_path / "run")
        expect(page.locator("#store")).to_have_text("8 trials of 2 runs in the store")
        expect(page.locator("#going li a")).to_have_count(2)
        row.locator("a").click()
        page.locator("article").wait_for()
        assert visit.complaints == []
        page.go_back()
        run.close()
        expect(page.locator("#status")).to_contain_text("Has ended")


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_though_somebody_waits_for_news(
    server: Server, by: signal.Signals, status: int
) -> None:
    place = urlsplit(server.address)
    with socket.create_connection((place.hostname, place.port or 0), timeout=30) as waiting:
        waiting.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in waiting.recv(100)
        ended, said = server.end(by)
    assert ended == status
    assert "Traceback" not in said
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.hostname, place.port or 0))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--host", "0.0.0.0"], 2, "not a loopback address"),
        (["--host", "example.org"], 2, "not a loopback address"),
        (["--run", "/nowhere"], 2, "not a run's folder"),
        (["--store", "/nowhere/store"], 2, "no store"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_a_hint(
    store: str, arguments: list[str], status: int, words: str
) -> None:
    command = [sys.executable, "-m", "lpharness.cli", "serve", "--port", "0", "--store", store]
    ended = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    assert ended.returncode == status
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2


def test_a_port_that_is_taken_is_told(store: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "lpharness.cli", "serve", "--port", port, "--store", store]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3
    assert f"port {port}" in ended.stderr
    assert "--port" in ended.stderr
