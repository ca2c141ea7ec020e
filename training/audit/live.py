"""The audit while a training runs: it is shown each set of sampled clips, and says what is wrong with them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from anisora.harness.errors import DataError
from anisora.harness.statistics.clustered_mean import MIN_CLUSTERS
from anisora.training.audit.alarms import Alarm, Look, alarms_of, mean_kl
from anisora.training.audit.clips import AuditClip, check_clips
from anisora.training.audit.decision import findings
from anisora.training.audit.held_out import held_out_metrics
from anisora.training.audit.measures import ClipMeter, values_of
from anisora.training.audit.settings import AuditConfig
from anisora.training.audit.signals import SIGNALS, Signal, held_out_signal, with_least

__all__ = ["Audit", "LiveAudit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All that an audit found."""

    signals: Mapping[str, Signal]
    looks: tuple[Look, ...]
    alarms: tuple[Alarm, ...]
    held_out: tuple[str, ...]
    """Metrics that are not optimised."""
    optimised: tuple[str, ...]
    """Metrics that are, as far as is known."""
    level: float
    base: Mapping[tuple[str, int], AuditClip]
    stopping: tuple[str, ...]
    """Signals for which the training is to end after the last look; none where it was not asked to."""
    notes: tuple[str, ...]
    """What could not be judged, and why."""


class LiveAudit:
    """Compares the clips of a training with those of the model that it began with, step by step.

    Example:
        >>> with LiveAudit(base_clips, optimised=["sharpness"]) as audit:  # doctest: +SKIP
        ...     for alarm in audit.look(step, clips):
        ...         print(alarm.title, alarm.direction, "since step", alarm.began)
    """

    def __init__(
        self,
        base: Sequence[AuditClip],
        *,
        config: AuditConfig | None = None,
        optimised: Sequence[str] = (),
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        """Measure the clips of the base.

        Args:
            base: One of each item and seed that will be looked at, of the model before its first update. They are
                kept for evidence, so that files are better than frames in memory.
            config: How to work.
            optimised: Metrics of the reward, so that others are held out.
            advance: Called once per clip.

        Raises:
            DataError: There are no clips, or two of one item and seed.
            UnknownNameError: A metric or signal is not known.
            ConfigError: A held-out metric has no direction, or is optimised.
            WeightsMissing: Weight files of a held-out metric are not there.
            VideoUnreadable: A clip cannot be decoded.
        """
        from anisora.harness.errors import ConfigError

        check_clips(base, "base")
        self._config = AuditConfig() if config is None else config
        self._optimised = tuple(optimised)
        chosen = self._config.held_out
        if twice := sorted(set(chosen or ()) & set(optimised)):
            raise ConfigError(f"`held_out` got {', '.join(twice)}, which is optimised; expected metrics that are not.")
        if chosen is None:
            chosen = held_out_metrics(optimised, [clip.generation().sample for clip in base])
        self._held_out = chosen
        held_out = {(signal := held_out_signal(metric)).name: signal for metric in chosen}
        self._signals = with_least({**SIGNALS, **held_out}, self._config.least)
        self._meter = ClipMeter(self._signals)
        self._clips = {clip.key: clip for clip in base}
        try:
            self._base = values_of(self._meter(base, advance))
        except BaseException:
            self._meter.close()
            raise
        self._looks: list[Look] = []

    def __enter__(self) -> Self:
        """Use as a context manager; leaving ends the decoder processes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the decoder processes; what was found stays."""
        self._meter.close()

    def look(
        self,
        step: int,
        clips: Sequence[AuditClip],
        log: Iterable[Mapping[str, Any]] = (),
        *,
        advance: Callable[[], None] = lambda: None,
    ) -> list[Alarm]:
        """Compare clips with the base's.

        Args:
            step: Updates that the model has had; more than at the last look.
            clips: Of the model now, of the items and seeds of the base.
            log: Lines of the training's log, for ``kl``.
            advance: Called once per clip.

        Returns:
            The alarms that hold at this step, the largest first.

        Raises:
            DataError: There are no clips, two of one item and seed, or none that the base has, too.
            VideoUnreadable: A clip cannot be decoded.
        """
        check_clips(clips, "clips")
        own = {clip.key: clip for clip in clips}
        if not own.keys() & self._clips.keys():
            item, seed = next(iter(own))
            raise DataError(
                f"`clips` of step {step} got item {item!r} with seed {seed}, and none is of an item and seed that the "
                "base has; expected the same ones. Sample both with the same items and seeds."
            )
        found = findings(self._signals, self._base, values_of(self._meter(clips, advance)), level=self._config.level)
        shown = {(pair.item, pair.seed) for each in found.values() if each.is_alarm for pair in each.worst}
        self._looks.append(
            Look(
                step=step,
                findings=found,
                kl=mean_kl(log, step),
                kl_limit=self._config.kl_limit,
                evidence={key: own[key] for key in sorted(shown)},
            )
        )
        return self.standing

    def remember(self, look: Look) -> None:
        """Take a look that was made before, of later steps than those until now."""
        self._looks.append(look)

    @property
    def standing(self) -> list[Alarm]:
        """The alarms that hold at the last look, the largest first."""
        return [alarm for alarm in alarms_of(self._looks, self._signals) if alarm.stands]

    @property
    def stopping(self) -> list[Alarm]:
        """The alarms for which the training is to end: it was asked to, and they have held for long enough."""
        return [alarm for alarm in self.standing if self._config.stop and alarm.looks >= self._config.patience]

    @property
    def should_stop(self) -> bool:
        """Whether the training is to end."""
        return bool(self.stopping)

    def result(self) -> Audit:
        """Return all that was found until now."""
        return Audit(
            signals=self._signals,
            looks=tuple(self._looks),
            alarms=tuple(alarms_of(self._looks, self._signals)),
            held_out=self._held_out,
            optimised=self._optimised,
            level=self._config.level,
            base=self._clips,
            stopping=tuple(alarm.signal for alarm in self.stopping),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        items = len({item for item, _ in self._clips})
        notes = []
        if items < MIN_CLUSTERS:
            notes.append(f"{items} items; nothing is judged below {MIN_CLUSTERS}")
        if not self._held_out:
            notes.append("no reward is held out: none of another kind than the optimised ones can be computed here")
        if len(self._clips) == items:
            notes.append("one seed an item; diversity and prompt specificity need two")
        silent = [name for name in self._signals if not self._base.get(name)]
        if silent:
            notes.append(f"no value on these clips: {', '.join(silent)}")
        return notes
