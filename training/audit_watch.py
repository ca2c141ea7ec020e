"""The audit in a training: whenever sample clips were drawn, it looks at them, tells of alarms, and may end it.

audit.json, audit.html   what was found until now, as ``anisora audit`` writes it
audit.jsonl              a line a look, from which a training that goes on knows it again
log.jsonl                at steps with a look: audit/alarms, how many hold, and audit/SIGNAL, each signal's change
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.journal import open_journal, read_journal
from anisora.harness.training_folder import AUDIT, AUDIT_PAGE
from anisora.training.audit.alarms import KL
from anisora.training.audit.audit_data import write_audit
from anisora.training.audit.audit_text import alarm_line
from anisora.training.audit.clips import sampled_clips
from anisora.training.audit.held_out import metrics_among
from anisora.training.audit.live import LiveAudit
from anisora.training.audit.looks_file import LOOKS, digest_of_look, entry_of, look_of
from anisora.training.audit.page import write_page
from anisora.training.audit.settings import AuditConfig
from anisora.training.loop import Watcher
from anisora.training.random_states import unchanged_random_states
from anisora.training.run_log import LOG, cut_log, read_log

if TYPE_CHECKING:
    import torch

__all__ = ["AUDIT_FILES", "AuditWatch"]

AUDIT_FILES: Final = (AUDIT, AUDIT_PAGE, LOOKS)
"""In the run folder."""
_KL_LINES: Final = 100
"""Of the log, that are kept for the mean of ``kl``: more than it is of."""
_ELSEWHERE: Final = "Training was stopped by the audit; its first process says why."


class AuditWatch(Watcher):
    """Satisfies ``loop.Watcher``; the first process audits, and all of them stop.

    It comes after what draws the clips. Random states are the same after it as before.
    """

    def __init__(
        self,
        config: AuditConfig,
        *,
        run: Path,
        dimensions: Sequence[str],
        is_due: Callable[[int], bool],
        is_first: bool,
        any_of: Callable[[bool], bool],
        device: "torch.device",
        tell: Callable[[str], None],
    ) -> None:
        """Take what is needed; nothing is measured yet.

        Args:
            config: How to work.
            run: The run folder, which has the clips.
            dimensions: Of the reward, as the log names them; none where nothing is known of one.
            is_due: Tells of a step whether clips were drawn after it.
            is_first: Whether this process is the one that audits.
            any_of: Whether any process says so.
            device: Of the training.
            tell: Shows people a line.
        """
        self._config, self._run, self._is_due = config, run, is_due
        self._optimised = metrics_among(dimensions) if config.optimised is None else config.optimised
        self._is_first, self._any_of, self._device, self._tell = is_first, any_of, device, tell
        self._audit: LiveAudit | None = None
        self._opened = ExitStack()
        self._log: deque[Mapping[str, Any]] = deque(maxlen=_KL_LINES)
        self._told: set[str] = set()

    def close(self) -> None:
        """End the processes that decode."""
        self._opened.close()

    def begin(self, step: int) -> None:
        """Measure the clips of the first network, and take up the looks until this step.

        Raises:
            AnisoraError: As ``LiveAudit``.
        """
        if self._is_first:
            with unchanged_random_states(self._device):
                self._begin(step)
        self._settle(step)

    def after(self, step: int, line: Mapping[str, float]) -> Mapping[str, float]:
        """Look at the clips of a step, if there are any; return what the log is told.

        Raises:
            AnisoraError: As ``LiveAudit.look``.
        """
        if line.get(KL) is not None:
            self._log.append(line)
        if not self._is_due(step):
            return {}
        numbers: Mapping[str, float] = {}
        if self._is_first:
            with unchanged_random_states(self._device):
                numbers = self._look(step, line)
        self._settle(step)
        return numbers

    def _begin(self, step: int) -> None:
        cut_log(self._run / LOOKS, step)
        log = read_log(self._run / LOG)
        self._log.extend(line for line in log if line.get(KL) is not None)
        known = {entry["step"]: entry for entry in read_journal(self._run / LOOKS)}
        steps = sampled_clips(self._run, 0 if step == 0 else None)
        base = steps.pop(0)
        audit = LiveAudit(base, config=self._config, optimised=self._optimised)
        self._audit = self._opened.enter_context(audit)
        found = audit.result()
        held_out = ", ".join(found.held_out) or "nothing"
        self._tell(f"Audit: {len(base)} clips at each look, held out: {held_out}.")
        for note in found.notes:
            self._tell(f"Audit, not judged: {note}.")
        for at, clips in steps.items():
            digest = digest_of_look(base, clips, found.signals, found.level)
            if at in known and known[at]["digest"] == digest:
                audit.remember(look_of(known[at], clips, self._config.kl_limit, list(found.signals)))
            else:  # another kind of look, or none
                audit.look(at, clips, log)
                self._keep(digest)
        self._told = {alarm.signal for alarm in audit.standing}

    def _look(self, step: int, line: Mapping[str, float]) -> dict[str, float]:
        audit = self._audit
        assert audit is not None
        clips = sampled_clips(self._run, step)[step]
        alarms = audit.look(step, clips, self._log)
        found = audit.result()
        self._keep(digest_of_look(list(found.base.values()), clips, found.signals, found.level))
        write_audit(found, self._run)
        write_page(found, self._run, [*read_log(self._run / LOG), line])
        for alarm in alarms:
            if alarm.signal not in self._told:
                self._tell(alarm_line(alarm))
        self._told = {alarm.signal for alarm in alarms}
        changes = {
            f"audit/{name}": each.change for name, each in found.looks[-1].findings.items() if each.change is not None
        }
        return {"audit/alarms": float(len(alarms)), **changes}

    def _keep(self, digest: str) -> None:
        assert self._audit is not None
        look = self._audit.result().looks[-1]
        with open_journal(self._run / LOOKS) as looks:
            looks.append(entry_of(look, digest, self._optimised))

    def _settle(self, step: int) -> None:
        """Let all processes know whether the training is to end."""
        stopping = [] if self._audit is None else self._audit.stopping
        if not self._any_of(bool(stopping)):
            self.reason_to_stop = ""
        elif self._audit is None:
            self.reason_to_stop = _ELSEWHERE
        else:
            self.reason_to_stop = (
                f"Training was stopped after step {step} by `audit.stop`: {alarm_line(stopping[0])} Its checkpoint is "
                f"kept, and `{self._run / AUDIT_PAGE}` shows the clips. The same command goes on with --set "
                f"audit.stop=false, or writes the model as it is with --steps {step}."
            )
