"""The demo suite's items: anime clips drawn on this machine, and cuts of a real film where its file is installed.

Clips, conditioning images and region masks are made once into a folder and used from there afterwards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anisora.datasets.film import ATTRIBUTION, FILM_CUTS, FILM_SHA256, LICENCE, FilmCut, find_film, read_cuts
from anisora.datasets.made_files import MadeFiles, Make
from anisora.harness.media.decoder import DecoderPool, encoder_suffix
from anisora.harness.record import digest_of
from anisora.harness.render import RENDER_VERSION, Scene, prompt_of, region_of, render
from anisora.harness.types import Clip, Condition, Frames, Image, Sample
from anisora.harness.weights import cache_folder

__all__ = ["DEMO_SCENES", "MASKED", "DemoDataset"]

_ENCODER: Final = "h264rgb"  # read in a sixth of the time of FFV1; the digests of the files are kept
_MEGABYTES: Final = 30
_WORKERS: Final = 2


def _on_twos(action: str, seed: int, outfit: int) -> Scene:
    return Scene(action=action, seed=seed, outfit=outfit, fps=24.0, hold=2)


def _on_ones(action: str, seed: int, outfit: int) -> Scene:
    return Scene(action=action, seed=seed, outfit=outfit, fps=16.0, hold=1, num_frames=16)


DEMO_SCENES: Final[Mapping[str, Scene]] = MappingProxyType(
    {
        "walk-a": _on_twos("walk", 24, 0),
        "walk-b": _on_twos("walk", 487, 1),
        "run-a": _on_twos("run", 549, 1),
        "run-b": _on_ones("run", 823, 0),
        "wave-a": _on_twos("wave", 6, 0),
        "wave-b": _on_ones("wave", 569, 1),
        "talk-a": _on_twos("talk", 25, 0),
        "talk-b": _on_twos("talk", 624, 1),
        "turn-a": _on_twos("turn", 1112, 1),
        "turn-b": _on_twos("turn", 92, 0),
        "dance-a": _on_ones("dance", 416, 0),
        "dance-b": _on_twos("dance", 1413, 1),
        "pan-a": _on_twos("pan", 579, 0),
        "pan-b": _on_twos("pan", 608, 1),
        "zoom-a": _on_twos("zoom", 342, 0),
        "zoom-b": _on_twos("zoom", 842, 1),
        "petals-a": _on_twos("petals", 101, 0),
        "petals-b": _on_ones("petals", 73, 1),
        "cast-a": _on_ones("cast", 2, 0),
        "cast-b": _on_twos("cast", 33, 1),
    }
)
"""Rendered items by id: ten actions, each with two figures in two places and both outfits; fifteen are at 24 frames a
second on twos, five, of five actions, at 16 on ones; each is a second long."""

MASKED: Final = frozenset({"wave-a", "talk-b", "turn-a", "dance-b"})
"""Items that have a region mask; the camera stands still in them."""


class DemoDataset:
    """Items with prompt, action label, first-frame image and ground truth, some with a region mask.

    The figures are drawn by harness/render.py and may be used for anything; what the film asks for is in each item's
    metadata under ``licence`` and ``attribution``.
    """

    name: Final = "demo"

    def __init__(self, folder: str | None = None) -> None:
        """Name the folder of the files; nothing is drawn before the items are asked for.

        Args:
            folder: Where the files are or will be; by default ``demo-v3`` in the cache (``ANISORA_CACHE``,
                else ``~/.cache/anisora``).
        """
        self.folder = Path(folder) if folder is not None else cache_folder() / "demo-v3"

    @cached_property
    def _film(self) -> tuple[Clip | None, str]:
        return find_film()

    @property
    def _cuts(self) -> Mapping[str, FilmCut]:
        return FILM_CUTS if self._film[0] is not None else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out on this machine and what brings it, a sentence each."""
        return (self._film[1],) if self._film[1] else ()

    @property
    def revision(self) -> str:
        """Version and digest of what is drawn and how, and of which items there are."""
        return f"3-{digest_of({'recipe': _recipe(), 'items': [*DEMO_SCENES, *self._cuts]})[:12]}"

    def __len__(self) -> int:
        return len(DEMO_SCENES) + len(self._cuts)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the items, in order, after making what is missing.

        Raises:
            DataError: The folder cannot be written, or holds another thing than the demo.
            VideoUnreadable: The film cannot be decoded.
        """
        digests = self._digests()
        for item, scene in DEMO_SCENES.items():
            common = {"hold": scene.hold, "fps": scene.fps, "licence": "Apache-2.0", "attribution": ""}
            metadata = {"style": "cel", **common, "scene": asdict(scene)}
            yield self._sample(item, prompt_of(scene), scene.action, metadata, digests)
        for item, cut in self._cuts.items():
            common = {"hold": 1, "fps": cut.fps, "licence": LICENCE, "attribution": ATTRIBUTION}
            yield self._sample(item, cut.prompt, cut.label, {"style": "3d film", **common}, digests)

    def _sample(
        self, item: str, prompt: str, label: str, metadata: Mapping[str, Any], digests: Mapping[str, str]
    ) -> Sample:
        clip, image, *mask = (self.folder / name for name in _names(item))
        return Sample(
            id=item,
            prompt=prompt,
            label=label,
            condition=Condition(
                keyframes=((0.0, Image(path=image, digest=digests[image.name])),),
                region_mask=mask[0] if mask else None,
            ),
            ground_truth=Clip(path=clip, digest=digests[clip.name]),
            metadata=MappingProxyType(metadata),
        )

    def _digests(self) -> dict[str, str]:
        """Return {file name: sha256} of files that are there and whole."""
        film, _ = self._film
        with DecoderPool(processes=_WORKERS) as pool:
            groups: list[tuple[tuple[str, ...], Make]] = [
                (_names(item), partial(_draw, pool, item)) for item in DEMO_SCENES
            ]
            if film is not None:
                names = tuple(name for item in FILM_CUTS for name in _names(item))
                groups.append((names, partial(_cut, pool, film)))
            return MadeFiles(self.folder, _recipe(), megabytes=_MEGABYTES, workers=_WORKERS).digests(groups)


def _names(item: str) -> tuple[str, ...]:
    """Return the files of an item: clip, image and, if it has one, mask."""
    names = (f"{item}{encoder_suffix(_ENCODER)}", f"{item}.png")
    return (*names, f"{item}-mask.png") if item in MASKED else names


def _draw(pool: DecoderPool, item: str, paths: Mapping[str, Path]) -> None:
    scene = DEMO_SCENES[item]
    _write(pool, item, render(scene), scene.fps, paths)
    if item in MASKED:
        paths[_names(item)[2]].write_bytes(_png(np.where(region_of(scene), np.uint8(255), np.uint8(0))))


def _cut(pool: DecoderPool, film: Clip, paths: Mapping[str, Path]) -> None:
    for item, frames in read_cuts(film, FILM_CUTS, pool).items():
        _write(pool, item, frames, FILM_CUTS[item].fps, paths)


def _write(pool: DecoderPool, item: str, frames: Frames, fps: float, paths: Mapping[str, Path]) -> None:
    clip, image, *_ = _names(item)
    pool.encode(frames, fps=fps, path=paths[clip], encoder=_ENCODER)
    paths[image].write_bytes(_png(frames[0][..., ::-1]))


def _recipe() -> str:
    return digest_of(
        {
            "renderer": RENDER_VERSION,
            "encoder": _ENCODER,
            "scenes": {item: asdict(scene) for item, scene in DEMO_SCENES.items()},
            "masks": sorted(MASKED),
            "film": FILM_SHA256,
            "cuts": {item: asdict(cut) for item, cut in FILM_CUTS.items()},
        }
    )


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Pack grey levels (H, W), or colours (H, W, 3) with blue first."""
    import cv2

    _, packed = cv2.imencode(".png", pixels)
    return packed.tobytes()
