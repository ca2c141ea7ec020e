import pytest

from anisora.harness import errors
from anisora.harness.errors import (
    AnisoraError,
    ConfigError,
    MetricError,
    MissingExtra,
    RecordError,
    UnknownNameError,
    VideoUnreadable,
    nearest,
)


def test_every_public_error_is_in_the_drawn_tree() -> None:
    drawn = errors.__doc__ or ""
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AnisoraError)]
    assert len(classes) == 11
    for each in classes:
        assert each.__name__ in drawn
        assert each.__name__ in errors.__all__


def test_user_mistakes_exit_with_2_and_damage_with_1() -> None:
    assert ConfigError("x").exit_code == 2
    assert {each.exit_code for each in (MetricError, RecordError, VideoUnreadable)} == {1}


def test_an_unknown_name_is_a_configuration_error_with_the_nearest_name() -> None:
    error = UnknownNameError("metric", "subject_consistancy", ["subject_consistency", "psnr"], "Run it.")
    assert isinstance(error, ConfigError)
    assert error.suggestion == "subject_consistency"
    assert str(error) == ("Metric 'subject_consistancy' is not known. Did you mean 'subject_consistency'? Run it.")


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert str(UnknownNameError("metric", "zzz", ["psnr"])) == "Metric 'zzz' is not known."


@pytest.mark.parametrize(("name", "expected"), [("PSNR", "psnr"), ("psn", "psnr"), ("", None), ("warp", None)])
def test_the_nearest_name_ignores_case_and_far_names(name: str, expected: str | None) -> None:
    assert nearest(name, ["psnr", "ssim", "temporal_flickering"]) == expected


def test_an_unreadable_video_has_a_stable_reason() -> None:
    error = VideoUnreadable("a.mp4", "no-frames", "the stream is empty")
    assert error.reason == "no-frames"
    assert str(error) == "Video `a.mp4` cannot be read (no-frames): the stream is empty"


def test_a_missing_extra_tells_the_command() -> None:
    assert 'pip install -c constraints.txt "anisora-harness[models]"' in str(MissingExtra("Device `cuda`", "models"))
