"""Commands that exchange results with other tools: export, import."""

import json
from pathlib import Path
from typing import Any

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option

__all__ = ["export", "import_results"]


@click.command(cls=Command)
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@option(
    "--format",
    "style",
    type=click.Choice(["vbench", "jsonl"]),
    default="vbench",
    show_default=True,
    help="VBench's result and full-info files, or one line a score.",
)
@option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("exported"),
    show_default=True,
    help="Folder for the files.",
)
def export(run_folder: Path, style: str, out: Path) -> None:
    r"""Write a finished run in the form of other tools.

    \b
    anisora export runs/demo-my-model-0123456789 --out exported
    anisora export runs/demo-my-model-0123456789 --format jsonl
    """
    from dataclasses import asdict

    from anisora.harness.runfolder import RunFolder
    from anisora.harness.suite import samples_by_id, suite_of_run
    from anisora.metrics.vbench.exchange import full_info, results_of

    folder = RunFolder(run_folder)
    record, rows = folder.read_record(), folder.read_scores()
    contents: dict[str, str] = {}
    if style == "jsonl":
        lines = [json.dumps(asdict(row), ensure_ascii=False, allow_nan=False) for row in rows]
        contents[f"{record.run_id}.jsonl"] = "".join(f"{line}\n" for line in lines)
    else:
        clips, samples = folder.read_clips(), samples_by_id(suite_of_run(record.spec))
        results = results_of(record, rows, clips, samples)
        if not samples:
            click.echo("The items of the suite are not on this machine: ids stand for prompts.", err=True)
        contents[f"{record.run_id}_eval_results.json"] = _dumped(results)
        contents[f"{record.run_id}_full_info.json"] = _dumped(full_info(results, rows, clips, samples))
    out.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (out / name).write_text(text, encoding="utf-8")
        click.echo(str(out / name))


def _dumped(content: Any) -> str:  # noqa: ANN401 - plain data
    return json.dumps(content, indent=4, ensure_ascii=False, allow_nan=False) + "\n"


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@option(
    "--format",
    "style",
    type=click.Choice(["vbench"]),
    default="vbench",
    show_default=True,
    help="What wrote the file.",
)
@option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write one line a clip, as JSON."
)
def import_results(file: Path, style: str, out: Path | None) -> None:
    r"""Read a result file of another tool and show what it says, on our scale.

    The mean over clips stands beside the aggregate of the file: they differ where it weighs clips by their frames.
    VBench's totals follow, where the file has all their dimensions.

    \b
    anisora import vbench_eval_results.json
    """
    from anisora.metrics.vbench.exchange import read_results
    from anisora.metrics.vbench.totals import total_scores

    assert style == "vbench"
    dimensions = read_results(file)
    for dimension in dimensions:
        numbers = [f"aggregate {_shown(dimension.aggregate)}", f"mean over clips {_shown(dimension.mean)}"]
        unknown = sum(value is None for _, value in dimension.clips)
        numbers.append(f"{len(dimension.clips)} clips" + (f", {unknown} without a number" if unknown else ""))
        click.echo(f"{dimension.name}: {'; '.join(numbers)}")
        for kind, mean in dimension.by_type:
            click.echo(f"  {kind}: {_shown(mean)}")
    values = {dimension.name: dimension.aggregate for dimension in dimensions if dimension.aggregate is not None}
    for total in total_scores(values):
        if total.value is not None:
            click.echo(f"{total.name}: {_shown(total.value)} (VBench's constants)")
    if out is not None:
        lines = [
            json.dumps({"metric": dimension.name, "video": path, "value": value}, ensure_ascii=False)
            for dimension in dimensions
            for path, value in dimension.clips
        ]
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        click.echo(str(out))


def _shown(value: float | None) -> str:
    return "no number" if value is None else f"{value:.6g}"
