"""Preference training from a configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anisora.harness.errors import ConfigError, DataError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.progress import announce, progress
from anisora.harness.types import Clip
from anisora.harness.weights import load_tensor
from anisora.models.cogvideox.autoencoder import SCALING
from anisora.training.buckets import Bucket, bucket_of, frames_needed
from anisora.training.config import PreferenceConfig
from anisora.training.families.cogvideox import CogVideoXFamily
from anisora.training.framing import shown
from anisora.training.posed_items import PosedItem
from anisora.training.preference import Preference, SizedPair, gapo_or_dpo
from anisora.training.preference_pairs import PreferencePair, read_pairs
from anisora.training.reference_network import reference_network
from anisora.training.running import Surroundings

if TYPE_CHECKING:
    from pathlib import Path

    import torch

__all__ = ["make_preference"]


def make_preference(given: Surroundings[PreferenceConfig]) -> Preference:
    """Read and encode the pairs of a configuration, each by one of the processes; return the way to train on them.

    Raises:
        DataError: There is nothing to train on.
        ConfigError: The pairs do not fit the model.
        VideoUnreadable: A video cannot be decoded.
        RecordError: The cache cannot be written.
    """
    config, share, family = given.config, given.share, given.family
    if config.guide_noise and not isinstance(family, CogVideoXFamily):
        raise ConfigError(
            f"`guide_noise` got true for {family.name!r}; expected it for models on CogVideoX alone, whose training "
            "has it. Leave it out."
        )
    found = read_pairs(config.pairs, config.run, scale=config.score_scale if config.loss == "gapo" else None)
    sized = [(pair, _sized(pair, given)) for pair in found]
    pairs = [each for _, each in sized if each is not None]
    left_out = [pair for pair, each in sized if each is None]
    if left_out and given.is_shown:
        announce(f"Left out {len(left_out)} of {len(found)} pairs with a clip that is too short: {left_out[0].where}")
    if not pairs:
        raise DataError(
            f"`pairs` got `{config.pairs}`, none of whose {len(found)} pairs is long enough; expected clips of "
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
    assert config.beta is not None
    assert config.guide_noise is not None
    assert config.text_dropout is not None
    assert config.condition_dropout is not None
    return Preference(
        family,
        pairs,
        given.encodings,
        share,
        loss=gapo_or_dpo(config.loss, beta=config.beta, base=config.gap_base, scale=config.score_scale),
        reference=reference_network(given),
        seed=config.seed,
        guide_noise=config.guide_noise,
        text_dropout=config.text_dropout,
        condition_dropout=config.condition_dropout,
        device=given.device,
        shown=shown(given, _posed(pairs)),
    )


def _posed(pairs: Sequence[SizedPair]) -> list[PosedItem]:
    """Return the prompts of pairs with the first frames of their winners; files of latents have none to show."""
    return [
        PosedItem(f"pair-{place}", pair.prompt, pair.winner)
        for place, pair in enumerate(pairs)
        if isinstance(pair.winner, Clip)
    ]


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
    return SizedPair(pair.prompt, _without_spread(winner), _without_spread(loser), *scores, bucket)


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


def _without_spread(latents: "torch.Tensor") -> "dict[str, torch.Tensor]":
    import torch

    return {"mean": latents, "std": torch.zeros_like(latents)}


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
