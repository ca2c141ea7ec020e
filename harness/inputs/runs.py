"""Finds the run folder that a user means, and says what is wrong with a path that is none."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from anisora.harness.errors import DataError
from anisora.harness.inputs.paths import missing_path, path_exists, shortened
from anisora.harness.record import RunSpec
from anisora.harness.runfolder import RunFolder

__all__ = ["find_run", "read_spec"]

_EXPECTED = "a run folder, such as runs/demo-my-model-0123456789"


def find_run(path: Path) -> RunFolder:
    """Return the run folder at a path; it may be unfinished.

    Raises:
        DataError: The path does not exist or holds no run; the message has the nearest one.
    """
    if not path_exists(path) or not path.is_dir():
        raise missing_path(path, _EXPECTED)
    run = RunFolder(path)
    if not run.spec_path.is_file():
        inner = next((inner.parent for inner in sorted(path.glob(f"*/{run.spec_path.name}"))), None)
        hint = f"did you mean `{inner}`?" if inner else "correct the path."
        raise DataError(f"`{path}` is no run: it has no {run.spec_path.name}; expected {_EXPECTED}; {hint}")
    return run


def read_spec(run: RunFolder) -> RunSpec:
    """Read the specification of a run.

    Raises:
        DataError: The file is damaged.
    """
    try:
        return run.read_spec()
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
    except UnicodeDecodeError as error:
        reason = str(error)
    raise DataError(
        f"`{run.spec_path}` is damaged ({shortened(reason)}); expected what a run wrote; "
        "give the command that started the run again."
    )
