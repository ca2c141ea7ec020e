"""A folder as the authors of the AniSora benchmark may send it: 948 tiny clips with images and lists of prompts.

Ids follow the labels, styles and spellings of the public ids. Few clips are encoded; the others are the same with a box
of their own behind, which no decoder reads, so that every file has bytes of its own.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from anisora.datasets.anisora_948.actions import NO_STYLE, known_actions, label_key
from anisora.harness.media.decoder import DecoderPool
from anisora.harness.render import ACTIONS, Scene, render

__all__ = ["SUFFIX", "benchmark_ids", "with_box", "with_text", "write_anisora_folder"]

SUFFIX = "aesthetic score: 5.5. motion score: 1.3. The video has no subtitles."
_TEMPLATES = 6


def benchmark_ids(count: int = 948) -> list[str]:
    """Return ids: each action 18 or 19 times of 948, its labels and styles in turn, every other index left out."""
    labels: dict[str, list[tuple[str, str]]] = {}
    known = known_actions()
    for spelling, styles in known.spellings.items():
        action = known.by_key[label_key(spelling)].name
        labels.setdefault(action, []).extend((style, spelling) for style in styles)

    def ids_of(action: str) -> Iterator[str]:
        for place, (style, spelling) in enumerate(cycle(labels[action])):
            index = 2 * (place // len(labels[action]))
            yield f"{label_key(spelling)}_{index}" if style == NO_STYLE else f"{style}_{spelling}_{index}"

    streams = cycle([ids_of(action) for action in labels])
    return [next(stream) for stream in islice(streams, count)]


def with_box(mp4: bytes, text: str) -> bytes:
    """The same MP4 with a free box that holds a text."""
    return mp4 + struct.pack(">I", 8 + len(text)) + b"free" + text.encode()


def with_text(png: bytes, text: str) -> bytes:
    """The same PNG with a text chunk before its end."""
    body = b"tEXtid\0" + text.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:-12] + chunk + png[-12:]


def write_anisora_folder(folder: Path, *, count: int = 948) -> list[str]:
    """Write ``videos/``, ``images/``, ``prompts_v2.txt`` (GBK) and ``prompts_v3.txt`` (UTF-8); return the ids."""
    from PIL import Image

    ids = benchmark_ids(count)
    for name in ("videos", "images"):
        (folder / name).mkdir(parents=True)
    clips, images = [], []
    with DecoderPool() as pool:
        for place in range(_TEMPLATES):
            action = ACTIONS[place % len(ACTIONS)]
            frames = render(Scene(action=action, seed=place, width=96, height=64, num_frames=6))
            pool.encode(frames, fps=16, path=folder / "made.mp4", encoder="h264:crf=20")
            Image.fromarray(frames[0]).save(folder / "made.png")
            clips.append((folder / "made.mp4").read_bytes())
            images.append((folder / "made.png").read_bytes())
            (folder / "made.mp4").unlink()
            (folder / "made.png").unlink()
    for place, name in enumerate(ids):
        (folder / "videos" / f"{name}.mp4").write_bytes(with_box(clips[place % _TEMPLATES], name))
        (folder / "images" / f"{name}.png").write_bytes(with_text(images[place % _TEMPLATES], name))
    half = len(ids) // 2
    older = [f"{_prompt(name)} {SUFFIX}@@images/{name}.png\r\n" for name in ids[:half]]
    newer = [f"{_prompt(name)} {SUFFIX}@@images/{name}.png&&0,1\n" for name in ids[half:]]
    (folder / "prompts_v2.txt").write_bytes("".join(older).encode("gbk"))
    (folder / "prompts_v3.txt").write_bytes("".join(newer).encode())
    return ids


def _prompt(name: str) -> str:
    return f"In this video, 一个角色 acts out {name}."
