"""The file of pairs that a run and a reward give, and the record beside it of how it was made.

pairs.jsonl          a line a pair, which preference training reads
pairs.record.json    of which clips, by which reward, on which scale; what was left out
pairs.scores.jsonl   a line a clip: its rewards, or why it has none
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.record import canonical_json
from anisora.harness.runfolder import sha256_of_file, write_atomically
from anisora.training.pairs.choosing import ScoredPair

__all__ = ["PairsFiles", "read_pairs_record", "write_pairs"]

_SUFFIX: Final = ".jsonl"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class PairsFiles:
    """Where they are."""

    pairs: Path

    @property
    def record(self) -> Path:
        """How they were made."""
        return self.pairs.with_suffix(".record.json")

    @property
    def scores(self) -> Path:
        """The rewards of all clips."""
        return self.pairs.with_suffix(".scores.jsonl")

    def check_new(self) -> None:
        """Refuse a file that this would not write, or did not.

        Raises:
            ConfigError: It is another kind of file, or pairs that come from elsewhere.
        """
        if self.pairs.suffix != _SUFFIX:
            raise ConfigError(f"`--out` got `{self.pairs}`; expected a file of JSON lines, such as pairs.jsonl.")
        if self.pairs.exists() and not self.record.is_file():
            raise ConfigError(
                f"`--out` got `{self.pairs}`, which is there and has no {self.record.name} beside it: it was not "
                "written by this command. Choose another file."
            )


def write_pairs(files: PairsFiles, pairs: Sequence[ScoredPair], record: dict[str, Any]) -> None:
    """Write pairs, and how they were made.

    Args:
        files: Where to.
        pairs: In order.
        record: Plain JSON.
    """
    with write_atomically(files.pairs, "record") as file:
        for pair in pairs:
            line = {
                "sample_id": pair.item,
                "winner": pair.winner,
                "loser": pair.loser,
                "winner_reward": pair.winner_reward,
                "loser_reward": pair.loser_reward,
            }
            file.write(canonical_json(line).encode() + b"\n")
    told = {"format": _FORMAT, **record, "pairs_sha256": sha256_of_file(files.pairs)}
    with write_atomically(files.record, "record") as file:
        file.write((json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_pairs_record(pairs: Path) -> dict[str, Any] | None:
    """Return how a file of pairs was made; None where nothing is said of it.

    Raises:
        DataError: What is said is of another file.
    """
    path = PairsFiles(pairs).record
    if not path.is_file():
        return None
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        is_its_own = said["pairs_sha256"] == sha256_of_file(pairs)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"`{path}` is damaged ({type(error).__name__}); expected how `{pairs.name}` was made. Draw the pairs again."
        ) from error
    if not is_its_own:
        raise DataError(
            f"`{path}` is of other pairs than `{pairs}` holds; expected how they were made. Draw the pairs again, or "
            "remove the record of what you have changed."
        )
    return said
