"""All figures of a paper: what is written, that it is drawn again to the same bytes, and what is refused."""

import io
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from drawn_systems import drawn_systems, labels_of_items
from PIL import Image
from scored_systems import TRUTH

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.suite import Column
from anisora.harness.types import Clip
from anisora.leaderboards.report.breakdown import break_down
from anisora.leaderboards.report.choice import Choice
from anisora.leaderboards.report.data import ReportData
from anisora.leaderboards.report.figure_style import FORMATS, figure_style
from anisora.leaderboards.report.paper_figures import save
from anisora.leaderboards.report.paper_figures.figure_file import Picture, draw_figure, read_figure
from anisora.leaderboards.report.paper_figures.save import CAPTIONS, paper_figures, replot, save_paper_figures

PICTURES = ("radar", "forest", "critical-difference", "pareto", "heat-map", "filmstrip-best")
COLUMNS = (
    Column(metric="flow_magnitude", header="Flow"),
    Column(metric="subject_consistency", header="Subject", scale=100, decimals=1),
    Column(metric="flicker", header="Flicker"),
)
HOSTILE = (r"a$\frac{$ _^ & <b>", "b ${x}\x1b[31m\n月", "='c'|x " + "w" * 60)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    frames = np.random.default_rng(0).integers(0, 256, (6, 36, 64, 3), np.uint8)
    with DecoderPool() as pool:
        pool.encode(frames, fps=12.0, path=path, encoder="ffv1")
    return Clip(path=path, digest="d" * 64)


def report(
    clip: Clip | None, names: tuple[str, str, str] = ("alpha", "beta", "gamma"), header: str = "Flow"
) -> ReportData:
    """A report that has every figure; without a clip, all but filmstrips."""
    columns = (COLUMNS[0].model_copy(update={"header": header}), *COLUMNS[1:])
    means = dict(zip((*names, TRUTH), (0.45, 0.52, 0.7, 0.5), strict=True))
    scored = drawn_systems(means, columns)
    styles = {item: ("cel", "3d")[at % 3 == 0] for at, item in enumerate(labels_of_items(24, 8))}
    clips = {} if clip is None else {(row.run_id, "walk"): clip for row in scored.table.rows}
    return scored.report(
        breakdowns=(break_down("style", styles, scored.table, scored.scores),),
        choices=(Choice(item="walk", kind="best", quality=0.5, dispute=0.1),),
        clips=clips,
    )


def saved(folder: Path, data: ReportData, **options) -> dict[str, bytes]:
    """Save all figures; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = save_paper_figures(folder, data, **options)
    assert sorted(paths) == sorted(folder.iterdir())
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("paper") / "new" / "figures"


@pytest.fixture(scope="module")
def files(folder: Path, clip: Clip) -> dict[str, bytes]:
    return saved(folder, report(clip))


def svg_of(drawing: Picture) -> bytes:
    with figure_style(drawing.language), warnings.catch_warnings():
        warnings.simplefilter("error")
        packed = io.BytesIO()
        draw_figure(drawing).savefig(packed, format="svg")
    return packed.getvalue()


def texts_of(svg: bytes) -> str:
    return " ".join(text for text in ElementTree.fromstring(svg).itertext() if text.strip())


def test_every_figure_comes_in_every_format_with_its_data(files: dict[str, bytes]) -> None:
    pictures = {f"{name}.{kind}" for name in PICTURES for kind in (*FORMATS, "json")}
    assert set(files) == pictures | {f"styles.{kind}" for kind in ("md", "tex", "csv", "json")} | {CAPTIONS}


@pytest.mark.parametrize("name", [*PICTURES, "styles"])
def test_a_figure_is_drawn_again_from_its_data_to_the_same_bytes(
    name: str, folder: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    again = replot([folder / f"{name}.json"], tmp_path / "new" / "again")
    assert {path.name for path in again} == {other for other in files if re.fullmatch(rf"{name}\.(?!json).*", other)}
    for path in again:
        assert path.read_bytes() == files[path.name], path.name
        if path.suffix == ".png":
            with Image.open(path) as one, Image.open(io.BytesIO(files[path.name])) as other:
                pixels = np.asarray(one.convert("RGB"))
                assert np.array_equal(pixels, np.asarray(other.convert("RGB")))
            assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10


def test_equal_reports_give_equal_data_and_files_tell_no_date(files: dict[str, bytes], clip: Clip) -> None:
    made = paper_figures(report(clip))
    for name, drawing in made.drawings:
        assert files[f"{name}.json"].decode() == drawing.model_dump_json(indent=1) + "\n"
    for name, content in files.items():
        assert b"CreationDate" not in content, name
        assert b"ModDate" not in content, name
        assert b"<dc:date>" not in content, name


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_have_the_width_of_a_column_or_a_page_and_nothing_is_cut_off(
    name: str, files: dict[str, bytes]
) -> None:
    """Nothing but white is at the edges, and PDFs have their fonts inside."""
    with Image.open(io.BytesIO(files[f"{name}.png"])) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] in (660, 1360)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (edges == 255).all()
    pdf = files[f"{name}.pdf"]
    assert pdf.startswith(b"%PDF-1.")
    assert b"/FontFile2" in pdf
    root = ElementTree.fromstring(files[f"{name}.svg"])
    links = [value for node in root.iter() for key, value in node.attrib.items() if key.endswith("href")]
    assert [link for link in links if not link.startswith(("#", "data:image/png;base64,"))] == []


def test_captions_tell_every_figure(files: dict[str, bytes], folder: Path) -> None:
    text = files[CAPTIONS].decode()
    for name in (*PICTURES, "styles"):
        drawing = read_figure(folder / f"{name}.json")
        assert f"**{name}** " in text
        assert drawing.note[:40].split("(")[0] in text.replace("\\", "")
    assert "Left out" not in text


def test_what_a_report_lacks_is_left_out_and_said(tmp_path: Path) -> None:
    data = drawn_systems({"alpha": 0.4, "beta": 0.6}, items=12, labels=12).report()
    files = saved(tmp_path / "figures", data)
    made = {name.partition(".")[0] for name in files}
    assert made == {"forest", "critical-difference", "captions"}
    text = files[CAPTIONS].decode().replace("\\", "")
    for omission in paper_figures(data).omissions:
        assert f"* {omission.reason}" in text
    assert [omission.figure for omission in paper_figures(data).omissions] == [
        "radar",
        "pareto",
        "heat_map",
        "styles",
        "filmstrip",
    ]


def test_names_and_heads_are_drawn_as_they_are(clip: Clip) -> None:
    made = paper_figures(report(clip, names=HOSTILE, header=r"$x^2$ & <i>\n"))
    for name, drawing in made.drawings:
        if name == "styles":
            continue  # has tests of its own
        told = texts_of(svg_of(drawing))
        assert HOSTILE[0] in told
        assert r"b ${x}\x1b[31m\x0a\u6708" in told
        assert "='c'|x www" in told
        if name not in ("heat-map", "filmstrip-best"):
            assert r"$x^2$ & <i>\n" in told


def test_trade_off_and_heat_map_are_of_the_columns_asked_for(clip: Clip) -> None:
    made = dict(paper_figures(report(None), trade_off=("flicker", "flow_magnitude"), by_label="flicker").drawings)
    assert (made["pareto"].across.metric, made["pareto"].up.metric) == ("flicker", "flow_magnitude")
    assert made["heat-map"].axis.metric == "flicker"
    with pytest.raises(UnknownNameError, match="'speed' is not known"):
        paper_figures(report(None), by_label="speed")


def test_a_changed_file_gives_a_changed_figure(folder: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    changed = files["forest.json"].replace(b'"label": "alpha"', b'"label": "our model"')
    (tmp_path / "mine.json").write_bytes(changed)
    paths = replot([tmp_path / "mine.json"], tmp_path)
    assert [path.name for path in paths] == [f"mine.{kind}" for kind in FORMATS]
    told = texts_of((tmp_path / "mine.svg").read_bytes())
    assert "our model" in told
    assert "alpha" not in told


def test_two_files_of_one_name_are_refused(folder: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "forest.json").write_bytes(files["forest.json"])
    with pytest.raises(ConfigError, match="`FILE` got two files of the name 'forest'"):
        replot([folder / "forest.json", tmp_path / "forest.json"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(folder: Path, files: dict[str, bytes], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot be written to `.*file`: .*; choose another folder with --out\."):
        replot([folder / "forest.json"], blocked)
    with pytest.raises(DataError, match="cannot be written to"):
        save_paper_figures(blocked / "in it", drawn_systems().report())


@pytest.fixture
def without_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager.fontManager, "get_font_names", lambda: ["DejaVu Sans"])
    monkeypatch.setattr(font_manager, "findSystemFonts", list)


def test_chinese_without_a_font_for_it_is_refused_before_anything_is_read(
    without_chinese: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save, "paper_figures", lambda *_, **__: pytest.fail("clips were read"))
    with pytest.raises(ConfigError, match=r"`--lang` got 'zh', and no font .* \"apt install fonts-noto-cjk\""):
        save_paper_figures(tmp_path / "out", drawn_systems().report(), language="zh")
    assert not (tmp_path / "out").exists()


def test_a_language_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`--lang` got 'de'; expected one of en, zh\."):
        save_paper_figures(tmp_path / "out", drawn_systems().report(), language="de")


def has_chinese_font() -> bool:
    try:
        with figure_style("zh"):
            return True
    except ConfigError:
        return False


@pytest.mark.skipif(not has_chinese_font(), reason="no font with Chinese letters; apt install fonts-noto-cjk")
def test_figures_in_chinese_have_chinese_texts_and_are_drawn_again(tmp_path: Path) -> None:
    columns = [Column(metric="sharpness", header="锐度"), Column(metric="flicker", header="闪烁")]
    data = drawn_systems({"模型一": 0.4, "模型二": 0.5}, columns, items=8).report()
    files = saved(tmp_path / "figures", data, language="zh")
    told = texts_of(files["forest.svg"])
    for text in ("模型一", "锐度 ↑", "变好"):
        assert text in told
    assert "\\u" not in told
    for path in replot([tmp_path / "figures" / "forest.json"], tmp_path / "again"):
        assert path.read_bytes() == files[path.name]
    assert files[CAPTIONS].decode().startswith("# 图注")
    assert "## 略去的图" in files[CAPTIONS].decode()
