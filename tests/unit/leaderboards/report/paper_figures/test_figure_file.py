"""The files beside figures: written and read alike, and refused where they are not what they should be."""

import json
from pathlib import Path
from typing import Any

import pytest
from drawn_systems import drawn_systems

from anisora.harness.errors import DataError
from anisora.leaderboards.report.paper_figures.figure_file import read_figure, write_figure
from anisora.leaderboards.report.paper_figures.save import paper_figures

DRAWINGS = dict(paper_figures(drawn_systems().report(), trade_off=("flow", "sharpness")).drawings)


@pytest.mark.parametrize("name", list(DRAWINGS))
def test_what_is_written_is_read_and_equal_data_give_equal_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "figure.json"
    write_figure(path, DRAWINGS[name])
    first = path.read_bytes()
    assert read_figure(path) == DRAWINGS[name]
    write_figure(path, read_figure(path))
    assert path.read_bytes() == first
    content = json.loads(first)
    assert {"figure", "language", "suite", "title", "note"} <= set(content)


def changed(name: str, *keys: str | int, value: Any) -> dict[str, Any]:
    content = json.loads(DRAWINGS[name].model_dump_json())
    part = content
    for key in keys[:-1]:
        part = part[key]
    if value is None:
        del part[keys[-1]]
    else:
        part[keys[-1]] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Invalid JSON"),
        ("[]", "`the file` got"),
        ({"figure": "pie"}, "Input tag 'pie'"),
        ({"figure": "forest"}, r"`forest\.language` got .*: Field required"),
        (changed("forest", "systems", value=None), r"`forest\.systems` got .*: Field required"),
        (changed("forest", "systems", 0, "label", value=3), r"`forest\.systems\.0\.label` got 3"),
        (changed("forest", "extra", value=1), r"`forest\.extra` got 1: Extra inputs are not permitted"),
        (changed("forest", "systems", value=[]), r"`forest\.systems` got \[\]"),
        (changed("forest", "panels", 0, "differences", value=[None]), "expected 3 differences in every panel"),
        (changed("forest", "verdicts", value={}), "expected every verdict"),
        (changed("forest", "panels", 0, "axis", "decimals", value=10**9), r"decimals` got 1000000000"),
        (changed("forest", "level", value="0.95"), r"`forest\.level` got '0\.95'"),
        (changed("forest", "language", value="de"), r"`forest\.language` got 'de'"),
        (changed("radar", "lines", 0, "places", value=[0.5]), "expected 3 values and places in every line"),
        (changed("radar", "spokes", value=[]), r"`radar\.spokes` got \[\]"),
        (changed("critical-difference", "panels", 0, "groups", value=[[7]]), "expected places in `ranks`"),
        (changed("critical-difference", "panels", 0, "ranks", 0, "system", value=-1), "each of a place in `systems`"),
        (changed("pareto", "points", value=[]), r"`pareto\.points` got \[\]"),
        (changed("pareto", "marks", value={}), "every mark in `marks`"),
        (changed("heat-map", "limits", value=[1.0, 1.0]), "expected the first of `limits` below the second"),
        (changed("heat-map", "labels", 0, "cells", value=[]), "expected 3 cells in every label"),
        (changed("heat-map", "labels", 0, "cells", 0, "value", value=1e300), r"got 1e\+300"),
    ],
)
def test_a_file_that_is_not_the_data_of_a_figure_is_refused_on_one_line(
    content: str | dict, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "figure.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read_figure(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(number: str, tmp_path: Path) -> None:
    path = tmp_path / "figure.json"
    text = DRAWINGS["forest"].model_dump_json()
    assert '"level":0.95' in text
    path.write_text(text.replace('"level":0.95', f'"level":{number}'), encoding="utf-8")
    with pytest.raises(DataError, match="is not the data of a figure"):
        read_figure(path)


def test_a_file_that_is_not_there_is_named_with_the_nearest_that_is(tmp_path: Path) -> None:
    write_figure(tmp_path / "forest.json", DRAWINGS["forest"])
    with pytest.raises(DataError, match=r"`.*forst\.json` does not exist; .* did you mean `.*forest\.json`\?"):
        read_figure(tmp_path / "forst.json")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "figure.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(DataError, match="has 1073741824 bytes; expected the data of a figure, at most 67108864"):
        read_figure(path)
