"""Files with a list of steps that a search found: YAML or JSON, read by ``steps_file=FILE`` of a model's specification.

``steps``, ``teacher_steps`` and ``shift`` say how a clip is sampled; all else tells where they come from.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path
from anisora.harness.record import Json, digest_of
from anisora.harness.registry import Spec
from anisora.harness.runfolder import write_atomically
from anisora.models.wan.step_lists import StepList

__all__ = ["StepsFile", "read_steps", "write_steps"]

_MAX_BYTES: Final = 1 << 22


class StepsFile(BaseModel):
    """What such a file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: str = ""
    """The command that takes the file."""
    model: str = ""
    """The specification of the model whose networks were searched; empty where it is not told."""
    untrained: StrictBool = False
    """Whether these were random numbers: such a list says nothing of a trained model."""
    steps: tuple[StrictInt, ...]
    """Ascending, from 1 to ``teacher_steps``."""
    teacher_steps: Annotated[StrictInt, Field(ge=1)]
    shift: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    weights: Mapping[str, str] = {}
    """{file: sha256} of the networks that were searched."""
    search: Mapping[str, Json] = {}
    """What was asked of the search."""
    runs: tuple[Mapping[str, Json], ...] = ()
    """What each item and seed gave: its list and the cost of it, or why it has none."""

    @property
    def step_list(self) -> StepList:
        """The list."""
        return StepList(steps=self.steps, teacher_steps=self.teacher_steps, shift=self.shift)

    @property
    def digest(self) -> str:
        """Digest of what decides the frames: equal lists have equal digests, whatever else the files tell."""
        return digest_of({"steps": list(self.steps), "teacher_steps": self.teacher_steps, "shift": self.shift})


def read_steps(path: Path, *, model: str, tiny: bool) -> StepsFile:
    """Read a file of steps for a model.

    Args:
        path: As ``write_steps`` wrote it, or with ``steps``, ``teacher_steps`` and ``shift`` alone.
        model: The name of the model that is to take these steps.
        tiny: Whether it has random numbers.

    Raises:
        DataError: The file does not exist or cannot be read.
        ConfigError: It holds no list of steps, or one of another model.
    """
    if not path_exists(path) or not path.is_file():
        raise missing_path(path, 'a file of steps, as "anisora models search-steps" writes it')
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(
                f"`{path}` has {path.stat().st_size} bytes; expected a file of steps, at most {_MAX_BYTES}."
            )
        found = StepsFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise unreadable_path(path, error) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"`{path}` is no file of steps: {_reason(error)}; expected `steps`, `teacher_steps` and `shift`. "
            'Search one with "anisora models search-steps".'
        ) from None
    try:
        found.step_list.sigmas()
    except ConfigError as error:
        raise ConfigError(f"`{path}`: {error}") from None
    _check_model(found, path, model, tiny=tiny)
    return found


def _check_model(found: StepsFile, path: Path, model: str, *, tiny: bool) -> None:
    searched = Spec.parse(found.model).name if found.model else model
    if searched != model:
        raise ConfigError(
            f"`{path}` was searched on {searched!r}; expected {model!r}. Search again on the networks that take it."
        )
    if found.untrained and not tiny:
        raise ConfigError(
            f"`{path}` was searched on random numbers ({found.model}), which say nothing of {model!r}; search again on "
            "its weights."
        )


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return shortened(str(error).splitlines()[0])
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"`{place}`: {first['msg']}" if place else shortened(first["msg"])


def write_steps(path: Path, found: StepsFile) -> None:
    """Write a file of steps: JSON where its name ends so, else YAML.

    Raises:
        OSError: The disk is full or read-only; an old file is untouched.
    """
    content: dict[str, Any] = found.model_dump(mode="json")
    if path.suffix.lower() == ".json":
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    else:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    with write_atomically(path, "steps") as file:
        file.write(text.encode())
