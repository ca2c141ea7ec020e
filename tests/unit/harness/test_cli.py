import errno
import os
from collections.abc import Callable, Iterator

import click
import pytest

from anisora.harness.cli import _run, main
from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import option, split_numbers, split_words
from anisora.harness.errors import AnisoraError, MetricError
from anisora.harness.registry import registry

Register = Callable[[Callable[[], object]], None]


@pytest.fixture
def register() -> Iterator[Register]:
    """Registers a function as the command ``trial``."""
    commands = registry("commands")

    def add(function: Callable[[], object]) -> None:
        commands.register("trial", click.Command("trial", callback=function))

    yield add
    commands._targets.pop("trial", None)


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_what_a_command_returns_is_the_exit_code(register: Register, returned: int | None, code: int) -> None:
    register(lambda: returned)
    with pytest.raises(SystemExit, match=str(code)):
        main(["trial"])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (AnisoraError("`x` got 1;\n expected 2."), 2, "anisora: `x` got 1; expected 2."),
        (AnisoraError("`\x1b[31m月`\x07"), 2, "anisora: `\\x1b[31m月`\\x07"),
        (MetricError("`m` failed."), 1, "anisora: `m` failed."),
        (click.UsageError("Wrong."), 2, 'anisora: Wrong. Run "anisora trial --help".'),
        (KeyboardInterrupt(), 130, "anisora: Stopped. What is done is kept; the same command goes on from here."),
        (
            OSError(errno.ENOSPC, "full", "runs/x"),
            1,
            "anisora: Cannot write `runs/x`: No space left on device. What is done is kept; make room and give the "
            "same command again.",
        ),
        (
            OSError(errno.EROFS, "read-only"),
            1,
            "anisora: Cannot write: Read-only file system. What is done is kept; make room and give the same command "
            "again.",
        ),
        (
            OSError(errno.ENAMETOOLONG, "long", "aaa"),
            2,
            "anisora: Path `aaa` is too long for this file system; choose a shorter one.",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_error_is_one_line_with_its_own_exit_code(
    register: Register, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    register(raising(error))
    assert _run(["trial"], debug=False) == code
    told = capsys.readouterr()
    assert told.err.strip("\n") == line
    assert told.out == ""


@pytest.mark.parametrize("error", [ValueError("a defect"), OSError(errno.EIO, "input/output error")])
def test_a_defect_keeps_its_traceback(register: Register, error: Exception) -> None:
    register(raising(error))
    with pytest.raises(type(error), match=r"a defect|input/output"):
        _run(["trial"], debug=False)


@pytest.mark.parametrize("arguments", [["--debug", "trial"], ["trial", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(register: Register, arguments: list[str]) -> None:
    register(raising(AnisoraError("`x` is wrong.")))
    with pytest.raises(AnisoraError, match="`x` is wrong"):
        main(arguments)


@pytest.mark.parametrize(("value", "expected"), [("1", AnisoraError), ("0", SystemExit), ("", SystemExit)])
def test_debug_is_a_variable_as_well(
    register: Register, monkeypatch: pytest.MonkeyPatch, value: str, expected: type[BaseException]
) -> None:
    register(raising(AnisoraError("2")))
    monkeypatch.setenv("ANISORA_DEBUG", value)
    with pytest.raises(expected, match="2"):
        main(["trial"])


def test_the_arguments_of_the_process_are_read_when_none_are_given(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(lambda: 3)
    monkeypatch.setattr("sys.argv", ["anisora", "trial"])
    with pytest.raises(SystemExit, match="3"):
        main()


def test_a_group_names_the_nearest_command_and_all_of_them() -> None:
    group = CommandGroup("group", commands={"show-all": click.Command("show-all", callback=lambda: "shown")})
    assert group.main(["show_all"], standalone_mode=False) == "shown"
    with pytest.raises(click.UsageError, match=r"Command 'shwo-all' is not known. Did you mean 'show-all'\?"):
        group.main(["shwo-all"], standalone_mode=False)
    with pytest.raises(click.UsageError, match=r"Missing command; expected one of show-all\."):
        group.main([], standalone_mode=False)
    with pytest.raises(click.UsageError, match="--shwo"):
        group.main(["--shwo"], standalone_mode=False)


def test_an_option_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    command = click.command()(option("--long-name", "-l", type=int)(lambda long_name: long_name))
    monkeypatch.setenv("ANISORA_LONG_NAME", "7")
    assert command.main([], standalone_mode=False) == 7
    assert command.main(["-l", "8"], standalone_mode=False) == 8


CONTEXT = click.Context(click.Command("x"))
PARAMETER = click.Option(["--x"])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0", [0]), ("0,1, 5-7", [0, 1, 5, 6, 7]), ("3-3", [3]), ("0-9999", list(range(10_000))), (None, None)],
)
def test_numbers_are_listed_or_given_as_ranges(text: str | None, numbers: list[int] | None) -> None:
    assert split_numbers(CONTEXT, PARAMETER, text) == numbers


@pytest.mark.parametrize("text", ["", ",", "a", "-1", "1-", "1-2-3", "1.5", "3-1", "0-10000", "0-9999,5", "9" * 5000])
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected"):
        split_numbers(CONTEXT, PARAMETER, text)


def test_words_are_separated_by_commas() -> None:
    assert split_words(CONTEXT, PARAMETER, "a, b,,c") == ["a", "b", "c"]
    assert split_words(CONTEXT, PARAMETER, None) is None
    with pytest.raises(click.BadParameter, match=r"' , '; expected names separated by commas"):
        split_words(CONTEXT, PARAMETER, " , ")


def test_the_message_of_an_operating_system_is_its_own(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    register(raising(PermissionError(errno.EACCES, "no", "runs")))
    assert _run(["trial"], debug=False) == 1
    assert os.strerror(errno.EACCES) in capsys.readouterr().err
