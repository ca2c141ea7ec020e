"""What the frozen encoders make of items, computed once and kept on disk, found by the content it was made from."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anisora.harness.cache import FeatureCache
from anisora.harness.errors import DataError, RecordError
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.networks import inference
from anisora.harness.record import digest_of
from anisora.harness.types import Clip, Frames, Image
from anisora.models.image_fit import covering
from anisora.training.buckets import Bucket, frames_needed
from anisora.training.conditions import GuideDraw
from anisora.training.families.family import Encoded, Family
from anisora.training.posed_items import FramedItem

if TYPE_CHECKING:
    import torch

__all__ = ["Encodings"]

_VERSION: Final = 1
"""Of everything below that decides the numbers."""
_FIRST_FRAME: Final = GuideDraw(frames=(0,), is_dropped=False)
"""What most samples are guided by; other frames are encoded when they are drawn."""


class Encodings:
    """Asks the encoders of a family; not shared between threads."""

    def __init__(self, family: Family, folder: Path, reader: DecoderPool, *, fps: float, skipped: int) -> None:
        """Name what is asked and where it is kept.

        Args:
            family: Has the encoders.
            folder: Of the cache.
            reader: Decodes videos.
            fps: Of clips.
            skipped: Frames left out at the beginning of each video.
        """
        self._family = family
        self._cache = FeatureCache(folder)
        self._reader = reader
        self._fps, self._skipped = fps, skipped
        self._last: tuple[str, torch.Tensor] | None = None

    def prepare(self, clips: Iterable[tuple[Clip, Bucket, str]], told: Callable[[], None] = lambda: None) -> None:
        """Encode clips and their prompts before training.

        Args:
            clips: (clip, size, prompt).
            told: Is told of each that is there.

        Raises:
            VideoUnreadable: A video cannot be decoded.
            DataError: It is shorter than its container says.
            RecordError: The cache cannot be written.
        """
        for clip, bucket, prompt in clips:
            self.text(prompt)
            self.clip(clip, bucket)
            for frames in self._family.to_encode(_FIRST_FRAME, bucket.frames):
                self.guides(clip, bucket, frames)
            told()
            self._check_written()

    def prepare_framed(self, items: Iterable[FramedItem], told: Callable[[], None] = lambda: None) -> None:
        """Encode what clips are drawn from, before training: prompts and first frames.

        Args:
            items: Some.
            told: Is told of each that is there.

        Raises:
            VideoUnreadable: An image cannot be decoded.
            RecordError: The cache cannot be written.
        """
        self.without()
        for item in items:
            self.text(item.prompt)
            self.first_frame(item.image, item.bucket)
            told()
            self._check_written()

    def without(self) -> "torch.Tensor":
        """Return the embedding of what sampling with guidance stays away from, (tokens, dim) float32."""
        prompt = self._family.negative_prompt
        found = self.text(prompt or "")
        return found if prompt is not None else found * 0

    def _check_written(self) -> None:
        if self._cache.write_failures:
            raise RecordError(
                f"Cache `{self._cache.folder}` cannot be written; expected room for what the encoders make, which "
                "training reads back. Make room, or name another folder with --cache."
            )

    def text(self, prompt: str) -> "torch.Tensor":
        """Return the embedding of a prompt, (tokens, dim) float32."""
        return self._kept({"prompt": prompt}, lambda: {"text": self._family.encode_text(prompt)})["text"]

    def clip(self, clip: Clip, bucket: Bucket) -> Encoded:
        """Return what a family keeps of a clip.

        Raises:
            VideoUnreadable: The video cannot be decoded.
            DataError: It is too short.
        """
        return self._kept(self._named(clip, bucket), lambda: self._family.encode_clip(self._video(clip, bucket)))

    def guides(self, clip: Clip, bucket: Bucket, frames: tuple[int, ...]) -> Encoded:
        """Return what a family keeps of frames that guide a clip.

        Raises:
            VideoUnreadable: The video cannot be decoded.
            DataError: It is too short.
        """

        def encode() -> Mapping[str, Any]:
            images = self._video(clip, bucket)[list(frames)]
            return self._family.encode_guides(images, frames, bucket.frames)

        return self._kept({**self._named(clip, bucket), "guides": list(frames)}, encode)

    def first_frame(self, image: Image, bucket: Bucket) -> Encoded:
        """Return what a family keeps of a first frame that a clip is drawn from.

        Args:
            image: Of the bucket's height and width.
            bucket: Of the clip.

        Raises:
            VideoUnreadable: The image cannot be decoded.
        """

        def encode() -> Mapping[str, Any]:
            frame = _fitted(self._reader.read_image(image.path), bucket)
            return self._family.encode_guides(frame[None], (0,), bucket.frames)

        return self._kept({"first_frame": image.digest, "bucket": list(bucket)}, encode)

    def _named(self, clip: Clip, bucket: Bucket) -> dict[str, Any]:
        return {
            "clip": clip.digest,
            "clip_fps": clip.fps,
            "bucket": list(bucket),
            "fps": self._fps,
            "skipped": self._skipped,
        }

    def _kept(self, named: Mapping[str, Any], encode: "Callable[[], Mapping[str, torch.Tensor]]") -> Encoded:
        import torch

        key = digest_of({"version": _VERSION, "encoders": self._family.encoders, **named})
        found = self._cache.read(key)
        if found is None:
            with inference():
                found = {name: tensor.float().cpu().numpy() for name, tensor in encode().items()}
            self._cache.write(key, found)
        # Copies: what inference made cannot be part of a gradient.
        return {name: torch.from_numpy(np.array(array)) for name, array in found.items()}

    def _video(self, clip: Clip, bucket: Bucket) -> "torch.Tensor":
        """Return the frames of a clip at its size, (F, 3, H, W) in 0 to 1; those of the last clip are remembered."""
        key = digest_of(self._named(clip, bucket))
        if self._last is None or self._last[0] != key:
            self._last = (key, self._decoded(clip, bucket))
        return self._last[1]

    def _decoded(self, clip: Clip, bucket: Bucket) -> "torch.Tensor":
        import torch

        frames, info = self._reader.read_frames(clip)
        needed = frames_needed(bucket.frames, fps=self._fps, clip_fps=info.fps, skipped=self._skipped)
        if len(frames) < needed:
            raise DataError(
                f"`{clip.path}` has {len(frames)} frames; expected {needed}, which its size {bucket} needs. Leave it "
                "out, or repair its container, which promises more."
            )
        times = self._skipped + (np.arange(bucket.frames) / self._fps * info.fps).astype(np.int64)
        return torch.stack([_fitted(frames[time], bucket) for time in times])


def _fitted(frame: Frames, bucket: Bucket) -> "torch.Tensor":
    return covering(frame, bucket.height, bucket.width).clamp(0, 1)
