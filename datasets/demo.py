"""The demo suite's items: rendered anime clips, drawn on this machine and licence-free.

Clips and conditioning images are rendered once into a folder and used from there afterwards. An index beside
them holds the digest of each file; a file that is missing or no longer fits is drawn again.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anisora.harness.errors import DataError
from anisora.harness.media.decoder import DecoderPool, encoder_suffix
from anisora.harness.record import digest_of
from anisora.harness.render import RENDER_VERSION, Scene, prompt_of, render
from anisora.harness.runfolder import sha256_of_file
from anisora.harness.types import Clip, Condition, Image, Sample
from anisora.harness.weights import cache_folder

if TYPE_CHECKING:
    from anisora.harness.types import Frames

__all__ = ["DEMO_SCENES", "DemoDataset"]

_ENCODER: Final = "ffv1"
_INDEX: Final = "index.json"


def _on_twos(action: str, seed: int, outfit: int) -> Scene:
    return Scene(action=action, seed=seed, outfit=outfit, fps=24.0, hold=2)


def _on_ones(action: str, seed: int, outfit: int) -> Scene:
    return Scene(action=action, seed=seed, outfit=outfit, fps=16.0, hold=1)


DEMO_SCENES: Final[Mapping[str, Scene]] = {
    "walk-a": _on_twos("walk", 0, 0),
    "run-a": _on_twos("run", 3, 1),
    "jump-a": _on_twos("jump", 6, 0),
    "wave-a": _on_twos("wave", 31, 1),
    "talk-a": _on_twos("talk", 24, 0),
    "turn-a": _on_twos("turn", 4, 1),
    "bow-a": _on_twos("bow", 8, 0),
    "dance-a": _on_ones("dance", 28, 1),
    "pan-a": _on_twos("pan", 1, 0),
    "zoom-a": _on_twos("zoom", 13, 1),
    "petals-a": _on_twos("petals", 56, 0),
    "cast-a": _on_ones("cast", 17, 1),
}
"""Items by id: twelve actions, ten of them at 24 frames a second on twos, two at 16 on ones; both outfits."""


class DemoDataset:
    """Rendered items with prompt, action label, first-frame image and ground truth.

    The figures are drawn by harness/render.py and may be used for anything.
    """

    name: Final = "demo"

    def __init__(self, folder: str | None = None) -> None:
        """Name the folder of the rendered files; nothing is drawn before the items are asked for.

        Args:
            folder: Where the files are or will be; by default ``demo-v1`` in the cache (``ANISORA_CACHE``,
                else ``~/.cache/anisora``).
        """
        self.folder = Path(folder) if folder is not None else cache_folder() / "demo-v1"

    @property
    def revision(self) -> str:
        """Version and digest of what is drawn and how."""
        return f"1-{_recipe()[:12]}"

    def __len__(self) -> int:
        return len(DEMO_SCENES)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the items, in order, after drawing what is missing.

        Raises:
            DataError: The folder cannot be written, or holds another thing than the demo.
        """
        digests = self._digests()
        for item, scene in DEMO_SCENES.items():
            clip, image = self._paths(item)
            yield Sample(
                id=item,
                prompt=prompt_of(scene),
                label=scene.action,
                condition=Condition(keyframes=((0.0, Image(path=image, digest=digests[image.name])),)),
                ground_truth=Clip(path=clip, digest=digests[clip.name]),
                metadata={"style": "cel", "hold": scene.hold, "fps": scene.fps, "licence": "Apache-2.0"},
            )

    def _paths(self, item: str) -> tuple[Path, Path]:
        return self.folder / f"{item}{encoder_suffix(_ENCODER)}", self.folder / f"{item}.png"

    def _digests(self) -> dict[str, str]:
        """Return {file name: sha256} of files that are there and whole."""
        recorded = self._intact()
        if len(recorded) == 2 * len(DEMO_SCENES):
            return recorded
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder):
                return self._completed()
        except OSError as error:
            raise DataError(
                f"The demo's clips cannot be written to `{self.folder}`: {error.strerror or error}; set "
                "ANISORA_CACHE to a folder that can be written, with 20 MB free."
            ) from error

    def _intact(self) -> dict[str, str]:
        """Return the part of the index that holds: drawn by this recipe, file present, digest as recorded."""
        try:
            index: Any = json.loads((self.folder / _INDEX).read_bytes())
            if index["recipe"] != _recipe():
                return {}
            wanted = [path for item in DEMO_SCENES for path in self._paths(item)]
            recorded = {path: index["files"].get(path.name) for path in wanted if path.is_file()}
            return {path.name: digest for path, digest in recorded.items() if sha256_of_file(path) == digest}
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # no index, or none of ours: everything is drawn again

    def _completed(self) -> dict[str, str]:
        digests = self._intact()  # again: another process may have drawn them while this one waited for the lock
        missing = [item for item in DEMO_SCENES if not all(path.name in digests for path in self._paths(item))]
        if missing:
            for leftover in self.folder.glob(".*.tmp"):
                leftover.unlink()
            with DecoderPool(processes=1) as pool:
                for item in missing:
                    clip, image = self._paths(item)
                    frames = render(DEMO_SCENES[item])
                    with _replacing(clip) as temporary:
                        pool.encode(frames, fps=DEMO_SCENES[item].fps, path=temporary, encoder=_ENCODER)
                    with _replacing(image) as temporary:
                        temporary.write_bytes(_png(frames[0]))
                    digests |= {path.name: sha256_of_file(path) for path in (clip, image)}
            index = {"recipe": _recipe(), "files": dict(sorted(digests.items()))}
            with _replacing(self.folder / _INDEX) as temporary:
                temporary.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        return digests


def _recipe() -> str:
    scenes = {item: asdict(scene) for item, scene in DEMO_SCENES.items()}
    return digest_of({"renderer": RENDER_VERSION, "encoder": _ENCODER, "scenes": scenes})


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process draw at a time; the lock goes with the process that holds it."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what is written there takes its place once it is on disk."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _png(frame: "Frames") -> bytes:
    import cv2

    _, packed = cv2.imencode(".png", frame[..., ::-1])
    return packed.tobytes()
