"""Preference training: the velocity of the better clip is to be predicted better than a frozen reference predicts it.

Both clips of a pair share noise and level, and each is given its own first frame.

Reference: anisora_rl/sat/diffusion_video.py (shared_step), sgm/modules/diffusionmodules/loss.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from anisora.harness.types import Clip, Image
from anisora.training.adaptation import without_adapters
from anisora.training.buckets import BatchesInOrder, BatchPlan, Bucket
from anisora.training.conditions import GeneratorDraws, GuideDraw, drop_text
from anisora.training.drawn_samples import Levels, generator_of, stacked_inputs, stacked_levels
from anisora.training.encodings import Encodings
from anisora.training.families.cogvideox import noisy_first_frame
from anisora.training.families.family import Encoded, Family, Inputs, Level
from anisora.training.loop import Losses, Method, Share
from anisora.training.losses.preference import (
    Pair,
    PreferenceLosses,
    dpo_losses,
    gapo_losses,
    halves,
    pair_errors,
    with_shared_noise,
)
from anisora.training.posed_items import FramedItem

if TYPE_CHECKING:
    import torch

__all__ = ["LossOfPairs", "Preference", "PreferencePart", "PreferenceSample", "SizedPair", "gapo_or_dpo"]

LossOfPairs = Callable[[Pair, Pair, Pair], PreferenceLosses]
"""(errors of the policy, of the reference, scores) -> losses"""


@dataclass(frozen=True, slots=True)
class SizedPair:
    """A pair at the size that it is used at."""

    prompt: str
    winner: "Clip | Encoded"
    """A video, or what a family keeps of one."""
    loser: "Clip | Encoded"
    winner_score: float
    loser_score: float
    bucket: Bucket
    first_frame: Image | None = None
    """What clips of which there are latents alone were drawn from."""


class PreferenceSample(NamedTuple):
    """A pair as it is used in a step."""

    clean: Pair
    noise: "torch.Tensor"
    level: Level
    inputs: tuple[Inputs, Inputs]
    scores: tuple[float, float]


class PreferencePart(NamedTuple):
    """Pairs that are computed at once, on the device."""

    clean: Pair
    noise: "torch.Tensor"
    levels: Levels
    inputs: Inputs
    """Of all winners, then of all losers."""
    scores: Pair
    counts: "torch.Tensor | None" = None
    """(B,) 1 or 0: whether a pair is one; None where all are."""


def gapo_or_dpo(loss: str, *, beta: float, base: float, scale: float) -> LossOfPairs:
    """Return a loss of pairs.

    Args:
        loss: ``gapo`` or ``dpo``.
        beta: Positive.
        base: Of gapo's factor.
        scale: The highest score.
    """
    if loss == "dpo":
        return lambda policy, reference, _: dpo_losses(policy, reference, beta=beta)
    return lambda policy, reference, scores: gapo_losses(policy, reference, scores, beta=beta, base=base, scale=scale)


class Preference(Method):
    """Satisfies ``loop.Method``."""

    def __init__(
        self,
        family: Family,
        pairs: Sequence[SizedPair],
        encodings: Encodings,
        share: Share,
        *,
        loss: LossOfPairs,
        reference: Any,  # noqa: ANN401 - a VelocityNetwork
        seed: int,
        guide_noise: bool,
        text_dropout: float,
        condition_dropout: float,
        device: "torch.device",
        shown: Sequence[FramedItem] = (),
        optimised: Sequence[str] = (),
    ) -> None:
        """Take what pairs are made of.

        Args:
            family: Of the network.
            pairs: In order.
            encodings: Of the clips.
            share: Of this process.
            loss: Of pairs.
            reference: A frozen ``VelocityNetwork``; None for the network in training without its adapters.
            seed: Of everything that is drawn.
            guide_noise: Whether noise is added to the first frame.
            text_dropout: Chance of no prompt.
            condition_dropout: Chance of no images.
            device: Where the network is.
            shown: What sample clips are drawn from.
            optimised: Dimensions of the reward that tells winners from losers, as far as they are known.
        """
        self.shown, self.optimised = shown, optimised
        self.family, self._pairs, self.encodings, self.share = family, pairs, encodings, share
        self._loss, self._reference, self.seed, self.device = loss, reference, seed, device
        self._guide_noise = guide_noise
        self._text_dropout, self._condition_dropout = text_dropout, condition_dropout
        batch_size = share.processes * share.parts * share.size
        self._batches = BatchesInOrder(BatchPlan([each.bucket for each in pairs], batch_size, seed))

    def parts(self, step: int, network: Any) -> list[PreferencePart]:  # noqa: ANN401 - data do not depend on it
        """Return this process's parts of a step; steps are asked for in order."""
        batch = self._batches.at(step)
        chosen = [self._pairs[item] for item in batch.items]
        return [self.part([self.sample(chosen[place], step, place) for place in own]) for own in self.share.places()]

    def sample(self, pair: SizedPair, step: int, place: int) -> PreferenceSample:
        """Return a pair as it is used in a step, with all that is drawn for it.

        Args:
            pair: The pair.
            step: From 0.
            place: In the step's batch.
        """
        import torch

        generator = generator_of(self.seed, step, place)
        draws = GeneratorDraws(generator)
        draw = GuideDraw(frames=(0,), is_dropped=draws.uniform() < self._condition_dropout)
        text = drop_text(self.encodings.text(pair.prompt)[None], draws, dropout=self._text_dropout)[0]
        clean, inputs = [], []
        for clip in (pair.winner, pair.loser):
            latents, condition, image = self._guided(pair, clip, draw, generator)
            clean.append(latents)
            inputs.append(Inputs(condition, text, image))
        level = self.family.draw_level(generator)
        noise = torch.randn(clean[0].shape, generator=generator)
        scores = (pair.winner_score, pair.loser_score)
        return PreferenceSample(Pair(clean[0], clean[1]), noise, level, (inputs[0], inputs[1]), scores)

    def _guided(
        self, pair: SizedPair, clip: "Clip | Encoded", draw: GuideDraw, generator: "torch.Generator"
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]":
        """Return a clip's latents, its condition and the embedding of its first frame."""
        family, bucket = self.family, pair.bucket
        guides: dict[tuple[int, ...], Encoded] = {}
        encoded = self.encodings.clip(clip, bucket) if isinstance(clip, Clip) else clip
        for frames in family.to_encode(draw, bucket.frames):
            if isinstance(clip, Clip):
                guides[frames] = self.encodings.guides(clip, bucket, frames)
            elif pair.first_frame is not None:
                guides[frames] = self.encodings.first_frame(pair.first_frame, bucket)
        clean = family.clean(encoded, generator)
        if self._guide_noise and not draw.is_dropped:
            return clean, noisy_first_frame(clean, generator), None
        return clean, *family.condition(clean, guides, draw, bucket.frames, generator)

    def part(self, samples: Sequence[PreferenceSample]) -> PreferencePart:
        """Return samples as they are computed at once."""
        import torch

        def stacked(tensors: "Sequence[torch.Tensor]") -> "torch.Tensor":
            return torch.stack(list(tensors)).to(self.device)

        winners, losers = ([each.inputs[side] for each in samples] for side in (0, 1))
        return PreferencePart(
            clean=Pair(*(stacked([each.clean[side] for each in samples]) for side in (0, 1))),
            noise=stacked([each.noise for each in samples]),
            levels=stacked_levels([each.level for each in samples], self.device),
            inputs=stacked_inputs([*winners, *losers], self.device),
            scores=Pair(*(torch.tensor([each.scores[side] for each in samples]).to(self.device) for side in (0, 1))),
        )

    def losses(self, network: Any, part: PreferencePart) -> Losses:  # noqa: ANN401 - a wrapped module
        """Return the losses of pairs.

        Args:
            network: A ``VelocityNetwork``, wrapped as accelerate does.
            part: One of ``parts``.
        """
        import torch

        noised, targets = with_shared_noise(part.clean, part.noise, part.levels.level, self.family.objective)
        both = torch.cat(noised)
        timesteps = part.levels.timesteps.repeat(2)
        policy = pair_errors(halves(network(both, timesteps, part.inputs)), targets)
        with torch.no_grad(), self._frozen(network) as reference:
            kept = pair_errors(halves(reference(both, timesteps, part.inputs)), targets)
        found = self._loss(policy, kept, part.scores)
        return Losses(
            losses=found.losses if part.counts is None else found.losses * part.counts,
            numbers={
                "implicit_accuracy": (found.inside > 0).float(),
                "inside": found.inside,
                "winner_squared_error": policy.winner,
                "loser_squared_error": policy.loser,
            },
        )

    @contextmanager
    def _frozen(self, network: Any) -> Iterator[Any]:  # noqa: ANN401 - modules
        if self._reference is not None:
            yield self._reference
            return
        inner = getattr(network, "module", network)  # of several processes, as accelerate wraps it
        with without_adapters(inner.network):
            yield inner
