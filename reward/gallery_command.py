"""``reward gallery``: build, show, check."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.harness.commands.options import metric_device, option
from anisora.harness.errors import ConfigError

if TYPE_CHECKING:
    from anisora.reward.character.figure_cut import FigureCut
    from anisora.reward.character.gallery import Gallery

__all__ = ["gallery"]

_EXIT_FAILED: Final = 1

_embedder = option(
    "--embedder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of weight files with those of the identity embedder; the cache is looked at as well.",
)
_as_json = option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=CommandGroup)
def gallery() -> None:
    r"""Galleries: pictures of known characters, embedded once, that characters in clips are compared with.

    \b
    anisora reward gallery show gallery.safetensors
    """


@gallery.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@option(
    "--index",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="List of {image, caption} as the release has it (gallerys.json), in place of a folder for each character.",
)
@option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the gallery is written (.safetensors); below the cache, named by its digest, by default.",
)
@option(
    "--cut",
    metavar="DETECTOR|FILE",
    help="Pictures show more than the character: cut it out of the box that faces or grounding_dino finds, or that a "
    "CSV file gives (path, left, top, right, bottom).",
)
@option(
    "--tracker",
    type=click.Choice(["samurai", "sam2", "box"]),
    default="samurai",
    show_default=True,
    help="What outlines the character inside the box of --cut; as for the clips.",
)
@_embedder
@option("--dry-run", is_flag=True, help="Say what would be embedded, and write nothing.")
@metric_device
def build(
    folder: Path,
    index: Path | None,
    out: Path | None,
    cut: str | None,
    tracker: str,
    embedder: Path | None,
    *,
    dry_run: bool,
) -> None:
    r"""Embed the pictures of DIR/<character>/*.png or .jpg: crops on black, or with --cut whole images.

    What is built already is not computed again: pictures, weights and preprocessing decide, never names of files.

    \b
    anisora reward gallery build characters --dry-run
    """
    from dataclasses import replace

    from anisora.harness.media.decoder import DecoderPool
    from anisora.harness.weights import cache_folder
    from anisora.reward.character.gallery import build_gallery, gallery_digest, preprocess_of, save_gallery
    from anisora.reward.character.gallery_listing import crops_of_folders, crops_of_index
    from anisora.reward.character.gallery_score import identities_of
    from anisora.reward.networks.identity_embedder import IdentityEmbedder

    crops = crops_of_folders(folder) if index is None else crops_of_index(folder, index)
    if dry_run:
        names = len(identities_of([crop.name for crop in crops]))
        click.echo(f"{folder}: {names} identities, {len(crops)} pictures to embed")
        return
    _use(embedder)
    weights = _weights()
    cutter = _cutter(cut, tracker) if cut else None
    digest = gallery_digest(crops, weights=weights, preprocess=preprocess_of(cutter))
    path = out or cache_folder() / "galleries" / f"{digest}.safetensors"
    kept = _kept(path, named=out is not None)
    if kept is not None and kept.digest == digest:
        if kept.crops != tuple(crops):  # the same pictures at other places
            save_gallery(replace(kept, crops=tuple(crops)), path)
        click.echo(f"{path}: {_counts(kept)}, built already")
        return
    network = IdentityEmbedder()
    side = network.sizes.vision.image_size
    bar = click.progressbar(length=len(crops), label="pictures", file=sys.stderr, hidden=not sys.stderr.isatty())
    with DecoderPool() as pool, bar as shown:
        made = build_gallery(
            folder, crops, network, reader=pool, weights=weights, side=side, cut=cutter, told=shown.update
        )
    save_gallery(made, path)
    click.echo(f"{path}: {_counts(made)}")


def _cutter(cut: str, tracker: str) -> "FigureCut":
    """Return what cuts characters out of pictures.

    Raises:
        ConfigError: The detector is neither known nor a file.
        DataError: The file of boxes is not what it should be.
    """
    from anisora.reward.character.figure_cut import FigureCut, read_boxes
    from anisora.reward.extractors.character_embeddings import box_finder, follower

    if cut in ("faces", "grounding_dino"):
        return FigureCut(box_finder(cut), follower(tracker), name=f"{cut}-{tracker}")
    if not Path(cut).is_file():
        raise ConfigError(f"`--cut` got {cut!r}; expected faces, grounding_dino or a CSV file of boxes.")
    boxes = read_boxes(Path(cut))
    return FigureCut(boxes, follower(tracker), name=f"boxes-{boxes.digest[:16]}-{tracker}")


def _kept(path: Path, *, named: bool) -> "Gallery | None":
    """Return the gallery that lies there; a damaged one of the cache is made again, another file never overwritten."""
    from anisora.harness.errors import DataError
    from anisora.reward.character.gallery import load_gallery

    if not path.exists():
        return None
    try:
        return load_gallery(path)
    except DataError as error:
        if named:
            raise ConfigError(f"`--out` names a file that is no gallery to renew ({error}) Remove it.") from error
        return None


@gallery.command()
@click.argument("file", metavar="GALLERY", type=click.Path(path_type=Path))
@_as_json
def show(file: Path, *, as_json: bool) -> None:
    r"""Show whom a gallery knows, by how many pictures.

    \b
    anisora reward gallery show gallery.safetensors
    """
    from anisora.reward.character.gallery import load_gallery

    found = load_gallery(file)
    if as_json:
        click.echo(json.dumps(_facts(found), indent=1, ensure_ascii=False))
        return
    for identity, pictures in found.identities.items():
        click.echo(f"{pictures:4}  {identity}")
    click.echo(f"{_counts(found)}; weights {found.weights[:24]}, {found.preprocess}, digest {found.digest[:12]}")


@gallery.command()
@click.argument("file", metavar="GALLERY", type=click.Path(path_type=Path))
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), required=False)
@_embedder
def check(file: Path, folder: Path | None, embedder: Path | None) -> int:
    r"""Check that a gallery is whole, was embedded by the weights in use, and that its pictures in DIR are the same.

    Exit code 1 if pictures changed.

    \b
    anisora reward gallery check gallery.safetensors characters
    """
    from anisora.harness.weights import is_present, untrained_seed
    from anisora.reward.character.gallery import changed_crops, load_gallery
    from anisora.reward.networks.identity_embedder import WEIGHTS

    _use(embedder)
    is_known = untrained_seed() is not None or is_present(WEIGHTS)
    found = load_gallery(file, weights=_weights() if is_known else None)
    changed = [] if folder is None else changed_crops(found, folder)
    for line in changed:
        click.echo(line)
    looked = "pictures not looked at" if folder is None else f"{len(changed)} of {len(found.crops)} pictures changed"
    whose = "of the weights in use" if is_known else "the embedder's weights are not here to compare"
    click.echo(f"{file}: whole, {_counts(found)}, {whose}; {looked}.")
    return _EXIT_FAILED if changed else 0


def _use(embedder: Path | None) -> None:
    """Look for weights in a folder from here on."""
    if embedder is not None:
        if not embedder.is_dir():
            raise ConfigError(f"`--embedder` got `{embedder}`; expected a folder of weight files.")
        os.environ["ANISORA_WEIGHTS"] = str(embedder)


def _weights() -> str:
    """Return the digest of the embedder's weights.

    Raises:
        MissingExtra: What it runs on is not installed.
        WeightsMissing: They are not here.
    """
    from anisora.harness.errors import MissingExtra
    from anisora.harness.extras import missing_distributions
    from anisora.harness.weights import digests_of
    from anisora.reward.networks.identity_embedder import WEIGHTS

    if missing_distributions(("torch", "transformers")):
        raise MissingExtra("The identity embedder", "models")
    return digests_of([WEIGHTS])[WEIGHTS]


def _counts(gallery: "Gallery") -> str:
    return f"{len(gallery.identities)} identities, {len(gallery.crops)} pictures"


def _facts(gallery: "Gallery") -> dict[str, Any]:
    return {
        "digest": gallery.digest,
        "weights": gallery.weights,
        "preprocess": gallery.preprocess,
        "dimensions": gallery.embeddings.shape[1],
        "identities": gallery.identities,
    }
