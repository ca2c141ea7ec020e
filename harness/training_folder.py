"""The run folder of a training, as those read it who may not know how training works.

runs/<name>/
  run.json              what is trained, from which files, by which source: written when the training begins
  config.yaml           the configuration, with everything that it left open
  log.jsonl             a line a step
  samples/              clips that were drawn in between, where the way to train draws some; samples.jsonl lists them
  audit.json, .jsonl    signs of a gamed reward among these, where the training was told to look for them; audit.html
  checkpoints/, model/  what the training goes on from, and its result
"""

from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from anisora.harness.errors import DataError, RecordError
from anisora.harness.inputs.paths import missing_path, path_exists
from anisora.harness.journal import read_journal
from anisora.harness.record import Json
from anisora.harness.runfolder import write_atomically

__all__ = [
    "AUDIT",
    "AUDIT_PAGE",
    "CONFIG",
    "LOG",
    "MAY_DIFFER",
    "MODEL",
    "RECORD",
    "TrainingFolder",
    "TrainingRecord",
    "TrainingStatus",
]

AUDIT: Final = "audit.json"
AUDIT_PAGE: Final = "audit.html"
CONFIG: Final = "config.yaml"
LOG: Final = "log.jsonl"
MODEL: Final = "model"
RECORD: Final = "run.json"
MAY_DIFFER: Final = frozenset({"steps", "save_every", "keep", "out", "audit"})
"""Fields of the configuration that may be others when a training goes on: they change none of the steps."""
_SAMPLES: Final = Path("samples") / "samples.jsonl"
_EXPECTED: Final = "the run folder of a training, such as runs/trained"

TrainingStatus = Literal["running", "finished", "stopped"]


class TrainingRecord(BaseModel):
    """Who a training is. A training that goes on keeps it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    run_id: str
    """Way to train, model and a digest of everything that a repetition needs: equal ones stand for equal trainings."""
    method: str
    """The way to train: supervised, preference and so on."""
    model: str
    """The specification that it began with."""
    untrained: bool
    """Whether that was random numbers."""
    licence: str
    weights: dict[str, str] = {}
    """{file: sha256} of what the model was read from."""
    inputs: dict[str, str] = {}
    """{field of the configuration: sha256} of the files that it names."""
    started: str
    """ISO 8601, UTC."""
    environment: dict[str, Json] = {}
    git: dict[str, Json] = {}


class TrainingFolder:
    """One training on disk."""

    def __init__(self, path: Path) -> None:
        """Name the folder; nothing is read yet."""
        self.path = path
        self.record_path = path / RECORD
        self.config_path = path / CONFIG
        self.log_path = path / LOG

    @classmethod
    def find(cls, path: Path) -> "TrainingFolder":
        """Return the training at a path, which may be unfinished.

        Raises:
            DataError: There is none.
        """
        if not path_exists(path) or not path.is_dir():
            raise missing_path(path, _EXPECTED)
        found = cls(path)
        if not found.is_training():
            raise DataError(
                f"`{path}` is no training: it has no {RECORD} with a {CONFIG}; expected {_EXPECTED}. Give the command "
                "that started it again, or correct the path."
            )
        return found

    def is_training(self) -> bool:
        """Return whether the folder is one."""
        return self.record_path.is_file() and self.config_path.is_file()

    def write_record(self, record: TrainingRecord) -> None:
        """Write run.json."""
        with write_atomically(self.record_path, "record") as file:
            file.write(record.model_dump_json(indent=1).encode() + b"\n")

    def read_record(self) -> TrainingRecord:
        """Read run.json.

        Raises:
            RecordError: It is absent, damaged or of another version.
        """
        try:
            return TrainingRecord.model_validate_json(self.record_path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise RecordError(
                f"`{self.record_path}` cannot be read: {str(error).splitlines()[0]}; expected what a training wrote. "
                "Give the command that started it again."
            ) from error

    def read_config(self) -> dict[str, Any]:
        """Read config.yaml.

        Raises:
            RecordError: It is absent or damaged.
        """
        try:
            said = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            said = error
        if not isinstance(said, dict):
            raise RecordError(
                f"`{self.config_path}` cannot be read ({type(said).__name__}); expected what a training wrote. Give "
                "the command that started it again."
            )
        return said

    def read_log(self) -> list[dict[str, Any]]:
        """Return the lines of the log; none where no step is done."""
        return read_journal(self.log_path)

    def read_samples(self) -> list[dict[str, Any]]:
        """Return the lines of the list of sample clips; none where none were drawn."""
        return read_journal(self.path / _SAMPLES)

    def status(self) -> TrainingStatus:
        """Return whether all steps are done and the result is there; one that is at work counts as stopped."""
        lines = self.read_log()
        is_done = bool(lines) and lines[-1]["step"] >= self.read_config()["steps"] and (self.path / MODEL).is_dir()
        return "finished" if is_done else "stopped"
