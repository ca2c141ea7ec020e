"""Clips that show what weights have become, of one set of prompts, first frames and seeds: first, on the way, and last.

samples/step-00000050/ITEM-SEED.mkv   lossless, with a preview beside, as generated clips are kept
samples/samples.jsonl                 a line a clip: step, item, prompt, seed, path, sha256, image, fps
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anisora.harness.errors import ConfigError
from anisora.harness.journal import open_journal
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.media.encoding import DEFAULT_ENCODER, encoder_suffix
from anisora.harness.runfolder import commit_media, sha256_of_file
from anisora.harness.stages.generate import PREVIEW_ENCODER
from anisora.harness.types import Frames
from anisora.training.config import SamplesConfig
from anisora.training.drawn_clips import drawn_latents
from anisora.training.encodings import Encodings
from anisora.training.families.family import Family, Sampling
from anisora.training.loop import Watcher
from anisora.training.posed_items import FramedItem
from anisora.training.run_log import cut_log

if TYPE_CHECKING:
    import torch

__all__ = ["INDEX", "SAMPLES", "SampleClips", "shown_first"]

SAMPLES: Final = "samples"
"""In the run folder."""
INDEX: Final = "samples.jsonl"
"""Below it."""


def shown_first(items: Sequence[FramedItem], config: SamplesConfig) -> list[FramedItem]:
    """Return the items that are shown.

    Raises:
        ConfigError: There is none.
    """
    if not items:
        raise ConfigError(
            "`samples` got a number of clips, and no item has a first frame to draw one from; leave it out."
        )
    return list(items[: config.items])


class SampleClips(Watcher):
    """Satisfies ``loop.Watcher``; processes share the clips."""

    def __init__(
        self,
        family: Family,
        encodings: Encodings,
        items: Sequence[FramedItem],
        config: SamplesConfig,
        *,
        run: Path,
        reader: DecoderPool,
        fps: float,
        steps: int,
        guidance: float | None,
        process: tuple[int, int],
        wait_for_everyone: Callable[[], None],
        device: "torch.device",
        is_bfloat16: bool,
    ) -> None:
        """Take what clips are drawn from.

        Args:
            family: Has the network in training.
            encodings: Has what is known of the items.
            items: Each is shown.
            config: When, with how many seeds and how.
            run: The run folder.
            reader: Encodes.
            fps: Of clips.
            steps: Of the training: after the last one, clips are drawn.
            guidance: Of the prompt; None is the model's own.
            process: (which one of, how many).
            wait_for_everyone: Of these.
            device: Where the network is.
            is_bfloat16: Whether it computes in bfloat16.
        """
        self._family, self._encodings, self._config = family, encodings, config
        self._run, self._reader, self._fps = run, reader, fps
        self._last, self._guidance = steps, guidance
        self._process, self._processes = process
        self._wait, self._device, self._is_bfloat16 = wait_for_everyone, device, is_bfloat16
        self._clips = [(item, seed) for item in items for seed in range(config.seeds)]

    def begin(self, step: int) -> None:
        """Forget clips of steps that are taken again; at the beginning, draw those of the first network."""
        if self._process == 0:
            cut_log(self._index, step if step else -1)
        if step == 0:
            self._write(0)

    def after(self, step: int, line: Mapping[str, float]) -> Mapping[str, float]:
        """Draw clips where it is time."""
        if self.is_due(step):
            self._write(step)
        return {}

    def is_due(self, step: int) -> bool:
        """Return whether clips are drawn after a step."""
        every = self._config.every
        return step == self._last or (every is not None and step % every == 0)

    @property
    def _index(self) -> Path:
        return self._run / SAMPLES / INDEX

    def _path(self, step: int, item: FramedItem, seed: int) -> Path:
        return self._run / SAMPLES / f"step-{step:08d}" / f"{item.id}-{seed}{encoder_suffix(DEFAULT_ENCODER)}"

    def _write(self, step: int) -> None:
        for item, seed in self._clips[self._process :: self._processes]:
            path, frames = self._path(step, item, seed), self._frames(item, seed)
            with commit_media(path.with_name(f"{path.stem}.preview.mp4"), "preview") as temporary:
                self._reader.encode(frames, fps=self._fps, path=temporary, encoder=PREVIEW_ENCODER)
            with commit_media(path, "clip") as temporary:
                self._reader.encode(frames, fps=self._fps, path=temporary, encoder=DEFAULT_ENCODER)
        self._wait()
        if self._process:
            return
        with open_journal(self._index) as index:
            for item, seed in self._clips:
                path = self._path(step, item, seed)
                index.append(
                    {
                        "step": step,
                        "item": item.id,
                        "prompt": item.prompt,
                        "seed": seed,
                        "path": path.relative_to(self._run).as_posix(),
                        "sha256": sha256_of_file(path),
                        "image": item.image.path.relative_to(self._run).as_posix(),
                        "fps": self._fps,
                    }
                )

    def _frames(self, item: FramedItem, seed: int) -> Frames:
        """Return a clip as the model's own adapter draws it, (T, H, W, 3) uint8."""
        import torch

        bucket = item.bucket
        latents = drawn_latents(
            self._family,
            self._encodings,
            item,
            torch.Generator().manual_seed(seed),
            Sampling(bucket.height, bucket.width, bucket.frames, self._config.steps, self._guidance),
            device=self._device,
            is_bfloat16=self._is_bfloat16,
        )
        frames: Frames = self._family.decode(latents)[0].permute(0, 2, 3, 1).contiguous().numpy()
        return frames
