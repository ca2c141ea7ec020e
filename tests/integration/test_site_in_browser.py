"""The pages of a board in a real browser, from the disk and offline: by clicks, by keys, on a phone.

Needs the package ``playwright`` and a Chromium that is installed apart; without them the tests are skipped.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import DESKTOP, NEEDS_CHROMIUM, PHONE
from records import make_run

from anisora.leaderboards.site.page import INDEX
from anisora.leaderboards.site.words import SiteWords
from anisora.leaderboards.site.write import write_site
from anisora.leaderboards.store import Leaderboard
from anisora.leaderboards.submission import Submission
from anisora.leaderboards.words import LANGUAGES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = NEEDS_CHROMIUM

METRICS = ("flicker", "sharpness", "flow", "a_metric_with_a_long_name", "another_metric_with_a_long_name")
HOSTILE = "<img src=//example.org/x.png onerror=alert(1)>"
LONG = "a-model-whose-name-goes-on-" * 6


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Leaderboard:
    made = Leaderboard.open(tmp_path_factory.mktemp("board") / "board.duckdb")
    for seed, (model, fields) in enumerate(
        {
            "alpha": {},
            "beta": {},
            "gamma": {},
            LONG: {"run_id": "smoke-long"},
            HOSTILE: {"run_id": "smoke-hostile"},
            "truth": {"reference": True},
            "gone": {},
            "random": {"untrained": "untrained:he:0"},
            "lossy": {"fields": {"encoder": "h264/yuv420p"}},
        }.items()
    ):
        made.add(*make_run(model, seed=seed, metrics=METRICS, **fields))  # type: ignore[arg-type]
    made.restate(Submission(run_id="smoke-beta", status="verified", note="by A. Example", date="2026-01-05"))
    made.withdraw("smoke-gone", reason=f"a mistake {HOSTILE} {LONG}", date="2026-01-06T00:00:00+00:00")
    return made


@pytest.fixture(scope="module")
def sites(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{language: folder of the site}."""
    folders = {language: tmp_path_factory.mktemp("published") / "site" for language in LANGUAGES}
    for language, folder in folders.items():
        write_site(board, folder, language=language)
    return folders


def opened(browser: "Browser", folder: Path, viewport: dict[str, int]) -> "tuple[Page, list[str]]":
    """Return the index, and what the browser has to say from then on: messages, errors, requests to elsewhere."""
    context = browser.new_context(viewport=viewport)
    context.set_offline(True)
    page, troubles = context.new_page(), []
    within = folder.as_uri() + "/"
    page.on("console", lambda message: troubles.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url[:200]}"))
    page.on(
        "request",
        lambda request: request.url.startswith(("data:", within)) or troubles.append(f"request: {request.url[:200]}"),
    )
    page.goto(within + INDEX)
    return page, troubles


@pytest.fixture
def index(browser: "Browser", sites: dict[str, Path]) -> "Iterator[Page]":
    page, troubles = opened(browser, sites["en"], DESKTOP)
    yield page
    page.context.close()
    assert troubles == []


def fits(page: "Page", viewport: dict[str, int]) -> bool:
    width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return bool(width <= inner == viewport["width"])


def order_of_rows(page: "Page") -> list[str]:
    rows = page.locator("#table-1 table.sortable tbody tr th")
    return [str(row.get_attribute("data-key")) for row in rows.all()]


def expected_order(board: Leaderboard, metric: str, *, descending: bool) -> list[str]:
    values = {}
    for model in ("alpha", "beta", "gamma", LONG, HOSTILE):
        result = board.find("smoke@1", model).result(metric)
        assert result is not None
        values[model] = result.value or 0.0
    return [*sorted(values, key=lambda model: values[model], reverse=descending), "truth"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_clicks_lead_from_the_index_to_every_system_and_back(
    browser: "Browser", sites: dict[str, Path], language: str, viewport: dict[str, int]
) -> None:
    words = SiteWords(language)
    page, troubles = opened(browser, sites[language], viewport)
    assert page.locator("html").get_attribute("lang") == words("html_lang")
    assert fits(page, viewport)
    page.locator("#suites a").click()
    assert page.locator("h1").inner_text() == "smoke@1"
    assert fits(page, viewport)
    count = page.locator("main th a").count()
    assert count == 10  # the ground truth stands in two tables
    for place in range(count):
        link = page.locator("main th a").nth(place)
        link.click()
        assert "/runs/" in page.url
        for summary in page.locator("summary").all():
            summary.click()
        assert fits(page, viewport), page.url
        page.locator("nav a").nth(1).click()
        assert page.locator("h1").inner_text() == "smoke@1"
    page.locator("nav a").first.click()
    assert page.url.endswith(INDEX)
    page.context.close()
    assert troubles == []


def test_a_click_sorts_and_another_turns_the_order(index: "Page", board: Leaderboard) -> None:
    index.locator("#suites a").click()
    for place, (metric, first) in enumerate((("flicker", False), ("sharpness", True)), start=1):
        head = index.locator("#table-1 thead th").nth(place)
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == ("descending" if first else "ascending")
        assert order_of_rows(index) == expected_order(board, metric, descending=first)
        assert metric in index.locator("#sorted").inner_text()
        head.locator("button").click()
        assert order_of_rows(index) == expected_order(board, metric, descending=not first)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_tables_sort_by_keyboard(index: "Page", board: Leaderboard, key: str) -> None:
    index.locator("#suites a").click()
    for _ in range(60):
        index.keyboard.press("Tab")
        if "sharpness" in index.evaluate("document.activeElement.closest('button')?.textContent || ''"):
            break
    index.keyboard.press(key)
    assert order_of_rows(index) == expected_order(board, "sharpness", descending=True)
    index.keyboard.press(key)
    assert order_of_rows(index) == expected_order(board, "sharpness", descending=False)


def test_the_index_opens_suites_and_systems_by_keyboard(index: "Page") -> None:
    index.locator("#suites a").focus()
    index.keyboard.press("Enter")
    index.wait_for_url("**/suites/*")
    index.locator("#table-1 tbody a").first.focus()
    index.keyboard.press("Enter")
    index.wait_for_url("**/runs/*")
    assert index.locator("#results tbody tr").count() == len(METRICS)


def test_the_board_and_the_tables_can_be_downloaded(browser: "Browser", sites: dict[str, Path]) -> None:
    page, troubles = opened(browser, sites["en"], DESKTOP)
    with page.expect_download() as board:
        page.locator("#downloads a").click()
    assert board.value.suggested_filename == "leaderboard.duckdb"
    page.locator("#suites a").click()
    page.locator("#table-1 a[download]").click()
    page.wait_for_url("**/*-1.json")  # from a disk, a browser shows what it can
    page.context.close()
    # A download ends the request for a page.
    assert [trouble for trouble in troubles if not trouble.startswith("failed: file:")] == []


def test_names_and_reasons_are_text(index: "Page") -> None:
    index.locator("#suites a").click()
    assert index.locator("img").count() == 0
    assert HOSTILE in index.locator("#table-1").inner_text()
    assert HOSTILE in index.locator("#withdrawn").inner_text()
    assert index.locator("#table-1 tbody", has_text="verified").count() == 1
