"""Who a training is, written into its run folder when it begins: a repetition has the same name."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from anisora.harness.device import describe
from anisora.harness.record import digest_of
from anisora.harness.registry import Spec
from anisora.harness.revision import git_revision
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.training_folder import MAY_DIFFER, TrainingFolder, TrainingRecord
from anisora.training.config import TrainingConfig, settings_of
from anisora.training.families.family import Family

__all__ = ["method_of", "record_training"]

_DIGITS: Final = 10


def method_of(config: TrainingConfig) -> str:
    """Return the name of a way to train: ``preference`` of a PreferenceConfig."""
    return type(config).__name__.removesuffix("Config").lower()


def record_training(
    config: TrainingConfig, family: Family, weights: Mapping[str, str], *, processes: int, device: str, fresh: bool
) -> TrainingRecord:
    """Write run.json, unless the training goes on and has it.

    Args:
        config: Without open ends; the run folder exists.
        family: The model.
        weights: {file: sha256} of what it was read from.
        processes: That train it together.
        device: Of the first of them.
        fresh: Whether it begins again.
    """
    folder = TrainingFolder(config.out)
    if folder.record_path.is_file() and not fresh:
        return folder.read_record()
    said = {name: value for name, value in settings_of(config).items() if name not in MAY_DIFFER}
    inputs = _digests(said)
    method, model = method_of(config), Spec.parse(config.model)
    same = {name: _placeless(name, value, inputs) for name, value in said.items()}
    same["model"] = str(Spec(model.name, {name: value for name, value in model.args.items() if name != "weights"}))
    digest = digest_of({"method": method, "config": same, "weights": dict(weights), "processes": processes})
    record = TrainingRecord(
        run_id=f"train-{method}-{model.name}-{digest[:_DIGITS]}",
        method=method,
        model=config.model,
        untrained=family.is_untrained,
        licence=family.released.licence,
        weights=dict(weights),
        inputs=inputs,
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        environment={**describe(), "device": device, "processes": processes},
        git=git_revision(),
    )
    folder.write_record(record)
    return record


def _digests(said: Mapping[str, Any]) -> dict[str, str]:
    """Return {field: sha256} of the files that a configuration names."""
    files = {name: Path(value) for name, value in said.items() if isinstance(value, str) and _is_file(value)}
    return {name: sha256_of_file(path) for name, path in files.items()}


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a text that no path can be
        return False


def _placeless(name: str, value: Any, inputs: Mapping[str, str]) -> Any:  # noqa: ANN401 - plain JSON
    """Return what a field says, without where on this machine that lies."""
    if name in inputs:
        return inputs[name]
    return Path(value).name if name == "run" and isinstance(value, str) else value
