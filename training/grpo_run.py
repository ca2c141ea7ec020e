"""GRPO from a configuration."""

from anisora.harness.errors import ConfigError
from anisora.harness.progress import announce
from anisora.harness.protocols import RewardModel
from anisora.reward.asked_reward import reward_of
from anisora.reward.trainer_reward import TrainerReward
from anisora.training.config import GrpoConfig
from anisora.training.drawing_rounds import check_rounds
from anisora.training.families.family import Sampling
from anisora.training.families.wan import WanFamily
from anisora.training.framing import framed
from anisora.training.grpo.advantages import DANCE_GRPO, FLOW_GRPO
from anisora.training.grpo.group_rewards import GroupRewards
from anisora.training.grpo.method import Grpo, GrpoRules
from anisora.training.posed_items import read_posed_items
from anisora.training.reference_network import frozen_network, reference_network
from anisora.training.rollouts import Sampler, SdeRule
from anisora.training.surroundings import Surroundings

__all__ = ["make_grpo"]

_KL_WEIGHTS: dict[Sampler, float] = {"flow_grpo": 0.04, "dance_grpo": 0.0}
"""Of the releases; Flow-GRPO takes 0.01 with PickScore."""


def make_grpo(given: Surroundings[GrpoConfig], *, judge: RewardModel | None = None) -> Grpo:
    """Read and encode the prompts of a configuration, each by one of the processes; return the way to train on them.

    Args:
        given: Has a model of flow matching.
        judge: A reward in place of that of the configuration; it is closed with the training.

    Raises:
        DataError: There is no prompt with an image.
        ConfigError: Fields of the configuration contradict each other or do not fit the model.
        UnknownNameError: There is no such reward or suite.
        VideoUnreadable: An image or a video cannot be decoded.
        RecordError: The cache cannot be written.
    """
    config, family = given.config, given.family
    assert isinstance(family, WanFamily)
    _check(config)
    rules = _rules(given, family)
    has_reference = config.kl_logged or rules.kl_weight > 0
    found = TrainerReward(
        reward_of(config.reward, config.weights, constants=config.constants) if judge is None else judge,
        invalid=config.invalid,
    )
    rewards = GroupRewards(
        found,
        mixing=config.mixing,
        rule=FLOW_GRPO if config.sampler == "flow_grpo" else DANCE_GRPO,
        limit=config.advantage_limit,
        gather=given.gather,
    )
    items = framed(given, read_posed_items(config.data))
    if given.is_shown:
        announce(f"Drawing {config.batch_size} clips a step, scored by {found.info.name}, of {len(items)} prompts.")
    return Grpo(
        family,
        items,
        given.encodings,
        given.share,
        rules=rules,
        reward=found,
        rewards=rewards,
        reference=reference_network(given) if has_reference else None,
        other=frozen_network(given, family.other_network()) if family.released.experts else None,
        has_reference=has_reference,
        seed=config.seed,
        fps=given.fps,
        device=given.device,
        keep_on="cpu" if config.trajectories == "cpu" else given.device,
    )


def _check(config: GrpoConfig) -> None:
    if config.batch_size % config.group_size:
        raise ConfigError(
            f"`batch_size` got {config.batch_size} with `group_size` {config.group_size}; expected a multiple of it: "
            "whole groups are compared. Correct one of them."
        )
    check_rounds(config, config.updates_per_sampling, "updates_per_sampling")
    for name in ("text_dropout", "condition_dropout"):
        if getattr(config, name):
            raise ConfigError(
                f"`{name}` got {getattr(config, name):g}; expected 0: what is drawn is given all it is drawn for. "
                "Leave it out."
            )


def _rules(given: Surroundings[GrpoConfig], family: WanFamily) -> GrpoRules:
    """Return the rules, the model's own or the release's where the configuration says nothing."""
    config = given.config
    bucket = given.buckets[0]
    own = family.request(Sampling(bucket.height, bucket.width, bucket.frames))
    scale = own.guidance if isinstance(own.guidance, float) else own.guidance[1 if family.is_high_noise else 0]
    sde = SdeRule.of(
        config.sampler,
        steps=config.sampling_steps,
        shift=own.shift if config.shift is None else config.shift,
        noise_level=config.noise_level,
    )
    if not any(family.is_trained_at(sde.timestep(place)) for place in range(sde.steps)):
        raise ConfigError(
            f"`sampling_steps` got {config.sampling_steps}, of which the network `expert` {config.expert!r} denoises "
            "none; expected one or more. Take more steps, or train the other one."
        )
    return GrpoRules(
        sde=sde,
        group_size=config.group_size,
        timestep_fraction=config.timestep_fraction,
        noise_everywhere=config.noise_everywhere,
        same_noise=config.sampler == "dance_grpo" if config.same_noise is None else config.same_noise,
        guidance=scale if config.guidance is None else config.guidance,
        clip_range=config.clip_range,
        kl_weight=_KL_WEIGHTS[config.sampler] if config.kl_weight is None else config.kl_weight,
        updates_per_sampling=config.updates_per_sampling,
    )
