import base64
import hashlib
import re
from typing import Any

import pytest
from html_tree import Element, parsed
from scored_systems import TRUTH, Scored

from anisora.harness.suite import Column
from anisora.harness.types import Sample
from anisora.leaderboards.report.breakdown import break_down
from anisora.leaderboards.report.choice import Choice
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.media import STRIP_FRAMES, Moving
from anisora.leaderboards.report.page import Extra, ExtraTable, Media, html_page
from anisora.leaderboards.words import LANGUAGES, Words, texts

ITEMS = [f"item-{at}" for at in range(8)]
HOSTILE = "<script>alert(1)</script>"
QUOTES = """a "girl" who's </p><img src=x onerror=alert(2)> & waves"""
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


def around(mean: float, step: float = 0.01) -> dict[str, float]:
    return {item: mean + step * (at - 3.5) for at, item in enumerate(ITEMS)}


def moving() -> Moving:
    return Moving(
        video="data:video/mp4;base64,AAAA", poster=PIXEL, strip=PIXEL, width=64, height=48, fps=12.0, frames=8
    )


def scored(model: str = "alpha", **fields: Any) -> Scored:
    systems = {
        model: {"sharpness": around(0.3), "flicker": around(0.2), "flow": around(0.4)},
        "beta": {"sharpness": around(0.8)},
        TRUTH: {"sharpness": around(0.5), "flicker": around(0.3), "flow": around(0.5)},
    }
    return Scored(systems, **{"title": "Three systems", **fields})


def report(made: Scored | None = None, label: str = "walk", prompt: str = "a girl walks", **fields: Any) -> ReportData:
    """A report with two examples and a breakdown, of which no file exists."""
    made = made or scored()
    groups = {item: label if at % 2 else "run" for at, item in enumerate(ITEMS)}
    given: dict[str, Any] = {
        "breakdowns": (break_down("label", groups, made.table, made.scores),),
        "choices": (
            Choice(item="item-1", kind="best", quality=0.75, dispute=0.125),
            Choice(item="item-2", kind="disputed", quality=0.5, dispute=0.5),
        ),
        "samples": {item: Sample(id=item, prompt=prompt, label=groups[item]) for item in ITEMS},
    }
    return made.report(**{**given, **fields})


def media(data: ReportData) -> Media:
    runs = [row.run_id for row in data.table.rows]
    return Media(
        clips={(run, item): moving() for run in runs for item in ("item-1", "item-2")},
        conditions={"item-1": PIXEL},
        sheet=dict.fromkeys(ITEMS, PIXEL),
        figures={"intervals": PIXEL},
    )


EXTRA = Extra(
    id="published",
    title="Published",
    paragraphs=("Not reproduced.",),
    tables=(ExtraTable(caption="A caption", header=("Model", "Score"), rows=(("one", "1.5"), ("two", "-"))),),
)


def html(data: ReportData | None = None, language: str = "en", **fields: Any) -> str:
    data = data or report()
    return html_page(data, media(data), Words(language), **{"extras": [EXTRA], **fields})


def page(data: ReportData | None = None, language: str = "en", **fields: Any) -> Element:
    return parsed(html(data, language, **fields))


def row_of(page: Element, model: str) -> list[Element]:
    """The cells of a system in the leaderboard, by column."""
    table = page.one(id="leaderboard").one("table")
    (row,) = [row for row in table.all("tr") if row.all("th", scope="row", **{"data-key": model})]
    return row.all("td")


def test_what_comes_from_records_is_text_and_never_markup() -> None:
    columns = [Column(metric="sharpness", header='Sharp <b> & "more"'), "flicker", "flow"]
    made = scored(HOSTILE, columns=columns, title=HOSTILE)
    data = report(made, label="pan & <zoom>", prompt=QUOTES, notes=(f"note {HOSTILE}",))
    extra = Extra(
        id="mine",
        title=HOSTILE,
        paragraphs=(QUOTES,),
        tables=(ExtraTable(caption=HOSTILE, header=(QUOTES,), rows=((HOSTILE,),)),),
    )
    read = page(data, extras=[extra])
    assert len(read.all("script")) == 1
    handlers = [name for element in read.all() for name in element.attributes if name.startswith("on")]
    assert handlers == []
    assert [image for image in read.all("img") if not image.attributes["src"].startswith("data:")] == []
    assert len(row_of(read, HOSTILE)) == 5
    assert read.one("title").text == f"{HOSTILE} · Report"
    assert read.one("h1").text == HOSTILE
    assert [paragraph.text for paragraph in read.one(id="mine").all("p")] == [QUOTES]
    prompts = [paragraph.text for paragraph in read.one(id="examples").all("p") if paragraph.text == QUOTES]
    assert len(prompts) == 2
    assert "pan & <zoom>" in [head.text for head in read.one(id="breakdown").all("th", scope="row")]
    assert any('Sharp <b> & "more"' in head.text for head in read.one(id="leaderboard").all("th", scope="col"))
    assert any(video.attributes["aria-label"] == HOSTILE for video in read.all("video"))
    assert read.one(id="protocol").all("p")[-1].text == f"note {HOSTILE}"


def test_the_page_may_run_its_own_script_and_load_nothing() -> None:
    read = page()
    policy = read.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (script,) = read.all("script")
    assert all(isinstance(part, str) for part in script.content)
    digest = hashlib.sha256("".join(map(str, script.content)).encode()).digest()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert (rules["img-src"], rules["media-src"]) == ("data:", "data:")
    assert script.attributes == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_loaded_from_elsewhere(language: str) -> None:
    content = html(language=language)
    read = parsed(content)
    for element in read.all():
        for name in ("src", "href", "poster", "srcset", "action", "data", "xlink:href"):
            value = element.attributes.get(name, "")
            assert value.startswith(("data:", "#")) or not value, (element.tag, name, value)
    style = read.one("style").text
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"https?://", content)


def test_links_inside_the_page_lead_somewhere_and_no_id_is_there_twice() -> None:
    read = page()
    ids = [element.attributes["id"] for element in read.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    targets = [link.attributes["href"] for link in read.all("a")]
    assert targets
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    sections = [section.attributes["id"] for section in read.all("section")]
    assert [target.removeprefix("#") for target in targets[1:]] == sections
    for label in read.all("label"):
        assert label.attributes["for"] in ids


def test_every_picture_and_every_player_has_a_name() -> None:
    read = page()
    assert len(read.all("video")) == 6
    assert all(image.attributes["alt"].strip() for image in read.all("img"))
    assert all(video.attributes["aria-label"].strip() for video in read.all("video"))
    assert all(button.text for button in read.all("button"))
    assert all(region.attributes["aria-label"] for region in read.all(role="region"))


def test_a_missing_cell_is_a_dash_with_its_reason_and_never_zero() -> None:
    systems = {
        "alpha": {"sharpness": around(0.5), "flicker": dict.fromkeys(ITEMS)},
        "beta": {"sharpness": around(0.0)},
    }
    read = page(Scored(systems).report())
    unscored, absent, zero = row_of(read, "alpha")[1], row_of(read, "beta")[1], row_of(read, "beta")[0]
    for cell, reason in ((unscored, "nothing was scored"), (absent, "not in this run")):
        assert cell.text == "-"
        assert cell.one("span").attributes["title"] == reason
        assert cell.attributes["data-key"] == ""
        assert cell.all("svg") == []
    assert zero.all("span")[0].text == "0.0000"
    assert float(zero.attributes["data-key"]) == pytest.approx(0.0, abs=1e-12)


def test_a_cell_has_its_value_its_interval_and_its_place_on_the_scale() -> None:
    made = scored(columns=[Column(metric="sharpness", header="Sharp", scale=100, decimals=1)])
    cell = made.table.rows[0].cells[0]
    assert cell.low is not None
    assert cell.high is not None
    shown = row_of(page(report(made)), "alpha")[0]
    assert float(shown.attributes["data-key"]) == pytest.approx(30.0)
    value, interval = shown.all("span")
    assert value.text == "30.0"
    assert interval.text == f"[{100 * cell.low:.1f}, {100 * cell.high:.1f}]"
    assert shown.one("svg").attributes["aria-label"] == interval.text
    bar, point = shown.one("line", class_="span").attributes, shown.one("circle").attributes
    assert 0 <= float(bar["x1"]) < float(point["cx"]) < float(bar["x2"]) <= 100
    assert float(bar["x1"]) == pytest.approx(3.0)  # the lowest number of the column


def test_the_best_and_the_suspiciously_good_are_marked() -> None:
    read = page()
    alpha, beta = row_of(read, "alpha"), row_of(read, "beta")
    assert "best" in beta[0].attributes["class"]
    title = beta[0].one("span", class_="value").attributes["title"]
    assert title == f"8 of 8 items, 8 clusters; {Words('en')('best')}"
    assert beta[0].one("span", class_="star").attributes["title"] == Words("en")("star")
    assert "class" not in alpha[0].attributes
    assert not alpha[0].all("span", class_="star")
    assert alpha[1].all("span", class_="star")


def test_the_ground_truth_has_a_body_of_its_own_after_the_systems() -> None:
    bodies = page().one(id="leaderboard").one("table").all("tbody")
    names = [[head.attributes["data-key"] for head in body.all("th")] for body in bodies]
    assert names == [["alpha", "beta"], [TRUTH]]
    assert bodies[1].attributes["class"] == "truth"


def test_a_cell_of_other_coverage_tells_it() -> None:
    values = {**around(0.5), ITEMS[0]: None}
    systems = {"alpha": {"sharpness": around(0.5), "ssim": around(0.5), "flicker": values}}
    cells = row_of(page(Scored(systems).report()), "alpha")
    told = ["7 of 8 items, 7 clusters" in cell.text for cell in cells]
    assert told == [False, False, True, False, False]
    assert [cell.text for cell in cells[-2:]] == ["8/8", "8"]


def test_few_clusters_give_a_reason_in_place_of_an_interval() -> None:
    values = dict.fromkeys(ITEMS[:3], 0.5)
    cell = row_of(page(Scored({"alpha": {"sharpness": values}}).report()), "alpha")[0]
    assert cell.text == "0.5000 no interval: 3 clusters; an interval needs 6"
    assert cell.all("svg") == []


def test_the_matrix_has_a_sign_a_number_and_what_was_expected() -> None:
    made = scored()
    data = report(made, matrix=made.matrix({"alpha": ["sharpness"], "beta": ["sharpness", "flow"]}))
    rows = {row.one("th").text: row.all("td") for row in page(data).one(id="matrix").one("tbody").all("tr")}
    alpha, beta = rows["alpha"], rows["beta"]
    assert [cell.one("b").text for cell in alpha] == ["−", "+", "−"]
    assert [cell.one("b").text for cell in beta] == ["+", "", ""]
    assert alpha[0].attributes["class"].split() == ["worse", "expected"]
    assert beta[0].attributes["class"].split() == ["better", "expected", "broken"]
    assert beta[2].attributes["class"].split() == ["unknown", "expected", "broken"]
    assert alpha[0].one("small").text == "-0.2000"
    assert beta[0].one("small").text == "+0.3000"
    assert beta[2].one("small").text == ""
    assert alpha[0].attributes["title"] == "sharpness; worse; expected; [-0.2000, -0.2000]"


def test_findings_are_computed_from_the_rows() -> None:
    model = "damage/freeze:severity=1"
    made = scored(model)
    data = report(made, matrix=made.matrix({model: ["sharpness"], "beta": ["sharpness"]}))
    found = page(data).one("ul", class_="findings").all("li")
    assert [(item.text, item.attributes.get("class")) for item in found] == [
        (f"1 of 3 columns prefer the frozen clip ({model}) to the real one: flicker.", "bad"),
        ("2 of 2 columns rate some system above the ground truth.", "bad"),
        ("1 of 2 expectations that were written down before anything was scored hold.", "bad"),
        ("Not met: beta is not worse by sharpness.", "bad"),
    ]


def test_good_findings_are_not_marked() -> None:
    systems = {"damage/freeze": {"sharpness": around(0.1)}, TRUTH: {"sharpness": around(0.5)}}
    made = Scored(systems)
    data = made.report(matrix=made.matrix({"damage/freeze": ["sharpness"]}))
    found = page(data).one("ul", class_="findings").all("li")
    assert [(item.text.partition(" columns")[0], item.attributes) for item in found[:2]] == [("0 of 1", {})] * 2
    assert found[2].text.startswith("1 of 1 expectations")
    assert found[2].attributes == {}


def test_without_ground_truth_there_is_neither_matrix_nor_finding() -> None:
    read = page(Scored({"alpha": {"sharpness": around(0.5)}}).report())
    sections = {section.attributes["id"] for section in read.all("section")}
    assert not sections & {"matrix", "findings", "breakdown"}
    assert {"leaderboard", "examples", "protocol", "own"} <= sections
    assert len(read.one(id="leaderboard").all("tbody")) == 1


def test_runs_of_random_weights_have_a_banner() -> None:
    assert page().all(class_="banner") == []
    made = scored(untrained="untrained:normal:0", model="tiny")
    read = page(report(made))
    assert read.one(class_="banner").text == "UNTRAINED: random weights; the numbers mean nothing."
    names = [head.text for head in read.one(id="leaderboard").all("th", scope="row")]
    assert names == ["beta [UNTRAINED]", "tiny [UNTRAINED]", f"{TRUTH} [UNTRAINED]"]


def test_groups_have_one_table_a_metric_and_a_chooser() -> None:
    section = page().one(id="breakdown")
    assert [option.attributes["value"] for option in section.one("select").all("option")] == [
        "sharpness",
        "flicker",
        "flow",
    ]
    tables = section.all("div", **{"class_": "scroll"})
    assert [table.attributes["data-column"] for table in tables] == ["sharpness", "flicker", "flow"]
    rows = {row.one("th").text: [cell.text for cell in row.all("td")] for row in tables[1].one("tbody").all("tr")}
    assert rows == {"run": ["4", "0.1950", "-", "0.2950"], "walk": ["4", "0.2050", "-", "0.3050"]}


def test_an_example_has_its_condition_and_the_ground_truth_first() -> None:
    first, second = page().all("article")
    assert [clip.attributes["aria-label"] for clip in first.all("video")] == [TRUTH, "alpha", "beta"]
    assert first.one("figure", class_="truth").one("figcaption").text == TRUTH
    assert first.one("h3").text == "Best item-1 · walk"
    assert "mean percentile 0.75, dispute 0.12" in first.text
    assert [image.attributes["alt"] for image in first.one("div", class_="players").all("img")] == ["condition"]
    assert second.one("div", class_="players").all("img") == []
    assert f"{STRIP_FRAMES} frames" in first.one("summary").text
    video = first.all("video")[0].attributes
    assert (video["data-fps"], video["data-frames"], video["width"], video["height"]) == ("12.0", "8", "64", "48")
    assert {"muted", "loop", "playsinline"} <= set(video)


def test_an_example_without_any_clip_is_left_out_and_told() -> None:
    data = report()
    read = parsed(html_page(data, Media(), Words("en")))
    assert read.all("article") == []
    assert "The clips are not on this machine." in read.one(id="examples").text
    assert read.all(id="sheet") == read.all(id="figures") == []


def test_a_sheet_of_some_items_says_of_how_many() -> None:
    data = report()
    whole = html_page(data, media(data), Words("en"))
    part = html_page(data, Media(sheet=dict.fromkeys(ITEMS[:3], PIXEL)), Words("en"))
    assert "3 of 8 items, evenly spaced." in parsed(part).one(id="sheet").text
    assert "evenly spaced." not in parsed(whole).one(id="sheet").text
    assert [note.text for note in parsed(part).one(id="sheet").all("figcaption")] == [
        "item-0 · run",
        "item-1 · walk",
        "item-2 · run",
    ]


def test_a_chinese_page_is_marked_as_such_and_has_chinese_heads() -> None:
    columns = [
        Column(metric="sharpness", header="Sharp", header_zh="锐度").in_language("zh"),
        Column(metric="flicker", header="Flicker").in_language("zh"),
    ]
    read = page(report(scored(columns=columns, language="zh")), "zh")
    assert read.one("html").attributes["lang"] == "zh-CN"
    assert page().one("html").attributes["lang"] == "en"
    extra = {EXTRA.title}
    for head in read.all("h2"):
        assert head.text in extra or re.search(r"[\u4e00-\u9fff]", head.text), head.text
    heads = [head.text for head in read.one(id="leaderboard").all("th", scope="col")]
    assert heads == ["系统", "锐度 ↑", "Flicker ↓", "样本", "聚类"]
    assert read.one("select").all("option")[0].text == "锐度 ↑"
    assert "越高越好" in read.one(id="leaderboard").all("th", scope="col")[1].attributes["title"]


def test_no_english_sentence_is_left_in_a_chinese_page() -> None:
    shown = page(report(scored(language="zh")), "zh", extras=[]).one("body").text
    sentences = [written["en"] for written in texts().values() if len(written["en"].split()) > 2]
    fixed = [re.split(r"\{[^}]*\}", sentence) for sentence in sentences]
    pieces = {piece.strip() for parts in fixed for piece in parts if len(piece.split()) > 2}
    assert len(pieces) > 20
    assert [piece for piece in pieces if piece in shown] == []


def test_the_same_report_gives_the_same_page() -> None:
    assert html() == html()
    assert html(language="zh") != html()


def test_every_extra_section_is_shown_with_its_tables() -> None:
    section = page().one(id="published")
    assert section.one("caption").text == "A caption"
    assert [[cell.text for cell in row.all()] for row in section.all("tr")] == [
        ["Model", "Score"],
        ["one", "1.5"],
        ["two", "-"],
    ]
