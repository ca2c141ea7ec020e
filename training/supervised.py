"""Supervised training: the network is to predict the velocity of noised clips, given some frames and the prompt.

Reference: anisoraV1_train_gpu/sat/diffusion_video.py (shared_step), anisoraV2_gpu/fastvideo/train.py (train_one_step).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from anisora.training.buckets import BatchesInOrder, BatchPlan, StepBatch
from anisora.training.conditions import GeneratorDraws, drop_text
from anisora.training.drawn_samples import Levels, generator_of, stacked_inputs, stacked_levels
from anisora.training.encodings import Encodings
from anisora.training.families.family import Family, Inputs, Level
from anisora.training.items import SizedItem
from anisora.training.loop import Losses, Method, Share
from anisora.training.posed_items import FramedItem

if TYPE_CHECKING:
    import torch

__all__ = ["Supervised", "SupervisedPart"]


class _Sample(NamedTuple):
    clean: "torch.Tensor"
    noise: "torch.Tensor"
    level: Level
    inputs: Inputs


class SupervisedPart(NamedTuple):
    """Samples that are computed at once, on the device."""

    clean: "torch.Tensor"
    noise: "torch.Tensor"
    levels: Levels
    inputs: Inputs


class Supervised(Method):
    """Satisfies ``loop.Method``."""

    def __init__(
        self,
        family: Family,
        items: Sequence[SizedItem],
        encodings: Encodings,
        share: Share,
        *,
        seed: int,
        guides: str,
        text_dropout: float,
        condition_dropout: float,
        device: "torch.device",
        shown: Sequence[FramedItem] = (),
    ) -> None:
        """Take what samples are made of.

        Args:
            family: Of the network.
            items: In order.
            encodings: Of the items.
            share: Of this process.
            seed: Of everything that is drawn.
            guides: ``first`` or ``random``.
            text_dropout: Chance of no prompt.
            condition_dropout: Chance of no images.
            device: Where the network is.
            shown: What sample clips are drawn from.
        """
        self.shown = shown
        self._family, self._items, self._encodings, self._share = family, items, encodings, share
        self._seed, self._guides, self._device = seed, guides, device
        self._text_dropout, self._condition_dropout = text_dropout, condition_dropout
        batch_size = share.processes * share.parts * share.size
        self._batches = BatchesInOrder(BatchPlan([each.bucket for each in items], batch_size, seed))

    def parts(self, step: int, network: Any) -> list[SupervisedPart]:  # noqa: ANN401 - data do not depend on it
        """Return this process's parts of a step; steps are asked for in order."""
        batch = self._batches.at(step)
        return [self._part([self._sample(batch, place) for place in own]) for own in self._share.places()]

    def _sample(self, batch: StepBatch, place: int) -> _Sample:
        import torch

        family, found = self._family, self._items[batch.items[place]]
        item, bucket = found.item, found.bucket
        generator = generator_of(self._seed, batch.step, place)
        draws = GeneratorDraws(generator)
        draw = family.draw_guides(bucket.frames, draws, dropout=self._condition_dropout, guides=self._guides)
        text = drop_text(self._encodings.text(item.prompt)[None], draws, dropout=self._text_dropout)[0]
        guides = {
            frames: self._encodings.guides(item.clip, bucket, frames)
            for frames in family.to_encode(draw, bucket.frames)
        }
        clean = family.clean(self._encodings.clip(item.clip, bucket), generator)
        condition, image = family.condition(clean, guides, draw, bucket.frames, generator)
        level = family.draw_level(generator)
        noise = torch.randn(clean.shape, generator=generator)
        return _Sample(clean, noise, level, Inputs(condition, text, image))

    def _part(self, samples: Sequence[_Sample]) -> SupervisedPart:
        import torch

        return SupervisedPart(
            clean=torch.stack([each.clean for each in samples]).to(self._device),
            noise=torch.stack([each.noise for each in samples]).to(self._device),
            levels=stacked_levels([each.level for each in samples], self._device),
            inputs=stacked_inputs([each.inputs for each in samples], self._device),
        )

    def losses(self, network: Any, part: SupervisedPart) -> Losses:  # noqa: ANN401 - a wrapped module
        """Return the weighted squared errors of the velocities that are predicted.

        Args:
            network: A ``VelocityNetwork``, wrapped as accelerate does.
            part: One of ``parts``.
        """
        objective, level = self._family.objective, part.levels.level
        noised = objective.add_noise(part.clean, part.noise, level)
        prediction = network(noised, part.levels.timesteps, part.inputs)
        errors = objective.errors(prediction, part.clean, part.noise, level)
        return Losses(losses=errors * part.levels.weights, numbers={"squared_error": errors})
