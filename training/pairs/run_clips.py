"""The clips of a run by item and seed, and what the run's suite says of the items: where pairs come from."""

from pathlib import Path

from anisora.harness.errors import ConfigError
from anisora.harness.inputs.runs import find_run, read_spec
from anisora.harness.record import digest_of
from anisora.harness.registry import Spec, registry
from anisora.harness.runfolder import ClipRow
from anisora.harness.suite import samples_by_id, suite_of_run
from anisora.harness.types import Sample

__all__ = ["RunClips"]


class RunClips:
    """What a run folder holds; it may be unfinished, and its clips need not be scored."""

    def __init__(self, path: Path) -> None:
        """Read which clips there are.

        Raises:
            DataError: There is no run, or it is damaged.
            RecordError: It has no clips yet.
            ConfigError: Its suite is not on this machine.
        """
        folder = find_run(path)
        self.path = path
        self.spec = read_spec(folder)
        self.rows: tuple[ClipRow, ...] = tuple(folder.read_clips())
        """Sorted by item and seed."""
        self.samples: dict[str, Sample] = samples_by_id(suite_of_run(self.spec))
        if not self.samples:
            raise ConfigError(
                f"`run` got `{path}`, whose suite {self.spec.suite!r} is not on this machine; expected it, for the "
                "prompts. Put it where it was."
            )

    @property
    def is_untrained(self) -> bool:
        """Whether the clips were made by random weights."""
        name = Spec.parse(self.spec.model_spec).name
        return name in registry("models") and bool(registry("models").create(self.spec.model_spec).info.untrained)

    @property
    def digest(self) -> str:
        """Of the clips: equal ones stand for the same items and seeds and have the same bytes."""
        return digest_of([[row.item_id, row.seed, row.sha256] for row in self.rows])

    def file(self, row: ClipRow) -> Path:
        """Return where a clip lies."""
        return self.path / row.path
