"""GRPO: clips of one prompt are drawn with noise, and steps that led to better ones are made likelier.

A round draws clips, scores them while others are drawn, compares them within groups, and trains on their steps.

Reference: flow_grpo's scripts/train_sd3.py; DanceGRPO's fastvideo/train_grpo_skyreels_i2v.py (train_one_step).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from anisora.harness.protocols import RewardBatch
from anisora.reward.trainer_reward import TrainerReward
from anisora.training.adaptation import without_adapters
from anisora.training.buckets import BatchesInOrder, BatchPlan, StepBatch
from anisora.training.drawn_samples import generator_of, stacked_inputs
from anisora.training.encodings import Encodings
from anisora.training.families.family import Inputs
from anisora.training.families.wan import WanFamily
from anisora.training.grpo.advantages import consecutive_groups
from anisora.training.grpo.group_rewards import GroupRewards, StepAdvantages
from anisora.training.grpo.policy import clipped_losses, reference_penalties
from anisora.training.grpo.sde_step import SdeStep
from anisora.training.guided_velocity import guided_velocity
from anisora.training.loop import Losses, Method, Share
from anisora.training.posed_items import FramedItem
from anisora.training.rollouts import Rollout, SdeRule, rolled_out, trained_places
from anisora.training.scored_groups import scored_while_drawn

if TYPE_CHECKING:
    import torch

__all__ = ["Grpo", "GrpoPart", "GrpoRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpoRules:
    """How clips are drawn and trained on."""

    sde: SdeRule
    group_size: int
    timestep_fraction: float | None
    noise_everywhere: bool
    same_noise: bool
    guidance: float
    clip_range: float
    kl_weight: float
    """0 does not hold the network to its reference."""
    updates_per_sampling: int


class GrpoClip(NamedTuple):
    """A clip that was drawn."""

    place: int
    """In the step's batch."""
    rollout: Rollout
    inputs: Inputs


class GrpoPart(NamedTuple):
    """One step of sampling of some clips; it is put on the device when it is trained."""

    clips: Sequence[GrpoClip]
    at: int
    """The step, in the order in which each clip's steps are trained."""
    advantages: "torch.Tensor"
    """(len(clips),)"""
    is_spread: "torch.Tensor"
    """(len(clips),) bool"""


class _Round(NamedTuple):
    number: int
    clips: list[GrpoClip]
    advantages: StepAdvantages


class Grpo(Method):
    """Satisfies ``loop.Method``; for models of flow matching."""

    def __init__(
        self,
        family: WanFamily,
        items: Sequence[FramedItem],
        encodings: Encodings,
        share: Share,
        *,
        rules: GrpoRules,
        reward: TrainerReward,
        rewards: GroupRewards,
        reference: Any,  # noqa: ANN401 - a VelocityNetwork
        other: Any,  # noqa: ANN401 - a VelocityNetwork
        has_reference: bool,
        seed: int,
        fps: float,
        device: "torch.device",
        keep_on: "torch.device | str" = "cpu",
    ) -> None:
        """Take what clips are made of.

        Args:
            family: Of the network.
            items: In order.
            encodings: Of the items' first frames and prompts.
            share: Of this process; its parts are cut of the clips.
            rules: Of drawing and training.
            reward: What is maximised; called from another thread, one call at a time. It is closed with this.
            rewards: Compares.
            reference: A frozen ``VelocityNetwork``; None for the network in training without its adapters.
            other: Of models with two networks, the one that is not trained; else None.
            has_reference: Whether the distance to the reference is measured.
            seed: Of everything that is drawn.
            fps: Of clips.
            device: Where the network is.
            keep_on: Where states wait.
        """
        self.shown = tuple(items)
        self.optimised = reward.info.dimensions
        self._family, self._items, self._encodings, self._share = family, items, encodings, share
        self._rules, self._reward, self._rewards = rules, reward, rewards
        self._reference, self._other, self._has_reference = reference, other, has_reference
        self._seed, self._fps, self._device, self._keep_on = seed, fps, device, keep_on
        self._without = encodings.without()[None].to(device)
        count = share.processes * share.parts * share.size
        self._groups = consecutive_groups(count, rules.group_size)
        plan = BatchPlan([each.bucket for each in items], count // rules.group_size, seed)
        self._batches = BatchesInOrder(plan)
        own = share.parts * share.size
        self._places = range(share.process * own, (share.process + 1) * own)
        able = [at for at in range(rules.sde.steps) if family.is_trained_at(rules.sde.timestep(at))]
        self._able = tuple(able)
        self._round: _Round | None = None

    def parts(self, step: int, network: Any) -> list[GrpoPart]:  # noqa: ANN401 - a wrapped module
        """Return this process's parts of a step, after drawing and scoring its clips; steps are asked for in order."""
        number, _ = divmod(step, self._rules.updates_per_sampling)
        if self._round is None or self._round.number != number:
            self._round = self._drawn(number, getattr(network, "module", network))
        clips, size = self._round.clips, self._share.size
        chunks = [clips[at : at + size] for at in range(0, len(clips), size)]
        trained = len(clips[0].rollout.trained)
        found = self._round.advantages
        parts = []
        for chunk in chunks:
            own = [clip.place for clip in chunk]
            parts += [GrpoPart(chunk, at, found.values[own], found.is_spread[own]) for at in range(trained)]
        return parts

    def numbers(self) -> dict[str, float]:
        """Return what rewards said of the clips of the step."""
        return {} if self._round is None else dict(self._round.advantages.numbers)

    def close(self) -> None:
        """Close the reward."""
        self._reward.close()

    def _drawn(self, number: int, network: Any) -> _Round:  # noqa: ANN401 - a VelocityNetwork
        batch = self._batches.at(number)
        groups = [list(own) for _, own in groupby(self._places, lambda place: self._groups[place])]

        def draw(places: Sequence[int]) -> "tuple[list[GrpoClip], torch.Tensor]":
            clips = self._group(batch, places, network)
            return clips, self._frames(clips)

        drawn, scored = scored_while_drawn(groups, draw, lambda places, frames: self._score(batch, places, frames))
        clips = [clip for group in drawn for clip in group]
        return _Round(number, clips, self._rewards.compared(scored, self._groups))

    def _item(self, batch: StepBatch, place: int) -> FramedItem:
        return self._items[batch.items[self._groups[place]]]

    def _frames(self, clips: Sequence[GrpoClip]) -> "torch.Tensor":
        import torch

        latents = (each.rollout.states[-1].to(self._device) for each in clips)
        return torch.cat([self._family.decode(each[None]) for each in latents])

    def _score(self, batch: StepBatch, places: Sequence[int], videos: "torch.Tensor") -> RewardBatch:
        items = [self._item(batch, place) for place in places]
        return self._reward(videos, [each.prompt for each in items], [each.condition for each in items], fps=self._fps)

    def _group(self, batch: StepBatch, places: Sequence[int], network: Any) -> list[GrpoClip]:  # noqa: ANN401
        """Draw the clips of one prompt, as many at once as are trained at once."""
        size = self._share.size
        chunks = [places[at : at + size] for at in range(0, len(places), size)]
        return [clip for chunk in chunks for clip in self._chunk(batch, chunk, network)]

    def _chunk(self, batch: StepBatch, places: Sequence[int], network: Any) -> list[GrpoClip]:  # noqa: ANN401
        import torch

        rules = self._rules
        inputs = [self._inputs(self._item(batch, place)) for place in places]
        together = stacked_inputs(inputs, self._device)
        generators = [generator_of(self._seed, batch.step, place) for place in places]
        shape = self._family.latent_shape(inputs[0].condition)
        noise = torch.stack([torch.randn(shape, generator=each) for each in generators])
        if rules.same_noise:
            first = places[0] - places[0] % rules.group_size
            shared = torch.randn(shape, generator=generator_of(self._seed, batch.step, first))
            noise = shared.expand_as(noise)
        trained = [trained_places(rules.sde, self._able, rules.timestep_fraction, each) for each in generators]

        def ask(states: "torch.Tensor", timestep: float) -> "torch.Tensor":
            asked = network if self._family.is_trained_at(timestep) else self._other
            told = torch.full((len(states),), timestep, device=self._device)
            return guided_velocity(asked, states, told, together, self._without, rules.guidance)

        drawn = rolled_out(
            ask,
            rules.sde,
            noise.to(self._device),
            generators,
            trained,
            noise_everywhere=rules.noise_everywhere,
            keep_on=self._keep_on,
        )
        return [GrpoClip(*each) for each in zip(places, drawn, inputs, strict=True)]

    def _inputs(self, item: FramedItem) -> Inputs:
        import torch

        encoded = self._encodings.first_frame(item.image, item.bucket)
        condition, image = self._family.posed(encoded, item.bucket.frames, torch.Generator())
        return Inputs(condition, self._encodings.text(item.prompt), image)

    def losses(self, network: Any, part: GrpoPart) -> Losses:  # noqa: ANN401 - a wrapped module
        """Return the clipped losses of a step of sampling, with the penalty; 0 of groups without spread.

        Args:
            network: A ``VelocityNetwork``, wrapped as accelerate does.
            part: One of ``parts``.
        """
        import torch

        rules, device = self._rules, self._device
        steps = [(clip.rollout, clip.rollout.trained[part.at]) for clip in part.clips]
        places = [place for _, place in steps]
        states = torch.stack([rollout.states[place] for rollout, place in steps]).to(device)
        next_states = torch.stack([rollout.states[place + 1] for rollout, place in steps]).to(device)
        old_log_probs = torch.stack([rollout.log_probs[place] for rollout, place in steps]).to(device)
        inputs = stacked_inputs([clip.inputs for clip in part.clips], device)
        told = torch.tensor([rules.sde.timestep(place) for place in places], device=device)

        def step_of(asked: Any) -> SdeStep:  # noqa: ANN401 - modules
            velocities = guided_velocity(asked, states, told, inputs, self._without, rules.guidance)
            return rules.sde.step(states, velocities, places)

        step = step_of(network)
        log_probs = step.log_prob(next_states)
        advantages = part.advantages.to(device)
        losses = clipped_losses(advantages, log_probs, old_log_probs, clip_range=rules.clip_range)
        change = (log_probs - old_log_probs).detach()
        numbers = {
            "policy_loss": losses.detach(),
            "approx_kl": 0.5 * change**2,
            "clip_fraction": ((change.exp() - 1).abs() > rules.clip_range).float(),
        }
        if self._has_reference:
            with torch.no_grad(), self._frozen(network) as reference:
                kept = step_of(reference).mean
            numbers["kl"] = reference_penalties(step.mean, kept, step.diffusion)
            losses = losses + rules.kl_weight * numbers["kl"]
        return Losses(losses=losses * part.is_spread.to(device), numbers=numbers)

    @contextmanager
    def _frozen(self, network: Any) -> Iterator[Any]:  # noqa: ANN401 - modules
        if self._reference is not None:
            yield self._reference
            return
        inner = getattr(network, "module", network)
        with without_adapters(inner.network):
            yield inner
