"""Options that several commands share, each also an environment variable ``ANISORA_<OPTION>``."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from anisora.harness.errors import ConfigError
from anisora.harness.loggers import DEFAULT_MLFLOW

if TYPE_CHECKING:
    from anisora.harness.stages.session import RunOptions

__all__ = [
    "FRAME_RATE",
    "feature_options",
    "leaderboard_file",
    "logging_choice",
    "logging_options",
    "metric_device",
    "model_device",
    "option",
    "run_options",
    "score_options",
    "split_numbers",
    "split_words",
    "weight_options",
    "work_options",
]

_MOST_NUMBERS: Final = 10_000
"""More seeds than this are a slip of the finger, and would fill the memory."""
_DUCKDB_MARK: Final = slice(8, 12), b"DUCK"
"""Where a DuckDB file says that it is one."""

Command = TypeVar("Command", bound=Callable[..., Any])


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:  # noqa: ANN401 - click's own attributes
    """Declare a click option with its environment variable, taken from the longest name."""
    long = max((name for name in names if name.startswith("--")), key=len).split("/")[0]
    variable = "ANISORA_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, **attributes)


def _stacked(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def split_words(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    """Split ``a,b`` into words."""
    if value is None:
        return None
    words = [word.strip() for word in value.split(",") if word.strip()]
    if not words:
        raise click.BadParameter(f"got {value!r}; expected names separated by commas.")
    return words


def split_numbers(_: click.Context, __: click.Parameter, value: str | None) -> list[int] | None:
    """Split ``0,1,5-7`` into whole numbers."""
    if value is None:
        return None
    numbers: list[int] = []
    for word in value.split(","):
        found = re.fullmatch(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", word.strip())
        if found is None:
            raise click.BadParameter(f"got {value!r}; expected numbers such as 0,1,2 or 0-4.")
        span = range(int(found[1]), int(found[2] or found[1]) + 1)
        if not span:
            raise click.BadParameter(f"got {value!r}; expected numbers such as 0,1,2 or 0-4, the smaller one first.")
        if span[-1] - span[0] + len(numbers) >= _MOST_NUMBERS:
            raise click.BadParameter(f"got {value!r}; expected at most {_MOST_NUMBERS} numbers.")
        numbers += span
    return numbers


class _FrameRate(click.FloatRange):
    """Frames per second: click's own range lets NaN pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        number = super().convert(value, param, ctx)
        assert isinstance(number, float)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


FRAME_RATE: Final = _FrameRate(0, min_open=True)
"""The type of ``--fps``."""


def _cache(_: click.Context, __: click.Parameter, value: str | None) -> Path | str | None:
    if value is None:
        return "default"
    if value == "off":
        return None
    _check_folder("--cache", Path(value))
    return Path(value) / "features"


def _check_folder(name: str, folder: Path) -> None:
    """Refuse a folder that cannot be made because a file stands in its way."""
    existing = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), None)
    if existing is not None and not existing.is_dir():
        raise ConfigError(
            f"`{name}` got `{folder}`, but `{existing}` is a file; expected a folder; choose another one."
        )


def leaderboard_file(path: Path) -> Path:
    """Return the path of a leaderboard, which need not exist yet.

    Raises:
        ConfigError: Something else is there, or it can never be.
    """
    if path.is_dir():
        raise ConfigError(f"`--db` got `{path}`, which is a folder; expected a file; add a name such as board.duckdb.")
    _check_folder("--db", path.parent)
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(_DUCKDB_MARK[0].stop)
        if head and head[_DUCKDB_MARK[0]] != _DUCKDB_MARK[1]:
            raise ConfigError(
                f"`--db` got `{path}`, which is no leaderboard (a DuckDB file); choose another file, or move it away "
                'and run "anisora leaderboard rebuild".'
            )
    return path


def _mlflow(uri: str | None, *, off: bool) -> str | None:
    if off and uri:
        raise ConfigError(f"`--mlflow` got {uri!r}, and `--no-mlflow` was given; leave one of them out.")
    return None if off else uri or DEFAULT_MLFLOW


def _weights(_: click.Context, __: click.Parameter, value: Path | None) -> None:
    if value is not None:
        if not value.is_dir():
            raise ConfigError(f"`--weights` got `{value}`; expected a folder of weight files.")
        os.environ["ANISORA_WEIGHTS"] = str(value)


def _untrained(_: click.Context, __: click.Parameter, value: int | None) -> None:
    if value is not None:
        os.environ["ANISORA_UNTRAINED"] = str(value)


def _device(_: click.Context, __: click.Parameter, value: str) -> None:
    if value != "auto":
        from anisora.harness.device import resolve

        resolve(value)
        os.environ["ANISORA_DEVICE"] = value


def _device_option(networks: str) -> Callable[[Command], Command]:
    return option(
        "--device",
        callback=_device,
        expose_value=False,
        default="auto",
        show_default=True,
        help=f"Where the networks {networks} run: auto, cpu, cuda[:i] or npu[:i].",
    )


metric_device = _device_option("of metrics")
"""Of commands that make no clips; where clips are made, the model's device is that of the metrics, too."""
model_device = _device_option("of the model")
"""Of commands that ask a model for something else than clips."""

weight_options = _stacked(
    option(
        "--weights",
        callback=_weights,
        expose_value=False,
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Folder of weight files.",
    ),
    option("--untrained", callback=_untrained, expose_value=False, hidden=True, type=int),
)
"""What fills the networks."""

feature_options = _stacked(
    option("--cache", callback=_cache, metavar="DIR|off", help="Where features are kept between runs."),
    weight_options,
    option(
        "--workers",
        type=click.IntRange(1, 64),
        default=lambda: min(4, os.cpu_count() or 1),
        metavar="N",
        show_default="number of cores, at most 4",
        help="Clips in work at a time; changes no number.",
    ),
)
"""How features are computed: nothing here changes a number."""

logging_options = _stacked(
    option(
        "--db",
        default="leaderboard.duckdb",
        show_default=True,
        help="The leaderboard file that runs are added to; off for none.",
    ),
    option(
        "--mlflow",
        metavar="URI",
        help="Where MLflow keeps runs; MLFLOW_TRACKING_URI, or else mlflow.db beside the leaderboard, by default.",
    ),
    option("--no-mlflow", is_flag=True, help="Log nothing to MLflow."),
)
"""Where runs are told."""

work_options = _stacked(
    option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("runs"),
        show_default=True,
        help="Where run folders are written.",
    ),
    logging_options,
    feature_options,
    option("--fresh/--resume", default=False, help="Begin the run again, or go on where it was (default)."),
    option("--commercial-ok", is_flag=True, help="Refuse metrics whose licence forbids commercial use."),
    option("--json", "as_json", is_flag=True, help="Print the record as JSON."),
    option("--quiet", is_flag=True, help="Print nothing but errors."),
)
"""How to work: nothing here changes a number."""

score_options = _stacked(
    option("--metrics", callback=split_words, metavar="A,B", help="Metrics or groups (core, all)."),
    option("--seeds", callback=split_numbers, metavar="0,1", help="Samples per item; the suite's by default."),
    option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N items."),
    option("--labels", callback=split_words, metavar="A,B", help="Only items with these labels."),
    option(
        "--subset", type=click.IntRange(1), metavar="N", help="N items drawn by label, to estimate the whole suite."
    ),
    option("--subset-seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of that draw."),
    option(
        "--decode",
        type=click.Choice(["reference", "tagged"]),
        default="reference",
        show_default=True,
        help="As decord reads frames, or turned by the display matrix as players show them.",
    ),
    option(
        "--decoder", type=click.Choice(["av", "decord"]), default="av", show_default=True, help="Library that decodes."
    ),
    option("--allow-missing", is_flag=True, help="Go on where items have no clip, and count them."),
    option("--dry-run", is_flag=True, help="Say what would be done, and write nothing."),
)
"""What to score."""


def logging_choice(parameters: dict[str, Any]) -> tuple[Path | None, str | None]:
    """Take the logging options out of a command's parameters.

    Returns:
        The leaderboard file, and MLflow's URI or ``default``; None for none.
    """
    database = parameters.pop("db")
    db = None if database == "off" else leaderboard_file(Path(database))
    return db, _mlflow(parameters.pop("mlflow"), off=parameters.pop("no_mlflow"))


def run_options(parameters: dict[str, Any]) -> "tuple[RunOptions, bool, bool]":
    """Take the work options out of a command's parameters.

    Returns:
        How to work, whether to print JSON, whether to print nothing.
    """
    from anisora.harness.stages.session import RunOptions

    as_json, quiet = parameters.pop("as_json"), parameters.pop("quiet")
    out = parameters.pop("out")
    _check_folder("--out", out)
    db, mlflow = logging_choice(parameters)
    made = RunOptions(
        out=out,
        db=db,
        mlflow=mlflow,
        cache=parameters.pop("cache"),
        workers=parameters.pop("workers"),
        fresh=parameters.pop("fresh"),
        commercial_ok=parameters.pop("commercial_ok"),
        show_progress=not quiet,
    )
    return made, as_json, quiet
