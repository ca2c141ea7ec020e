"""Pairs of a better clip and a worse one, in the three forms in which they come.

JSON lines of ``anisora train pairs``, where ``winner`` and ``loser`` are seeds and a run folder has the clips; JSON
lines where they are files and ``prompt`` says what is shown; and the JSON list of the authors' training, of objects
with ``vae_path`` (two files of latents, joined by a comma), ``caption``, ``w_score`` and ``l_score``.

Reference: anisora_rl/sat/data_video.py.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.inputs.json_lists import read_json_objects
from anisora.harness.inputs.manifest import clip_at
from anisora.harness.inputs.paths import missing_path, path_exists, shortened, unreadable_path
from anisora.harness.types import Clip
from anisora.training.pairs.pairs_file import read_pairs_record
from anisora.training.pairs.run_clips import RunClips

__all__ = ["PreferencePair", "read_pairs"]

_LIST: Final = "a JSON list of objects with `vae_path`, `caption`, `w_score` and `l_score`"


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two clips of one prompt."""

    where: str
    """How a message names it."""
    prompt: str
    winner: Clip | Path
    """A video, or a file of latents."""
    loser: Clip | Path
    winner_score: float
    loser_score: float


def read_pairs(path: Path, run: Path | None, *, scale: float | None) -> list[PreferencePair]:
    """Read pairs and check their scores.

    Args:
        path: ``.jsonl``, or ``.json`` for a list.
        run: The run folder that has the clips of seeds.
        scale: The highest score, for losses that take scores; None does not look at them.

    Raises:
        DataError: The file or the run cannot be read, a clip is absent, or scores are not of a winner and a loser.
        ConfigError: Pairs of seeds come without a run, or with a suite that is not here.
    """
    if not path_exists(path) or not path.is_file():
        raise missing_path(path, "preference pairs, .jsonl or .json")
    if path.suffix.lower() == ".json":
        found = [
            _listed(f"`{path}` entry {place}", path.parent, entry)
            for place, entry in enumerate(read_json_objects(path, _LIST))
        ]
    else:
        found = _lines(path, run, scale)
    if not found:
        raise DataError(f"`{path}` has no pair; expected one or more. Draw clips that the reward tells apart.")
    if scale is not None:
        for pair in found:
            _check_scores(pair, scale)
    return found


def _check_scores(pair: PreferencePair, scale: float) -> None:
    if not 0 <= pair.loser_score < pair.winner_score <= scale:
        raise DataError(
            f"{pair.where} has the scores {pair.winner_score:g} of the winner and {pair.loser_score:g} of the loser; "
            f"expected 0 <= loser < winner <= {scale:g}, the `score_scale`. Correct one of them, or take `loss: dpo`."
        )


def _lines(path: Path, run: Path | None, scale: float | None) -> list[PreferencePair]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            raise unreadable_path(path, error) from error
        raise DataError(f"`{path}` is not UTF-8; expected JSON lines; write it again.") from None
    clips = None if run is None else _ClipsOfSeeds(run)
    record = read_pairs_record(path)
    if record is not None:
        _check_record(path, record, clips, scale)
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"`{path}` line {number}"
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise DataError(f"{where} got {shortened(line)}; expected a JSON object. Correct it.")
        if isinstance(entry.get("winner"), int):
            if clips is None:
                raise ConfigError(
                    f"{where} names clips by seeds, and `run` is missing; expected the run folder that has them. "
                    "Add it."
                )
            found.append(clips.pair(where, entry))
        else:
            found.append(_of_files(where, path.parent, entry))
    return found


def _check_record(path: Path, record: dict[str, Any], clips: "_ClipsOfSeeds | None", scale: float | None) -> None:
    """Refuse pairs that were drawn from other clips, or on another scale, than the training has."""
    top = record["scale"]["top"]
    if scale is not None and scale != top:
        raise DataError(
            f"`{path}` has scores from 0 to {top:g}, and `score_scale` is {scale:g}; expected the same. Set "
            f"`score_scale` to {top:g}, or draw the pairs with --score-scale {scale:g}."
        )
    if clips is not None and clips.digest != record["run_digest"]:
        raise DataError(
            f"`{path}` was drawn from run {record['run']!r}, and `run` has other clips; expected the same. Name that "
            "run, or draw the pairs again."
        )


class _ClipsOfSeeds:
    """The clips of a run by item and seed, with the prompts of its items."""

    def __init__(self, path: Path) -> None:
        self._run = RunClips(path)
        self._clips = {
            (row.item_id, row.seed): Clip(path=self._run.file(row), digest=row.sha256, fps=None)
            for row in self._run.rows
        }

    @property
    def digest(self) -> str:
        return self._run.digest

    def pair(self, where: str, entry: dict[str, Any]) -> PreferencePair:
        item = str(entry.get("sample_id"))
        clips = []
        for name in ("winner", "loser"):
            seed = entry.get(name)
            clip = self._clips.get((item, seed)) if isinstance(seed, int) else None
            if clip is None:
                raise DataError(
                    f"{where}: item {item!r} with seed {seed!r} is not in run `{self._run.path}`; expected its "
                    "clip. Name the run that the pairs were drawn from."
                )
            clips.append(clip)
        sample = self._run.samples.get(item)
        if sample is None or not sample.prompt:
            raise DataError(f"{where}: item {item!r} has no prompt in the suite; expected one. Add it.")
        return PreferencePair(where, sample.prompt, clips[0], clips[1], *_scores(where, entry))


def _of_files(where: str, folder: Path, entry: dict[str, Any]) -> PreferencePair:
    prompt = _text(where, entry, "prompt")
    files = [folder / _text(where, entry, name) for name in ("winner", "loser")]
    winner, loser = (clip_at(_there(where, file), None) for file in files)
    return PreferencePair(where, prompt, winner, loser, *_scores(where, entry))


def _listed(where: str, folder: Path, entry: dict[str, Any]) -> PreferencePair:
    names = _text(where, entry, "vae_path").split(",")
    if len(names) != 2:
        raise DataError(
            f"{where}: `vae_path` got {shortened(entry['vae_path'])}; expected two files joined by a comma, the "
            "winner's first. Correct it."
        )
    winner, loser = (_there(where, folder / name.strip()) for name in names)
    scores = (_number(where, entry, "w_score"), _number(where, entry, "l_score"))
    return PreferencePair(where, _text(where, entry, "caption"), winner, loser, *scores)


def _scores(where: str, entry: dict[str, Any]) -> tuple[float, float]:
    return _number(where, entry, "winner_reward"), _number(where, entry, "loser_reward")


def _there(where: str, path: Path) -> Path:
    if not path_exists(path):
        raise DataError(f"{where}: `{path}` does not exist; expected a clip, relative to the file. Correct it.")
    return path


def _text(where: str, entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise DataError(f"{where}: `{name}` got {shortened(value)}; expected text. Correct it.")
    return value


def _number(where: str, entry: dict[str, Any], name: str) -> float:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{where}: `{name}` got {shortened(value)}; expected a number. Correct it.")
    return float(value)
