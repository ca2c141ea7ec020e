from decimal import Decimal

import pytest

from anisora.leaderboards.claims.names import name_key
from anisora.leaderboards.claims.printed import is_missing, is_spread, read_number


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("**AniSora-V1 (Ours)**", "anisora-v1"),
        ("Opensora‑Plan(V1.3)", "opensora-plan-v1.3"),
        ("文本‑视频一致", "文本-视频一致"),
        ("I2V\N{NO-BREAK SPACE}主体 ↑", "I2V 主体"),
        ("Motion Smoothness (%)", "motion_smoothness"),
        ("Vidu—1.5†", "vidu-1.5"),
        ("Wan-2.1 [12, 13]", "Wan2.1"),
        ("ＧＴ", "gt"),
        ("alpha [UNTRAINED]", "alpha"),
        ("alpha [SUBSET 5 of 24]", "alpha"),
    ],
)
def test_spellings_of_one_name(left: str, right: str) -> None:
    assert name_key(left) == name_key(right) != ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("AniSora-V1 (KeyFrame Interp)", "AniSora-V1 (Interpolated Avg)"),
        ("AniSora-V1 (KeyFrame Interp)", "AniSora-V1"),
        ("AniSora‑K", "AniSora"),
        ("V1.3", "V13"),
        ("LLaVA+", "LLaVA"),
    ],
)
def test_different_names(left: str, right: str) -> None:
    assert name_key(left) != name_key(right)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("99.34", "99.34", "0.01"),
        ("99", "99", "1"),
        ("1,234.5", "1234.5", "0.1"),
        ("\N{MINUS SIGN}0.20", "-0.20", "0.01"),
        (".5", "0.5", "0.1"),
        ("99.3 %", "99.3", "0.1"),
        ("1.2e-3", "0.0012", "0.0001"),
        ("0.07≈★ [0.02, 0.12] (17/24 in 9)", "0.07", "0.01"),
        ("99.34 ± 0.12", "99.34", "0.01"),
        ("99.34 (0.1)†", "99.34", "0.01"),
        ("↑ 3", "3", "1"),
    ],
)
def test_numbers_with_their_last_place(text: str, value: str, unit: str) -> None:
    number = read_number(text)
    assert number is not None
    assert (number.value, number.unit) == (Decimal(value), Decimal(unit))


def test_the_ends_of_an_interval() -> None:
    number = read_number("98.89★ [98.36, \N{MINUS SIGN}99.41]")
    assert number is not None
    assert (number.low, number.high) == (Decimal("98.36"), Decimal("-99.41"))


@pytest.mark.parametrize("text", ["", "-", "5B", "V1.3", "12,34", "3-5", "1.2.3", "x 3", "3 apples", "∞", "1" * 300])
def test_texts_are_no_numbers(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize("text", ["", "-", "–", "—", "--", "N/A", "(-)", "无"])
def test_cells_without_a_number(text: str) -> None:
    assert is_missing(text)
    assert not is_missing("0")


@pytest.mark.parametrize("text", ["±0.3", "± 0.3 %", "[1.2, 1.4]", "[-0.1; 0.2]", "-0.1 +0.3", "(±0.3)"])
def test_intervals_without_their_number(text: str) -> None:
    assert is_spread(text)


@pytest.mark.parametrize("text", ["", "-", "0.3", "1.2 ±0.3", "[12]", "[1, 2, 3]", "a ±0.1", "-0.3", "±" * 300])
def test_what_is_no_interval_alone(text: str) -> None:
    assert not is_spread(text)
