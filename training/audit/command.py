"""The command ``audit``: signs of a gamed reward."""

import json
from pathlib import Path
from typing import Any, Final

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import metric_device, option, split_words, weight_options

__all__ = ["audit"]

_EXIT_FAILED: Final = 1


@click.command(cls=Command)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@option(
    "--base",
    type=click.Path(path_type=Path),
    metavar="RUN0",
    help="Clips of the model before the training, where RUN has none of step 0.",
)
@option(
    "--optimised",
    callback=split_words,
    metavar="A,B",
    help="Metrics of the reward; those that RUN tells of by default.",
)
@option(
    "--held-out",
    callback=split_words,
    metavar="A,B",
    help="Metrics that are not optimised; some of another kind by default.",
)
@option("--least", multiple=True, metavar="SIGNAL=NUMBER", help="In place of a signal's smallest change that counts.")
@option("--kl-limit", type=click.FloatRange(0, min_open=True), metavar="NUMBER", help="Alarm above this mean KL.")
@option("--strict", is_flag=True, help="End with exit code 1 where there is an alarm.")
@option("--page/--no-page", default=True, help="Write audit.html beside audit.json (default), or not.")
@metric_device
@weight_options
@option("--json", "as_json", is_flag=True, help="Print plain data.")
def audit(run: Path, **given: Any) -> int:  # noqa: ANN401
    r"""Look for signs of a gamed reward in a training, or in a run of clips.

    Clips of the trained model are compared with those of the model before, by item and seed: motion, colours,
    sharpness, grids, copies of the first frame, prompts without effect, diversity, and rewards that were not optimised.
    Where no option says otherwise, a training is audited as it was told to audit itself. RUN then has audit.json, and
    audit.html with the clips to look at.

    \b
    anisora audit runs/demo-my-model-0123456789 --base runs/demo-my-model-0123456789
    """
    from contextlib import ExitStack

    from anisora.harness.progress import progress
    from anisora.training.audit.audit_data import audit_data, write_audit
    from anisora.training.audit.audit_text import audit_text
    from anisora.training.audit.page import write_page
    from anisora.training.audit.run_audit import audit_run
    from anisora.training.audit.settings import settings_of_training
    from anisora.training.run_log import LOG, read_log

    said = {name: tuple(given[name]) for name in ("held_out", "optimised") if given[name] is not None}
    said |= {name: given[name] for name in ("kl_limit",) if given[name] is not None}
    own = settings_of_training(run)
    config = own.model_copy(update={**said, "least": {**own.least, **_least(given["least"])}})
    with ExitStack() as stack:
        found = audit_run(
            run,
            given["base"],
            config=config,
            advance=lambda clips: stack.enter_context(progress("audit", clips, shown=not given["as_json"])),
        )
    written = [write_audit(found, run)]
    if given["page"]:
        written.append(write_page(found, run, read_log(run / LOG)))
    if given["as_json"]:
        click.echo(json.dumps(audit_data(found), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        click.echo(audit_text(found), nl=False)
        click.echo(f"Wrote {' and '.join(map(str, written))}.")
    return _EXIT_FAILED if given["strict"] and found.alarms else 0


def _least(texts: tuple[str, ...]) -> dict[str, float]:
    """Return {signal: number} of ``SIGNAL=NUMBER`` texts.

    Raises:
        ConfigError: One is none.
    """
    import math

    from anisora.harness.errors import ConfigError

    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name.strip() or not (math.isfinite(number) and number > 0):
            raise ConfigError(f"`--least` got {text!r}; expected SIGNAL=NUMBER above 0, such as motion=0.3.")
        found[name.strip()] = number
    return found
