"""Stage one: samples to clips in a run folder. Clips that exist are kept, one failed item never ends a run."""

import errno
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from anisora.harness.errors import AnisoraError, MetricError
from anisora.harness.executors.local import map_unordered
from anisora.harness.media.decoder import DecoderPool, encoder_suffix
from anisora.harness.media.encoding import DEFAULT_ENCODER
from anisora.harness.protocols import GenerationSettings, Generator
from anisora.harness.runfolder import RunFolder, commit_media, sha256_of_file, write_atomically
from anisora.harness.types import Clip, Sample

__all__ = ["clip_path", "details_path", "generate_clips"]

_log = logging.getLogger(__name__)

PREVIEW_ENCODER: Final = "h264:crf=18,preset=veryfast"
_DISK_TROUBLE: Final = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)

Key = tuple[str, int]


def clip_path(folder: RunFolder, sample: Sample, seed: int, encoder: str) -> Path:
    """Return where the generated clip of an item and seed lies; one that is there is complete."""
    return folder.media / f"{sample.id}-{seed}{encoder_suffix(encoder)}"


def details_path(clip: Path) -> Path:
    """Return where it is told how a generated clip was made: a JSON file beside it."""
    return clip.with_name(f"{clip.stem}.json")


def generate_clips(
    samples: Sequence[Sample],
    seeds: Sequence[int],
    model: Generator,
    folder: RunFolder,
    pool: DecoderPool,
    *,
    settings: GenerationSettings,
    encoder: str = DEFAULT_ENCODER,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> tuple[dict[Key, Clip], list[dict[str, str]]]:
    """Generate what is not there yet.

    Args:
        samples: Items to generate for.
        seeds: One clip per item and seed.
        model: The adapter.
        folder: Clips are written to its ``clips`` folder, each with an H.264 preview and a JSON file beside
            it that tells how it was made.
        pool: Encodes, and decodes what the adapter reads.
        settings: Passed to the adapter.
        encoder: How clips are kept; lossless unless asked otherwise.
        workers: Items in work at a time.
        advance: Called once per clip.

    Returns:
        {(item, seed): clip} and the errors, in the shape of errors.jsonl.

    Raises:
        OSError: The disk is full or read-only; clips made so far stay.
    """

    def work(job: tuple[Sample, int]) -> tuple[Key, Clip | dict[str, str]]:
        sample, seed = job
        path = clip_path(folder, sample, seed, encoder)
        try:
            if not path.is_file():
                _generate(sample, seed, model, path, pool, settings, encoder)
            return (sample.id, seed), Clip(path=path, digest=sha256_of_file(path))
        except AnisoraError as error:
            return (sample.id, seed), _error(sample, seed, error)
        except OSError as error:
            if error.errno in _DISK_TROUBLE:
                raise
            return (sample.id, seed), _error(sample, seed, error)
        except Exception as error:
            _log.warning("Model %s failed on item %s", model.info.name, sample.id, exc_info=True)
            return (sample.id, seed), _error(sample, seed, error)

    clips: dict[Key, Clip] = {}
    errors: list[dict[str, str]] = []
    jobs = [(sample, seed) for sample in samples for seed in seeds]
    for key, made in map_unordered(work, jobs, workers=workers):
        if isinstance(made, Clip):
            clips[key] = made
        else:
            errors.append(made)
        advance()
    return dict(sorted(clips.items())), sorted(errors, key=lambda error: (error["item_id"], error["message"]))


def _generate(
    sample: Sample,
    seed: int,
    model: Generator,
    path: Path,
    pool: DecoderPool,
    settings: GenerationSettings,
    encoder: str,
) -> None:
    begun = time.perf_counter()
    made = model.generate(sample, seed=seed, settings=settings, reader=pool)
    frames, fps = made.frames, made.fps
    told = {"seconds": round(time.perf_counter() - begun, 3), **made.details}
    if frames.ndim != 4 or frames.shape[-1] != 3 or str(frames.dtype) != "uint8" or not len(frames):
        raise MetricError(
            f"Model `{model.info.name}` returned {frames.dtype} of shape {frames.shape}; "
            "expected uint8 (T, H, W, 3) with at least one frame."
        )
    # The preview first: a clip that exists is complete, with everything beside it.
    with commit_media(path.with_name(f"{path.stem}.preview.mp4"), "preview") as temporary:
        pool.encode(frames, fps=fps, path=temporary, encoder=PREVIEW_ENCODER)
    with write_atomically(details_path(path), "details") as file:
        file.write(json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True).encode())
    with commit_media(path, "clip") as temporary:
        pool.encode(frames, fps=fps, path=temporary, encoder=encoder)


def _error(sample: Sample, seed: int, error: Exception) -> dict[str, str]:
    return {
        "item_id": sample.id,
        "seed": str(seed),
        "stage": "generate",
        "class": type(error).__name__,
        "message": str(error),
    }
