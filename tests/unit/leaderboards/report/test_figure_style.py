"""The style of all figures: fonts, letters they lack, widths and lines."""

import matplotlib as mpl
import pytest

from anisora.harness.errors import ConfigError
from anisora.leaderboards.report.figure_style import drawable, figure_style, fitting_size, text_widths, wrapped


def test_the_style_ends_with_its_context() -> None:
    before = mpl.rcParams["svg.hashsalt"]
    with figure_style():
        assert mpl.rcParams["svg.hashsalt"] == "anisora"
        assert mpl.rcParams["pdf.fonttype"] == 42
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]
    assert mpl.rcParams["svg.hashsalt"] == before


def test_letters_that_the_fonts_lack_and_line_ends_are_escaped() -> None:
    with figure_style():
        assert drawable("Δ ↑ é $x$") == "Δ ↑ é $x$"
        assert drawable("月\n\x1b") == r"\u6708\n\x1b"


def test_a_chinese_font_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    names = ["DejaVu Sans", "WenQuanYi Zen Hei", "Noto Sans CJK SC"]
    monkeypatch.setattr(font_manager.fontManager, "get_font_names", lambda: names)
    with figure_style("zh"):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "Noto Sans CJK SC"]
    with figure_style("en"):
        assert mpl.rcParams["font.family"] == ["DejaVu Sans"]


def test_a_font_that_was_installed_since_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    names, added = ["DejaVu Sans"], []
    monkeypatch.setattr(font_manager.fontManager, "get_font_names", lambda: names)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/fonts/Other.ttf", "/fonts/NotoSansCJK-Regular.ttc"])
    monkeypatch.setattr(
        font_manager.fontManager, "addfont", lambda path: (added.append(path), names.append("Noto Sans CJK SC"))
    )
    with figure_style("zh"):
        assert mpl.rcParams["font.family"][1] == "Noto Sans CJK SC"
    assert added == ["/fonts/NotoSansCJK-Regular.ttc"]


def test_without_a_chinese_font_the_package_of_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    monkeypatch.setattr(font_manager.fontManager, "get_font_names", lambda: ["DejaVu Sans"])
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    with pytest.raises(ConfigError, match=r"expected one of Noto Sans CJK SC, .* fonts-noto-cjk"), figure_style("zh"):
        pytest.fail("there is no font")


def test_widths_grow_with_texts_and_sizes() -> None:
    with figure_style():
        short, long = text_widths(["ii", "MMMM"], 8)
        assert 0 < short < long
        assert text_widths(["MMMM"], 16)[0] == pytest.approx(2 * long, rel=0.02)
        assert fitting_size(["ii", "MMMM"], 10, 8) == 8
        assert text_widths(["MMMM"], fitting_size(["ii", "MMMM"], long / 2, 8))[0] == pytest.approx(long / 2, rel=0.02)
        assert fitting_size([], 1, 8) == 8


def test_lines_are_broken_at_spaces_and_hold_all_words() -> None:
    text = "Each spoke is linear from the worst (inner ring) to the best, and a " + "very" * 30 + " long word."
    with figure_style():
        lines = wrapped(text, 1.5, 6)
        widths = text_widths(lines, 6)
    assert " ".join(lines) == text
    assert len(lines) > 3
    assert [line for line, width in zip(lines, widths, strict=True) if width > 1.5] == ["very" * 30]


def test_chinese_is_broken_between_letters_but_not_before_a_stop() -> None:
    text = "系统减去真实片段，按样本配对；区间为按聚类计算的区间。"
    try:
        with figure_style("zh"):
            lines = wrapped(text, 0.6, 6)
    except ConfigError:
        pytest.skip("no font with Chinese letters")
    assert "".join(lines) == text
    assert len(lines) > 3
    assert not any(line.startswith(("，", "；", "。")) for line in lines)
