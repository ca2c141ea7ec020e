"""Constants that make dimensions of different units comparable: mean and deviation of each over known clips.

They are measured once, on the scores of runs, and stored; a trainer that took them from its own batches would have a
reward that drifts with the policy.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anisora.harness.errors import ConfigError, DataError, UnknownNameError
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path, write_new
from anisora.harness.record import digest_of

if TYPE_CHECKING:
    from anisora.harness.runfolder import RunFolder, ScoreRow

__all__ = ["Constants", "DimensionConstants", "MeasuredRun", "measure_constants", "read_constants", "write_constants"]

_FEWEST: Final = 2
_DIGEST: Final = "digest"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DimensionConstants(_Strict):
    """Of one dimension, in its natural units."""

    mean: float
    std: float = Field(gt=0)
    """Of the population: divided by the number of clips."""
    count: int = Field(ge=_FEWEST)
    """Clips that had a value."""
    left_out: int = Field(ge=0)
    """Clips that had none."""
    protocol: str
    """Digest of all that can change the dimension's number: constants serve under this one only."""


class MeasuredRun(_Strict):
    """A run that constants were measured on."""

    run: str
    suite: str
    model: str
    scores_sha256: str


class Constants(_Strict):
    """``(value - mean) / std`` for each dimension, and on what that was measured."""

    format: Literal[1] = 1
    name: str = Field(min_length=1)
    dimensions: Mapping[str, DimensionConstants] = Field(min_length=1)
    runs: tuple[MeasuredRun, ...]

    @property
    def digest(self) -> str:
        """The sha256 of all of it but the name."""
        return digest_of(self.model_dump(mode="json", exclude={"name"}))

    @property
    def label(self) -> str:
        """Name and digest, as rewards tell them."""
        return f"{self.name}@{self.digest}"

    @classmethod
    def given(cls, constants: "Constants | str | Path") -> "Constants":
        """Return constants, read if they are named by their file."""
        return read_constants(Path(constants)) if isinstance(constants, str | Path) else constants


def measure_constants(runs: Sequence[Path], *, name: str, metrics: Sequence[str] | None = None) -> Constants:
    """Measure constants on the scores of finished runs; every clip of theirs that has a score counts once.

    Args:
        runs: Run folders, such as one of each system whose clips the reward is to tell apart.
        name: What to call the constants.
        metrics: Only these; all that the runs have when left out.

    Raises:
        DataError: There is no such run, no clip of a metric was scored or all have one value, or two runs made a
            metric's numbers in different ways.
        UnknownNameError: No run has a metric.
        ConfigError: There is no run, or no name.
    """
    from anisora.harness.inputs.runs import find_run

    if not runs or not name:
        raise ConfigError(f"`runs` got {len(runs)} and `name` {name!r}; expected one or more run folders and a name.")
    values: dict[str, list[ScoreRow]] = {}
    protocols: dict[str, str] = {}
    measured = []
    for path in runs:
        folder = find_run(path)
        measured.append(_measured(folder))
        for metric, entry in folder.read_record().protocol.metrics.items():
            found = digest_of(entry)
            if protocols.setdefault(metric, found) != found:
                raise DataError(
                    f"Run `{path}` made `{metric}` in another way than `{runs[0]}`; expected one version, one set of "
                    'weights and one sampling; see "anisora compare", or give runs that agree.'
                )
        for row in folder.read_scores():
            values.setdefault(row.metric, []).append(row)
    for metric in metrics or ():
        if metric not in values:
            raise UnknownNameError("metric", metric, values, f"The runs have {', '.join(sorted(values)) or 'none'}.")
    dimensions = {
        metric: _measure(metric, values[metric], protocols[metric])
        for metric in (sorted(values) if metrics is None else metrics)
    }
    return Constants(name=name, dimensions=dimensions, runs=tuple(measured))


def _measured(folder: "RunFolder") -> MeasuredRun:
    from anisora.harness.runfolder import sha256_of_file

    record = folder.read_record()
    return MeasuredRun(
        run=record.run_id,
        suite=record.suite_key,
        model=record.spec.model,
        scores_sha256=sha256_of_file(folder.scores_path),
    )


def _measure(metric: str, rows: "Sequence[ScoreRow]", protocol: str) -> DimensionConstants:
    values = [row.value for row in rows if row.value is not None]
    mean = math.fsum(values) / len(values) if values else 0.0
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)) if values else 0.0
    if len(values) < _FEWEST or std == 0:
        raise DataError(
            f"`{metric}` has {len(set(values))} different values over {len(rows)} clips; expected {_FEWEST} or more, "
            "which have a deviation; leave it out with --metrics, or add runs."
        )
    return DimensionConstants(
        mean=mean, std=std, count=len(values), left_out=len(rows) - len(values), protocol=protocol
    )


def write_constants(constants: Constants, path: Path) -> None:
    """Write constants to a new file, with their digest.

    Raises:
        ConfigError: The file is there already, or cannot be written.
    """
    data = constants.model_dump(mode="json") | {_DIGEST: constants.digest}
    write_new(path, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_constants(path: Path) -> Constants:
    """Read constants.

    Raises:
        DataError: There is no such file, it holds no constants, or was altered since it was written.
    """
    if not path_exists(path) or not path.is_file():
        raise missing_path(path, "a file of constants")
    try:
        data = json.loads(path.read_bytes())
        digest = data.pop(_DIGEST)
        constants = Constants.model_validate(data)
    except OSError as error:
        raise unreadable_path(path, error) from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        reason = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise DataError(
            f'`{path}` holds no constants: {shortened(reason)}; expected what "anisora reward constants" wrote.'
        ) from None
    if digest != constants.digest:
        raise DataError(
            f"`{path}` says digest {shortened(digest)}, but holds what has {constants.digest[:16]}; expected what "
            "was written; measure the constants again."
        )
    return constants
