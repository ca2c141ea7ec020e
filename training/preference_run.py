"""Preference training from a configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.progress import announce, progress
from anisora.harness.protocols import RewardModel
from anisora.harness.types import Clip
from anisora.harness.weights import load_tensor
from anisora.models.cogvideox.autoencoder import SCALING
from anisora.reward.asked_reward import reward_of
from anisora.reward.trainer_reward import TrainerReward
from anisora.training.buckets import Bucket, bucket_of, frames_needed
from anisora.training.config import PreferenceConfig
from anisora.training.drawing_rounds import check_rounds
from anisora.training.families.cogvideox import CogVideoXFamily
from anisora.training.framing import framed, shown
from anisora.training.online_preference import OnlinePreference, OnlineRules
from anisora.training.pairs.pairs_file import read_pairs_record
from anisora.training.posed_items import PosedItem, read_posed_items
from anisora.training.preference import Preference, SizedPair, gapo_or_dpo
from anisora.training.preference_pairs import PreferencePair, read_pairs
from anisora.training.reference_network import reference_network
from anisora.training.surroundings import Surroundings

if TYPE_CHECKING:
    from pathlib import Path

    import torch

__all__ = ["make_preference"]


def make_preference(given: Surroundings[PreferenceConfig], *, judge: RewardModel | None = None) -> Preference:
    """Return the way to train on pairs: those of a file, or those that the network draws.

    Args:
        given: Has the model.
        judge: A reward in place of that of ``online``; it is closed with the training.

    Raises:
        DataError: There is nothing to train on.
        ConfigError: There are no pairs, or they do not fit the model.
        UnknownNameError: There is no such reward or suite.
        VideoUnreadable: A video cannot be decoded.
        RecordError: The cache cannot be written.
    """
    config, family = given.config, given.family
    if (config.pairs is None) == (config.online is None):
        got = "neither" if config.pairs is None else "both"
        raise ConfigError(
            f"`pairs` is missing, or `online`: got {got}; expected a file of pairs, or how they are drawn from the "
            "network. Give one of them."
        )
    if config.guide_noise and not isinstance(family, CogVideoXFamily):
        raise ConfigError(
            f"`guide_noise` got true for {family.name!r}; expected it for models on CogVideoX alone, whose training "
            "has it. Leave it out."
        )
    return _of_network(given, judge) if config.pairs is None else _of_file(given, config.pairs)


def _settings(given: Surroundings[PreferenceConfig]) -> dict[str, Any]:
    """Return what both ways to come by pairs have in common."""
    config = given.config
    assert config.beta is not None
    assert config.guide_noise is not None
    assert config.text_dropout is not None
    assert config.condition_dropout is not None
    return {
        "loss": gapo_or_dpo(config.loss, beta=config.beta, base=config.gap_base, scale=config.score_scale),
        "reference": reference_network(given),
        "seed": config.seed,
        "guide_noise": config.guide_noise,
        "text_dropout": config.text_dropout,
        "condition_dropout": config.condition_dropout,
        "device": given.device,
    }


def _of_network(given: Surroundings[PreferenceConfig], judge: RewardModel | None) -> OnlinePreference:
    """Encode the prompts that pairs are drawn of."""
    config, online = given.config, given.config.online
    assert online is not None
    check_rounds(config, online.every, "online.every")
    if not online.low < online.high:
        raise ConfigError(
            f"`online.low` got {online.low:g} and `online.high` {online.high:g}; expected a lower and a higher reward. "
            "Correct one of them."
        )
    reward = TrainerReward(
        reward_of(online.reward, online.weights, constants=online.constants) if judge is None else judge,
        invalid=online.invalid,
    )
    return OnlinePreference(
        given.family,
        framed(given, read_posed_items(online.data)),
        given.encodings,
        given.share,
        rules=OnlineRules(
            group_size=online.group_size,
            every=online.every,
            steps=online.steps,
            guidance=online.guidance,
            low=online.low,
            high=online.high,
            scale=config.score_scale,
            needs_gap=config.loss == "gapo",
        ),
        reward=reward,
        gather=given.gather,
        fps=given.fps,
        is_bfloat16=given.is_bfloat16,
        **_settings(given),
    )


def _of_file(given: Surroundings[PreferenceConfig], path: "Path") -> Preference:
    """Read and encode pairs, each by one of the processes."""
    config, share, family = given.config, given.share, given.family
    found = read_pairs(path, config.run, scale=config.score_scale if config.loss == "gapo" else None)
    sized = [(pair, _sized(pair, given)) for pair in found]
    pairs = [each for _, each in sized if each is not None]
    left_out = [pair for pair, each in sized if each is None]
    if left_out and given.is_shown:
        announce(f"Left out {len(left_out)} of {len(found)} pairs with a clip that is too short: {left_out[0].where}")
    if not pairs:
        raise DataError(
            f"`pairs` got `{path}`, none of whose {len(found)} pairs is long enough; expected clips of "
            f"{' or '.join(str(bucket.frames) for bucket in given.buckets)} frames. Choose smaller `buckets`."
        )
    own = pairs[share.process :: share.processes]
    clips = [
        (clip, each.bucket, each.prompt) for each in own for clip in (each.winner, each.loser) if isinstance(clip, Clip)
    ]
    with progress("encode", len(clips), shown=given.is_shown) as advance:
        given.encodings.prepare(clips, advance)
    for each in own:
        given.encodings.text(each.prompt)
    given.wait_for_everyone()
    return Preference(
        family,
        pairs,
        given.encodings,
        share,
        **_settings(given),
        shown=shown(given, _posed(pairs)),
        optimised=_optimised(path),
    )


def _optimised(path: "Path") -> tuple[str, ...]:
    """Return the dimensions of the reward that drew the pairs; none where nothing is said of it."""
    record = read_pairs_record(path) if path.suffix == ".jsonl" else None
    return () if record is None else tuple(record["reward"]["weights"])


def _posed(pairs: Sequence[SizedPair]) -> list[PosedItem]:
    """Return the prompts of pairs with the first frames of their winners; files of latents have none to show.

    One pair of each prompt goes before the others, so that the first ones show as much as they can.
    """
    posed = [
        PosedItem(f"pair-{place}", pair.prompt, pair.winner)
        for place, pair in enumerate(pairs)
        if isinstance(pair.winner, Clip)
    ]
    first = {item.prompt: item.id for item in reversed(posed)}
    return sorted(posed, key=lambda item: first[item.prompt] != item.id)


def _sized(pair: PreferencePair, given: Surroundings[PreferenceConfig]) -> SizedPair | None:
    """Return a pair at the size that it is used at; None where a clip is too short for all."""
    scores = (pair.winner_score, pair.loser_score)
    if isinstance(pair.winner, Clip) and isinstance(pair.loser, Clip):
        bucket = _common_bucket(pair.winner, pair.loser, given)
        return None if bucket is None else SizedPair(pair.prompt, pair.winner, pair.loser, *scores, bucket)
    assert not isinstance(pair.winner, Clip)
    assert not isinstance(pair.loser, Clip)
    if not isinstance(given.family, CogVideoXFamily):
        raise ConfigError(
            f"{pair.where} names files of latents, which are read for models on CogVideoX alone; expected videos for "
            f"{given.family.name!r}. Write `winner` and `loser` as files of videos."
        )
    winner, loser = (_latents(pair.where, path) for path in (pair.winner, pair.loser))
    if winner.shape != loser.shape:
        raise DataError(
            f"{pair.where} has latents of shape {tuple(winner.shape)} and {tuple(loser.shape)}; expected one shape, "
            "since a pair shares its noise. Leave the pair out."
        )
    frames, _, height, width = winner.shape
    bucket = Bucket(8 * height, 8 * width, 4 * (frames - 1) + 1)
    given.family.check_bucket(bucket)
    return SizedPair(pair.prompt, given.family.kept(winner), given.family.kept(loser), *scores, bucket)


def _latents(where: str, path: "Path") -> "torch.Tensor":
    """Return the latents of a file, (T, 16, h, w), scaled."""
    stored = load_tensor(path).float()
    latents = stored[0] if stored.ndim == 5 else stored
    if latents.ndim != 4 or latents.shape[0] != 16:
        raise DataError(
            f"{where}: `{path}` has shape {tuple(stored.shape)}; expected (16, T, h, w), the latents of a clip. Encode "
            "it again."
        )
    scaled: torch.Tensor = latents.transpose(0, 1) * SCALING
    return scaled.contiguous()


def _common_bucket(winner: Clip, loser: Clip, given: Surroundings[PreferenceConfig]) -> Bucket | None:
    """Return the size of the winner, of those that the loser is long enough for."""
    sizes = [_size(clip, given.reader) for clip in (winner, loser)]
    able = [
        bucket
        for bucket in given.buckets
        if frames_needed(bucket.frames, fps=given.fps, clip_fps=sizes[1][3], skipped=given.skipped) <= sizes[1][2]
    ]
    height, width, frames, fps = sizes[0]
    return bucket_of(height, width, frames, able, fps=given.fps, clip_fps=fps, skipped=given.skipped)


def _size(clip: Clip, reader: DecoderPool) -> tuple[int, int, int, float]:
    with reader.open(clip) as stream:
        info = stream.expected
        return info.height, info.width, info.num_frames, info.fps
