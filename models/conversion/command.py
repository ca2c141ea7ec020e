"""The command ``convert``."""

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from anisora.harness.commands.groups import Command
from anisora.harness.commands.options import option
from anisora.harness.device import DTYPES, Dtype
from anisora.harness.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from anisora.models.conversion.converting import PlannedNetwork
    from anisora.models.conversion.finding import FoundNetworks

__all__ = ["convert"]

_LAYOUTS: Final = ("auto", "wan", "wan-vae", "sat", "sat-vae")
_NAMED: Final = 3  # keys spelled out in a message
_UNITS: Final = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bytes(_: click.Context, __: click.Parameter, value: str) -> int:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([KMGT]B)?", value.strip().upper())
    size = int(float(found[1]) * _UNITS[found[2] or ""]) if found else 0
    if size < 1:
        raise click.BadParameter(f"got {value!r}; expected a size such as 5GB or 500MB.")
    return size


@click.command(cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@option(
    "--to",
    "target",
    type=click.Choice(["diffusers"]),
    default="diffusers",
    show_default=True,
    help="Library whose layout is written.",
)
@option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The folder to make.")
@option(
    "--layout",
    type=click.Choice(_LAYOUTS),
    default="auto",
    show_default=True,
    help="Layout of the checkpoint; auto tells it by its keys.",
)
@option(
    "--dtype",
    type=click.Choice(DTYPES),
    show_default="bfloat16, and float32 for VAEs",
    help="Number format; modules that diffusers keeps in float32 stay so.",
)
@option(
    "--max-shard-size",
    callback=_bytes,
    default="5GB",
    show_default=True,
    metavar="SIZE",
    help="Largest file; what does not fit becomes shards with an index.",
)
@option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The original config.json of a Wan transformer; the one beside the checkpoint by default.",
)
@option("--inside", metavar="KEY", help="Key of a pickled file that holds the tensors; the layout's by default.")
@option("--dry-run", is_flag=True, help="Check keys, shapes and free disk, and write nothing.")
def convert(
    checkpoint: Path,
    target: str,  # noqa: ARG001 - there is one
    out: Path,
    layout: str,
    dtype: Dtype | None,
    max_shard_size: int,
    config: Path | None,
    inside: str | None,
    *,
    dry_run: bool,
) -> None:
    r"""Write an official checkpoint as diffusers reads it.

    CHECKPOINT is a file (.safetensors, .pt, .pth), the index of shards, or a folder. A folder with several networks
    becomes a folder with transformer/, transformer_2/ and vae/. Keys and shapes are checked before anything is written,
    tensors are read one at a time, and nothing of a pickled file is run.

    \b
    anisora convert Index-anisora/V3.2 --to diffusers --out anisora-v3.2
    """
    from anisora.harness.extras import missing_distributions
    from anisora.models.conversion.finding import find_networks
    from anisora.models.conversion.new_folder import check_new

    if missing_distributions(("torch", "diffusers")):
        raise MissingExtra("`anisora convert`", "models")
    check_new(out)
    found = find_networks(checkpoint, layout=None if layout == "auto" else layout, inside=inside)
    for path, why in found.left_out.items():
        click.echo(f"Left out `{path}`: {why}.", err=True)
    planned = _planned(found, dtype, max_shard_size, config)
    for each in planned:
        click.echo(_told(_place(out, planned, each), each))
        if each.left_out:
            click.echo(_without(each), err=True)
    _check_room(out, sum(each.bytes for each in planned))
    if not dry_run:
        _write(out, planned)


def _planned(
    found: "FoundNetworks", dtype: Dtype | None, max_bytes: int, config: Path | None
) -> "list[PlannedNetwork]":
    from anisora.models.conversion.converting import plan_network
    from anisora.models.conversion.finding import read_config

    given = None if config is None else read_config(config)
    if given is not None and not any(network.target.takes_config for network in found.networks):
        names = ", ".join(network.layout for network in found.networks)
        raise ConfigError(
            f"`--config` got `{config}` for a checkpoint of layout {names}, whose sizes the tensors tell; expected it "
            "with the layout wan alone; leave it out."
        )
    return [
        plan_network(network, dtype=dtype, max_bytes=max_bytes, config=given if network.target.takes_config else None)
        for network in found.networks
    ]


def _place(out: Path, planned: "list[PlannedNetwork]", network: "PlannedNetwork") -> Path:
    """Return the folder of a network: one for each where there are several."""
    return out / network.found.folder if len(planned) > 1 else out


def _told(place: Path, network: "PlannedNetwork") -> str:
    from anisora.harness.memory_estimate import gigabytes

    files = len(network.files)
    return (
        f"{place}: {network.class_name}, {network.tensors} tensors in {network.dtype}, {gigabytes(network.bytes)} in "
        f"{files} file{'s' if files > 1 else ''}, from {network.found.source.path} ({network.found.layout})"
    )


def _without(network: "PlannedNetwork") -> str:
    keys = network.left_out
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return (
        f"Left out of `{network.found.source.path}`, as {network.class_name} does without: "
        f"{', '.join(keys[:_NAMED])}{more}."
    )


def _check_room(out: Path, size: int) -> None:
    """Refuse what does not fit on the disk.

    Raises:
        ConfigError: It does not.
    """
    from anisora.harness.downloading import KEPT_FREE
    from anisora.harness.memory_estimate import gigabytes

    existing = next(path for path in (out.absolute(), *out.absolute().parents) if os.path.lexists(path))
    free = shutil.disk_usage(existing).free
    if size + KEPT_FREE > free:
        raise ConfigError(
            f"`--out` got `{out}`, where {gigabytes(free)} are free; expected {gigabytes(size + KEPT_FREE)}; make "
            "room, or choose another disk."
        )


def _write(out: Path, planned: "list[PlannedNetwork]") -> None:
    from anisora.harness.progress import byte_progress
    from anisora.models.conversion.converting import RECORD, write_network
    from anisora.models.conversion.new_folder import new_folder

    total = sum(each.source_bytes + each.bytes for each in planned)
    with new_folder(out) as part, byte_progress("convert", total) as told:
        records = {}
        for each in planned:
            place = _place(part, planned, each)
            place.mkdir(exist_ok=True)
            records[_place(out, planned, each)] = write_network(each, place, told=told)
    for place, record in records.items():
        for file in record["files"]:
            click.echo(f"{place / file['name']}: sha256 {file['sha256']}")
        click.echo(f"{place / RECORD}: what it was made of")
