"""The command that builds a suite: suite import."""

import json
from pathlib import Path
from typing import Literal

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import FRAME_RATE, option, split_words
from anisora.harness.errors import ConfigError, DataError

__all__ = ["import_suite_command"]

_EXIT_PARTIAL = 3


@click.command("import", cls=Command)
@click.argument("source", metavar="FOLDER|NAME")
@option("--name", help="Name of the suite: small letters, digits and hyphens; a folder needs one.")
@option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default=True,
    help="Folder for the suite file and its manifest.",
)
@option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the data set NAME lies; nothing is downloaded.",
)
@option("--strict", is_flag=True, help="Of NAME: write nothing if anything is wrong with it.")
@option(
    "--role",
    type=click.Choice(["ground-truth", "video"]),
    default="ground-truth",
    show_default=True,
    help="What the clips of the folder are.",
)
@option("--metrics", callback=split_words, metavar="A,B", help="Columns; by default all core metrics that apply.")
@option("--suite", "template", metavar="SUITE", help="A suite whose columns it gets, in place of --metrics.")
@option("--fps", type=FRAME_RATE, help="Frame rate of folders of frames.")
@option("--json", "as_json", is_flag=True, help="Of NAME: print the whole report as JSON.")
def import_suite_command(
    source: str,
    name: str | None,
    out: Path,
    root: Path | None,
    role: str,
    metrics: list[str] | None,
    template: str | None,
    fps: float | None,
    *,
    strict: bool,
    as_json: bool,
) -> int:
    r"""Build a suite from a folder of clips, or from a data set that is known by name.

    Of a folder, images and prompts lie beside the clips. Data sets known by name are anisora-948, vbench-i2v and
    showcase-13, some with arguments. What each needs is on its page in docs/datasets; every defect of it is a line,
    and exit code 3 says that there were some.

    \b
    anisora suite import my_clips/ --name my-suite
    anisora suite import anisora-948 --root AniSora-Benchmark/
    anisora suite import vbench-i2v:ratio=1-1 --root vbench2_beta_i2v/
    anisora suite import showcase-13:language=zh --root assets/
    """
    from anisora.harness.registry import registry

    if source in registry("importers"):
        if role != "ground-truth" or fps is not None:
            raise ConfigError(f"`--role` and `--fps` are for folders; {source!r} says itself what its clips are.")
        return _import_named(source, root, out, name, metrics, template, strict=strict, as_json=as_json)
    if root is not None or strict or as_json:
        known = ", ".join(registry("importers").names())
        raise ConfigError(
            f"`--root`, `--strict` and `--json` are for data sets known by name ({known}), and {source!r} is none; "
            "leave them out, or correct the name."
        )
    return _import_folder(Path(source), name, out, role, metrics, template, fps)


def _import_folder(
    folder: Path,
    name: str | None,
    out: Path,
    role: str,
    metrics: list[str] | None,
    template: str | None,
    fps: float | None,
) -> int:
    from anisora.harness.inputs.importer import import_suite

    if name is None:
        raise ConfigError(f"`--name` is missing; expected the name of the suite of `{folder}`; add it.")
    kind: Literal["ground_truth", "video"] = "ground_truth" if role == "ground-truth" else "video"
    suite_path, manifest_path = import_suite(folder, name, out, role=kind, metrics=metrics, template=template, fps=fps)
    click.echo(f"Wrote {suite_path} and {manifest_path}. Check it with: anisora suite validate {suite_path}")
    return 0


def _import_named(
    source: str,
    root: Path | None,
    out: Path,
    name: str | None,
    metrics: list[str] | None,
    template: str | None,
    *,
    strict: bool,
    as_json: bool,
) -> int:
    from anisora.harness.inputs.importer import NamedImporter
    from anisora.harness.registry import registry

    importer: NamedImporter = registry("importers").create(source)
    imported = importer(root, out, name=name, metrics=metrics, template=template, strict=strict)
    for line in imported.defects:
        # A file's name may hold anything, also what would move the cursor or colour the terminal.
        click.echo("".join(char if char.isprintable() else ascii(char)[1:-1] for char in line), err=True)
    if as_json:
        click.echo(json.dumps(imported.report, indent=1, ensure_ascii=False))
    else:
        for line in imported.summary:
            click.echo(line)
    if not imported.files:
        raise DataError(f"{source} has {len(imported.defects)} defects; --strict takes none: nothing is written.")
    if not as_json:
        suite_path, *others = imported.files
        click.echo(f"Wrote {suite_path}, {' and '.join(map(str, others))}.")
        click.echo(f"Check it with: anisora suite validate {suite_path}")
    return _EXIT_PARTIAL if imported.defects else 0
