"""The page of ``anisora learn``: what tuning did, curves, clips before and after; one file that loads nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from anisora.harness.media.decoder import DecoderPool
from anisora.harness.runfolder import write_atomically
from anisora.harness.training_folder import AUDIT_PAGE
from anisora.training.audit.clips import AuditClip, sampled_clips
from anisora.training.audit.evidence import SideBySide, videos_of
from anisora.training.learn.summary import Summary, change_text, role_of
from anisora.training.learn.tuning import HELD_OUT, TUNED, Method, Tuned
from anisora.training.run_log import LOG, read_log

__all__ = ["PAGE", "Curves", "curves_of", "write_page"]

PAGE: Final = "learn.html"
_TEMPLATE: Final = "page.html.j2"
WIDTH: Final = 300
HEIGHT: Final = 110
_SHOWN: Final[Mapping[Method, tuple[tuple[str, str], ...]]] = {
    "gapo": (("loss", "loss"), ("implicit_accuracy", "pairs told apart better than by the base")),
    "grpo": (("reward/total/mean", "reward of the clips drawn in training"), ("grad_norm", "length of the gradient")),
}
"""{method: (name in the log, title)}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """A number of the log over steps, a line a seed, in a box of WIDTH x HEIGHT pixels, y downwards."""

    title: str
    lines: tuple[str, ...]
    """``x,y x,y ...`` of SVG polylines."""
    low: float
    high: float
    steps: tuple[int, int]


def write_page(summary: Summary, tuned: Sequence[Tuned], out: Path) -> Path:
    """Write ``learn.html`` and return its path.

    Args:
        summary: Of these trainings.
        tuned: One or more.
        out: The folder of the pretraining, which has them.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("anisora.training.learn").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    methods = {}
    with DecoderPool() as pool:
        for method in dict.fromkeys(each.method for each in tuned):
            runs = [each for each in tuned if each.method == method]
            methods[method] = {
                "changes": [
                    {"change": each, "role": role_of(each.metric), "text": change_text(each)}
                    for each in summary.changes
                    if each.method == method
                ],
                "motion": next(each for each in summary.motion if each.method == method),
                "seconds": summary.seconds[method],
                "curves": curves_of(method, [out / TUNED / f"{method}-{each.seed}" for each in runs]),
                "clips": _clips(runs[0], out, pool),
                "seed": runs[0].seed,
                "audits": [
                    {
                        "seed": each.seed,
                        "page": f"{TUNED}/{method}-{each.seed}/{AUDIT_PAGE}",
                        "alarms": ", ".join(each.alarms),
                    }
                    for each in runs
                ],
            }
    text = environment.from_string(template).render(methods=methods, held_out=HELD_OUT, width=WIDTH, height=HEIGHT)
    path = out / PAGE
    with write_atomically(path, "record") as file:
        file.write(text.encode())
    return path


def curves_of(method: Method, runs: Sequence[Path]) -> list[Curves]:
    """Return the curves of a method's trainings.

    Args:
        method: Which.
        runs: Their folders.
    """
    found = []
    for name, title in _SHOWN[method]:
        series = [[(line["step"], float(line[name])) for line in read_log(run / LOG) if name in line] for run in runs]
        series = [points for points in series if points]
        if series:
            found.append(_curves(title, series))
    return found


def _curves(title: str, series: Sequence[Sequence[tuple[int, float]]]) -> Curves:
    steps = [step for points in series for step, _ in points]
    values = [value for points in series for _, value in points]
    first, last, low, high = min(steps), max(steps), min(values), max(values)
    span, room = max(last - first, 1), (high - low) or 1.0
    return Curves(
        title=title,
        lines=tuple(
            " ".join(
                f"{WIDTH * (step - first) / span:.1f},{HEIGHT * (high - value) / room:.1f}" for step, value in points
            )
            for points in series
        ),
        low=low,
        high=high,
        steps=(first, last),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShownClip:
    which: str
    item: str
    seed: int
    prompt: str
    before: float
    after: float
    video: SideBySide


def _clips(run: Tuned, out: Path, pool: DecoderPool) -> list[_ShownClip]:
    """Return the clips whose held-out reward rose most, in the middle, and fell most: chosen by that alone."""
    steps = sampled_clips(out / TUNED / f"{run.method}-{run.seed}")
    base, last = ({clip.key: clip for clip in steps[at]} for at in (0, max(steps)))
    values = dict(zip(run.clips, zip(run.before[HELD_OUT], run.after[HELD_OUT], strict=True), strict=True))
    order = sorted(values, key=lambda key: values[key][0] - values[key][1])
    chosen = {"rose most": order[0], "in the middle": order[len(order) // 2], "rose least": order[-1]}
    videos = videos_of(chosen.values(), base, last, pool)
    return [
        _ShownClip(
            which=which,
            item=key[0],
            seed=key[1],
            prompt=_prompt(base[key]),
            before=values[key][0],
            after=values[key][1],
            video=videos[key],
        )
        for which, key in chosen.items()
        if key in videos
    ]


def _prompt(clip: AuditClip) -> str:
    return clip.prompt or ""
