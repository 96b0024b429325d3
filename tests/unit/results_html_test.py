import base64
import hashlib
import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import pytest
from html_page import HtmlPage
from results_samples import HOSTILE, write_all

from lpharness.results.writers import write_reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reports(write_all(tmp_path_factory.mktemp("report") / "run"))["html"]


@pytest.fixture(scope="module")
def page(report: Path) -> HtmlPage:
    return HtmlPage(report.read_text())


def test_the_page_is_balanced(page: HtmlPage) -> None:
    assert page.open == []


def test_hostile_words_stay_words(page: HtmlPage) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert any("<script>alert(1)</script>" in text for text in page.texts)


def test_nothing_in_the_page_acts_on_the_text(report: Path) -> None:
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", report.read_text()
    )
    assert "\u202e" in HOSTILE


def test_the_page_needs_no_network(report: Path, page: HtmlPage) -> None:
    for tag, attrs in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert "src" not in attrs
        assert not re.match(r"(?i)\s*(\w+:|//)", attrs.get("href", "")), attrs
    style = re.search(r"<style>(.*?)</style>", report.read_text(), re.S)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_policy_allows_its_own_style_and_script_alone(report: Path, page: HtmlPage) -> None:
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", report.read_text(), re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not any("style" in attrs for _, attrs in page.elements)


def test_every_link_leads_somewhere(report: Path, page: HtmlPage) -> None:
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in page.elements:
        href = attrs.get("href", "")
        if tag == "a" and href.startswith("#"):
            assert href[1:] in ids, href
        elif tag == "a" and href.endswith("trial.json"):
            assert (report.parent / unquote(href)).is_file()


def test_pictures_have_words(page: HtmlPage) -> None:
    pictures = [attrs for tag, attrs in page.elements if tag == "svg" and "role" in attrs]
    assert len(pictures) > 8
    assert all(attrs.get("aria-label") for attrs in pictures)
    assert any("Phases: boot 460 ms, baseline" in attrs["aria-label"] for attrs in pictures)


def test_what_failed_is_open_and_what_passed_is_not(page: HtmlPage) -> None:
    checks = [attrs for tag, attrs in page.elements if attrs.get("class") == "check"]
    assert any("open" in attrs for attrs in checks)
    assert any("open" not in attrs for attrs in checks)


def test_a_large_run_stays_a_reasonable_page(tmp_path: Path) -> None:
    few = write_reports(write_all(tmp_path / "few"))["html"].stat().st_size
    more = write_reports(write_all(tmp_path / "more", 10))["html"].stat().st_size
    assert (more - few) / 10 < 60_000


def _luminance(colour: str) -> float:
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_all_text_has_contrast_in_light_and_dark() -> None:
    style = files("lpharness.results").joinpath("templates/report.css").read_text()
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    dark = dark.split("* { box-sizing")[0]
    for theme in (light, dark):
        pairs = re.findall(r"--text: #(\w+); --back: #(\w+)", theme)
        assert len(pairs) >= 9
        colours = dict(re.findall(r"--(\w+): #(\w+)", theme))
        pairs += [
            (colours[text], colours[back])
            for text in ("ink", "muted", "link")
            for back in ("page", "surface", "sunk")
        ]
        for text, back in pairs:
            assert _contrast(text, back) >= 4.5, (text, back)


# --- in a browser --------------------------------------------------------------------------

_PROBE = """<!doctype html><body><iframe id=f width={width} height=900 src="{url}"></iframe>
<pre id=out></pre>
<script>
f.onload = () => {{
  const d = f.contentDocument, w = f.contentWindow;
  for (const t of d.querySelectorAll("details")) t.open = true;
  const page = d.documentElement;
  d.querySelector("#words").value = "sleepers";
  d.querySelector("#words").dispatchEvent(new w.Event("input"));
  const filtered = [...d.querySelectorAll("details.trial")].filter((t) => !t.hidden).length;
  d.querySelector("#words").value = "";
  d.querySelector("#words").dispatchEvent(new w.Event("input"));
  out.textContent = JSON.stringify({{
    scroll: page.scrollWidth, width: page.clientWidth, filtered,
    shown: d.querySelector("#shown").textContent,
    copies: [...d.querySelectorAll(".copy")].filter((b) => !b.hidden).length,
    wide: [...d.querySelectorAll("body *")].filter((e) => !e.closest(".console, pre, svg, .vh")
      && e.getBoundingClientRect().right > page.clientWidth + 1)
      .map((e) => e.className).slice(0, 9),
    background: w.getComputedStyle(d.body).backgroundColor,
  }});
}};
</script>"""


def _browse(report: Path, tmp_path: Path, width: int, dark: bool) -> dict[str, object]:
    assert CHROMIUM
    (tmp_path / "probe.html").write_text(_PROBE.format(width=width, url=report.as_uri()))
    dumped = subprocess.run(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--virtual-time-budget=5000",
            "--enable-logging=stderr",
            "--dump-dom",
            (tmp_path / "probe.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "Content Security Policy" not in dumped.stderr
    assert "Uncaught" not in dumped.stderr
    found = re.search(r'<pre id="out">(.*?)</pre>', dumped.stdout, re.S)
    assert found
    assert found[1], dumped.stderr
    answer: dict[str, object] = json.loads(found[1])
    return answer


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at the page with")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (320, False)])
def test_in_a_browser_it_works_and_never_scrolls_sideways(
    report: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    seen = _browse(report, tmp_path, width, dark)
    assert seen["scroll"] == seen["width"], seen["wide"]
    assert seen["filtered"] == 1
    assert seen["shown"] == "8 of 8 trials"
    assert seen["copies"] == 7
    assert seen["background"] == ("rgb(19, 21, 23)" if dark else "rgb(248, 248, 246)")
