"""The page of a report in a real browser: it loads nothing from elsewhere, and works by mouse and by keys.

Needs the package ``playwright`` and a Chromium that is installed apart; without them the tests are skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import DESKTOP, NEEDS_CHROMIUM, PHONE
from report_suite import SYSTEMS, gathered, score_suite

from anisora.leaderboards.demo_report import published_section
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.write import write_report
from anisora.leaderboards.words import LANGUAGES, Words

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

pytestmark = NEEDS_CHROMIUM

FRAMES = 24


@dataclass
class Opened:
    """A page with what the browser had to say of it."""

    page: "Page"
    troubles: list[str] = field(default_factory=list)
    """Messages of the console, errors of scripts, requests to anything but the page."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return score_suite(tmp_path_factory.mktemp("scored"), num_frames=FRAMES)


@pytest.fixture(scope="module")
def data(suite: Path) -> ReportData:
    return gathered(suite)


@pytest.fixture(scope="module")
def pages(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{language: the page}, with the section that only the demo has."""
    return {
        language: write_report(
            gathered(suite, language=language),
            tmp_path_factory.mktemp(language),
            language=language,
            extras=[published_section(Words(language))],
        )
        for language in LANGUAGES
    }


def opened(browser: "Browser", path: Path, viewport: dict[str, int] = DESKTOP, **options: Any) -> Opened:
    context = browser.new_context(viewport=viewport, **options)
    context.set_offline(True)
    found = Opened(context.new_page())
    allowed = path.as_uri()

    def asked(request: "Request") -> None:
        if not request.url.startswith("data:") and request.url.partition("#")[0] != allowed:
            found.troubles.append(f"request: {request.url[:200]}")

    found.page.on("console", lambda message: found.troubles.append(f"{message.type}: {message.text}"))
    found.page.on("pageerror", lambda error: found.troubles.append(f"error: {error}"))
    found.page.on("requestfailed", lambda request: found.troubles.append(f"failed: {request.url[:200]}"))
    found.page.on("request", asked)
    found.page.goto(allowed)
    return found


@pytest.fixture
def shown(browser: "Browser", pages: dict[str, Path]) -> "Iterator[Page]":
    """The English page at the size of a desktop; whatever a test does, the browser has nothing to say."""
    found = opened(browser, pages["en"], reduced_motion="reduce")
    yield found.page
    found.page.context.close()
    assert found.troubles == []


def order_of_rows(page: "Page") -> list[str]:
    rows = page.locator("table.sortable tbody tr th")
    return [str(row.get_attribute("data-key")) for row in rows.all()]


def expected_order(data: ReportData, metric: str, *, descending: bool) -> list[str]:
    values = {
        row.model: cell.value
        for row in data.table.rows
        for cell in row.cells
        if cell.metric == metric and not row.reference
    }
    return [*sorted(values, key=lambda model: values[model] or 0.0, reverse=descending), "ground-truth"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_page_opens_offline_without_a_word_and_fits_its_window(
    browser: "Browser", pages: dict[str, Path], language: str, viewport: dict[str, int]
) -> None:
    found = opened(browser, pages[language], viewport)
    page = found.page
    assert page.locator("html").get_attribute("lang") == Words(language)("html_lang")
    for summary in page.locator("summary").all():
        summary.click()
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(300)
    width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= inner == viewport["width"]
    broken = "[...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.alt)"
    assert page.evaluate(broken) == []
    page.context.close()
    assert found.troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: "Browser", pages: dict[str, Path], scheme: str) -> None:
    found = opened(browser, pages["en"], color_scheme=scheme)
    assert found.page.evaluate(LOW_CONTRAST) == []
    found.page.context.close()


LOW_CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.getClientRects().length || element.closest("svg")) continue;
    const [a, b] = [light(channels(getComputedStyle(element).color).slice(0, 3)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...found];
}"""


def test_no_id_is_there_twice_and_every_picture_has_a_text(shown: "Page") -> None:
    ids = shown.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert ids
    assert len(ids) == len(set(ids))
    assert shown.evaluate("[...document.images].filter(image => !image.alt.trim()).length") == 0
    assert shown.evaluate("[...document.images].length") > 10


IN_VIEW = """id => {
  const box = document.querySelector(id).getBoundingClientRect(), nav = document.querySelector("nav");
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  return box.top >= nav.clientHeight && (atEnd ? box.top < innerHeight : box.top < nav.clientHeight + 60);
}"""


def test_every_link_of_the_contents_leads_to_its_section(shown: "Page") -> None:
    links = shown.locator("nav a").all()
    assert len(links) >= 8
    for link in links:
        link.click()
        target = str(link.get_attribute("href"))
        shown.wait_for_function(IN_VIEW, arg=target)


def test_a_click_on_a_head_sorts_and_a_second_one_turns_the_order(shown: "Page", data: ReportData) -> None:
    for place, column in enumerate(data.table.columns, start=1):
        head = shown.locator("table.sortable thead th").nth(place)
        first = column.direction != "lower"
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == ("descending" if first else "ascending")
        assert order_of_rows(shown) == expected_order(data, column.metric, descending=first)
        assert column.header in shown.locator("#sorted").inner_text()
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == ("ascending" if first else "descending")
        assert order_of_rows(shown) == expected_order(data, column.metric, descending=not first)
        assert shown.locator("[aria-sort]").count() == 1


def test_names_sort_from_a_on(shown: "Page") -> None:
    button = shown.locator("table.sortable thead button").first
    button.click()
    assert order_of_rows(shown) == [*sorted(SYSTEMS), "ground-truth"]
    button.click()
    assert order_of_rows(shown) == [*sorted(SYSTEMS, reverse=True), "ground-truth"]


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_tables_sort_by_keyboard(shown: "Page", data: ReportData, key: str) -> None:
    shown.locator("table.sortable thead button").nth(1).focus()
    metric = data.table.columns[0].metric
    shown.keyboard.press(key)
    assert order_of_rows(shown) == expected_order(data, metric, descending=True)
    shown.keyboard.press(key)
    assert order_of_rows(shown) == expected_order(data, metric, descending=False)
    focused = shown.evaluate("document.activeElement.textContent")
    assert data.table.columns[0].header in focused


PLAYING = "videos => videos.every(video => video.readyState >= 2 && !video.paused && video.currentTime > 0)"
STILL = "videos => videos.every(video => video.paused)"


def times(example: Any) -> list[float]:
    return example.locator("video").evaluate_all("videos => videos.map(video => video.currentTime)")


def wait_for(page: "Page", example: Any, condition: str) -> None:
    videos = example.locator("video").element_handles()
    page.wait_for_function(f"videos => ({condition})(videos)", arg=videos)


def test_all_clips_of_an_item_play_together_and_stop_together(shown: "Page") -> None:
    for example in shown.locator(".example").all():
        toggle = example.locator("[data-do=toggle]")
        assert (toggle.inner_text(), toggle.get_attribute("aria-pressed")) == ("Play all", "false")
        toggle.click()
        wait_for(shown, example, PLAYING)
        assert (toggle.inner_text(), toggle.get_attribute("aria-pressed")) == ("Pause all", "true")
        first = times(example)
        assert len(first) == 3
        wait_for(shown, example, f"videos => videos.every((video, at) => video.currentTime !== {first}[at])")
        toggle.click()
        wait_for(shown, example, STILL)
        stopped = times(example)
        shown.wait_for_timeout(120)
        assert times(example) == stopped
        assert toggle.inner_text() == "Play all"


def at_frame(frame: int) -> str:
    """Whether every player stands in the middle of a frame, or at the end of the last one, once that has ended."""
    middle = f"Math.abs(video.currentTime - ({frame} + 0.5) / Number(video.dataset.fps)) < 1e-3"
    ended = f"{frame} === Number(video.dataset.frames) - 1 && video.currentTime === video.duration"
    return f"videos => videos.every(video => !video.seeking && ({middle} || {ended}))"


def test_keys_play_stop_and_step_by_a_frame(shown: "Page") -> None:
    example = shown.locator(".example").nth(1)
    example.focus()
    shown.keyboard.press("Space")
    wait_for(shown, example, PLAYING)
    shown.keyboard.press("Space")
    wait_for(shown, example, STILL)
    frames = example.locator("video").evaluate_all(
        "videos => videos.map(video => Math.floor(video.currentTime * Number(video.dataset.fps) + 1e-3))"
    )
    steps = "videos => videos.map(video => Math.floor(video.currentTime * Number(video.dataset.fps)))"
    shown.keyboard.press(".")
    shown.keyboard.press(".")
    assert example.locator("video").evaluate_all(steps) == [min(frame + 2, FRAMES - 1) for frame in frames]
    shown.keyboard.press(",")
    assert example.locator("video").evaluate_all(steps) == [min(frame + 2, FRAMES - 1) - 1 for frame in frames]
    for _ in range(FRAMES + 2):
        shown.keyboard.press(",")
    wait_for(shown, example, at_frame(0))
    other = shown.locator(".example").first
    assert times(other) == [0.0] * 3


def test_buttons_step_by_a_frame_and_stop_at_the_ends(shown: "Page") -> None:
    example = shown.locator(".example").first
    on, back = example.locator("[data-do=on]"), example.locator("[data-do=back]")
    back.click()
    wait_for(shown, example, at_frame(0))
    on.click()
    wait_for(shown, example, at_frame(1))
    for _ in range(FRAMES + 2):
        on.click()
    wait_for(shown, example, at_frame(FRAMES - 1))
    wait_for(shown, example, "videos => videos.every(video => video.readyState >= 2)")
    back.click()
    wait_for(shown, example, at_frame(FRAMES - 2))


def test_a_space_on_a_filmstrip_opens_it_and_plays_nothing(shown: "Page") -> None:
    example = shown.locator(".example").first
    summary = example.locator("summary")
    summary.focus()
    shown.keyboard.press("Space")
    assert example.locator("details").get_attribute("open") is not None
    assert example.locator("[data-do=toggle]").get_attribute("aria-pressed") == "false"
    images = example.locator(".strips img")
    assert images.count() == 4
    assert images.nth(1).is_visible()


def test_the_chooser_shows_the_groups_of_one_column(shown: "Page", data: ReportData) -> None:
    chooser = shown.locator("#breakdown-column")

    def visible() -> list[str]:
        tables = shown.locator("[data-column]").all()
        return [str(table.get_attribute("data-column")) for table in tables if table.is_visible()]

    first, *others = [column.metric for column in data.table.columns]
    assert visible() == [first]
    for metric in others:
        chooser.select_option(metric)
        assert visible() == [metric]
    chooser.focus()
    shown.keyboard.press("ArrowUp")
    assert visible() == [others[-2] if len(others) > 1 else first]


FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  const all = [...document.querySelectorAll("*")];
  return {
    at: all.indexOf(element),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
      && box.right > 0 && box.left < innerWidth,
    name: `${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}`,
  };
}"""
INTERACTIVE = """() => {
  const all = [...document.querySelectorAll("*")];
  const wanted = document.querySelectorAll("a[href], button, select, summary, [tabindex='0']");
  return [...wanted].filter((element) => !element.closest("[hidden]")).map((element) => all.indexOf(element));
}"""


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_everything_is_reached_by_tab_and_shows_it(
    browser: "Browser", pages: dict[str, Path], viewport: dict[str, int]
) -> None:
    found = opened(browser, pages["en"], viewport, reduced_motion="reduce")
    page = found.page
    # What is folded away is not reached, and need not be.
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    wanted = set(page.evaluate(INTERACTIVE))
    assert len(wanted) > 30
    reached: set[int] = set()
    hidden = []
    for _ in range(3 * len(wanted)):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["at"] in reached or focused["name"].startswith("BODY"):
            break
        reached.add(focused["at"])
        if not focused["outlined"] or not focused["seen"]:
            hidden.append(focused["name"])
    assert wanted - reached == set()
    assert hidden == []
    page.context.close()
    assert found.troubles == []


def test_a_page_without_scripts_still_shows_everything(browser: "Browser", pages: dict[str, Path]) -> None:
    found = opened(browser, pages["en"], java_script_enabled=False)
    page = found.page
    assert page.locator("table.sortable tbody tr").count() == 3
    assert page.locator("[data-column]").all()[-1].is_visible()
    page.context.close()
