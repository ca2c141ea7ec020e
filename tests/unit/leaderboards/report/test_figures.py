import io
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scored_systems import TRUTH, Scored

from anisora.harness.suite import Column
from anisora.leaderboards.report.figure_style import FORMATS
from anisora.leaderboards.report.figures import interval_figure, matrix_figure, save_figures

ITEMS = [f"item-{at}" for at in range(8)]
COLUMNS = (
    Column(metric="sharpness", header="Sharp", scale=100, decimals=1),
    Column(metric="flicker", header="Flicker"),
    Column(metric="flow", header="Flow"),
)


def drawn(seed: int, mean: float) -> dict[str, float]:
    return dict(zip(ITEMS, np.random.default_rng(seed).normal(mean, 0.02, len(ITEMS)).tolist(), strict=True))


def scored(columns=COLUMNS, *, untrained: str | None = None, **names: str) -> Scored:
    metrics = [column if isinstance(column, str) else column.metric for column in columns]
    means = {names.get("first", "damage/blur:severity=1"): 0.3, "beta": 0.6, TRUTH: 0.5}
    systems = {
        model: {metric: drawn(10 * at + place, mean) for place, metric in enumerate(metrics)}
        for at, (model, mean) in enumerate(means.items())
    }
    return Scored(systems, columns, untrained=untrained)


def saved(folder: Path, made: Scored) -> dict[str, bytes]:
    """Save the figures as a report does; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = save_figures(folder, made.table, made.matrix({"beta": ["sharpness"]}))
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return saved(tmp_path_factory.mktemp("figures"), scored())


def texts_of(svg: bytes) -> list[str]:
    return [text for text in ElementTree.fromstring(svg).itertext() if text.strip()]


def test_both_figures_come_in_every_format(files: dict[str, bytes]) -> None:
    assert set(files) == {f"{name}.{kind}" for name in ("intervals", "matrix") for kind in FORMATS}


@pytest.mark.parametrize("name", ["intervals", "matrix"])
def test_a_png_is_a_picture_that_is_not_blank(files: dict[str, bytes], name: str) -> None:
    with Image.open(io.BytesIO(files[f"{name}.png"])) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
        assert not {"Date", "Creation Time"} & set(picture.info)
    assert min(pixels.shape[:2]) > 100
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize("name", ["intervals", "matrix"])
def test_an_svg_is_well_formed_and_loads_nothing(files: dict[str, bytes], name: str) -> None:
    root = ElementTree.fromstring(files[f"{name}.svg"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    links = [value for node in root.iter() for key, value in node.attrib.items() if key.endswith("href")]
    assert [link for link in links if not link.startswith("#")] == []
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


@pytest.mark.parametrize("name", ["intervals", "matrix"])
def test_a_pdf_is_whole_and_has_its_fonts_inside(files: dict[str, bytes], name: str) -> None:
    content = files[f"{name}.pdf"]
    assert content.startswith(b"%PDF-1.")
    assert content.rstrip().endswith(b"%%EOF")
    start = int(re.findall(rb"startxref\s+(\d+)", content)[-1])
    assert content[start:].startswith(b"xref")
    assert b"/FontFile2" in content  # TrueType, which journals ask for


def test_equal_tables_give_equal_files_without_a_date(files: dict[str, bytes], tmp_path: Path) -> None:
    assert saved(tmp_path, scored()) == files
    for name, content in files.items():
        assert b"CreationDate" not in content, name
        assert b"ModDate" not in content, name
        assert b"<dc:date>" not in content, name


def test_figures_name_every_system_and_every_column(files: dict[str, bytes]) -> None:
    for name in ("intervals", "matrix"):
        told = " ".join(texts_of(files[f"{name}.svg"]))
        for expected in ("damage/blur:severity=1", "beta", "Sharp", "Flicker", "Flow"):
            assert expected in told
        assert TRUTH not in told


def test_the_matrix_has_a_sign_for_each_verdict(files: dict[str, bytes]) -> None:
    told = texts_of(files["matrix.svg"])
    signs = [text.strip() for text in told if text.strip() in ("−", "+", "·")]
    matrix = scored().matrix()
    wanted = {"worse": "−", "better": "+", "alike": "·"}
    assert signs == [wanted[effect.verdict] for row in matrix.rows for effect in row.effects]


def test_intervals_stand_where_the_numbers_are() -> None:
    made = scored()
    figure = interval_figure(made.table)
    panel = figure.axes[0]
    assert panel.get_title() == "Sharp ↑"
    for place, row in enumerate(row for row in made.table.rows if not row.reference):
        interval, point = panel.lines[2 * place : 2 * place + 2]
        cell = row.cells[0]
        assert cell.low is not None
        assert list(interval.get_xdata()) == [cell.low * 100, cell.high * 100]
        assert (list(point.get_xdata()), list(point.get_ydata())) == ([cell.value * 100], [place])
    truth = made.table.rows[-1].cells[0].value
    assert list(panel.lines[-1].get_xdata()) == [truth * 100] * 2


def test_a_cell_without_a_value_is_not_drawn() -> None:
    made = Scored({"alpha": {"sharpness": dict.fromkeys(ITEMS)}, TRUTH: {"sharpness": drawn(0, 0.5)}})
    assert len(interval_figure(made.table).axes[0].lines) == 1  # the ground truth


def test_random_weights_are_told_in_every_figure() -> None:
    made = scored(untrained="untrained:normal:0")
    for figure in (interval_figure(made.table), matrix_figure(made.matrix({}))):
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert names
        assert all(name.endswith(" [UNTRAINED]") for name in names)


def test_what_was_expected_has_a_frame() -> None:
    made = scored()
    bare, framed = (matrix_figure(made.matrix(expected)).axes[0] for expected in ({}, {"beta": ["flow", "flicker"]}))
    assert len(bare.patches) == 6
    assert len(framed.patches) == 8


def test_many_columns_go_on_in_a_second_line() -> None:
    made = scored(columns=("sharpness", "flicker", "flow", "ssim", "psnr"))
    panels = interval_figure(made.table).axes
    assert [panel.get_visible() for panel in panels] == [True] * 5 + [False] * 3


def test_without_ground_truth_there_is_no_matrix(tmp_path: Path) -> None:
    made = Scored({"alpha": {"sharpness": drawn(0, 0.5)}})
    paths = save_figures(tmp_path / "new" / "figures", made.table, None)
    assert [path.name for path in paths] == [f"intervals.{kind}" for kind in FORMATS]
    assert all(path.stat().st_size > 0 for path in paths)


def test_names_that_read_as_mathematics_are_drawn_as_they_are(tmp_path: Path) -> None:
    name, header = r"a$\frac{$ _^ & <b>", "$x^2$ & <i>"
    columns = (Column(metric="sharpness", header=header), Column(metric="flicker", header="an $odd one"))
    files = saved(tmp_path, scored(columns, first=name))
    for figure in ("intervals.svg", "matrix.svg"):
        told = " ".join(texts_of(files[figure]))
        assert name in told
        assert header in told
        assert "an $odd one" in told


def test_heads_that_the_font_lacks_give_way_to_the_names_of_metrics(tmp_path: Path) -> None:
    columns = (Column(metric="sharpness", header="锐度"), Column(metric="flicker", header="ΔE"))
    files = saved(tmp_path, scored(columns, first="月の模型"))
    for figure in ("intervals.svg", "matrix.svg"):
        told = " ".join(texts_of(files[figure]))
        assert "锐度" not in told
        assert "sharpness" in told
        assert "ΔE" in told
        assert r"\u6708" in told
