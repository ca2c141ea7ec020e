"""Golden cases of kind ``c01_idefics2_regressor``: pictures, logits, token structure, the judge's text, rounding."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from anisora.harness.errors import DataError
from anisora.harness.parity import Comparison, compare_close, compare_exact, compare_expected
from anisora.harness.weights import Tensors, load_state_dict
from anisora.reward.judge.judged_score import score_of
from anisora.reward.judge.pictures import PictureRecipe
from anisora.reward.judge.prompt import checked_template, judge_prompt
from anisora.reward.judge.tokens import FAKE, IMAGE, expanded
from anisora.reward.networks.idefics2_regressor import Idefics2Regressor
from anisora.reward.networks.idefics2_sizes import Idefics2Sizes

__all__ = ["handle", "token_runs"]

_DEFAULT: Final = 1e-5
_ROUNDED: Final = 1e-9
"""Tolerance of rounded scores: what a case allows for scores is wider than the last digit."""
_LATENTS: Final = 64
_TAIL: Final = 6
_LETTERS: Final = {FAKE: "F", IMAGE: "I"}


def handle(path: Path, case: Mapping[str, Any]) -> list[Comparison]:
    """Rebuild the network of a case and compare everything that it expects.

    What the case calls optional, clips with frames of several sizes, is compared like all else.

    Args:
        path: Folder with weights, inputs, judge_prompt.txt, expected.json and expected tensors.
        case: Its case.json.

    Raises:
        DataError: The case expects something that is not computed here.
        ConfigError: The weights do not fit the sizes of the case, or its text is not the release's.
    """
    return list(_comparisons(path, case))


def _comparisons(path: Path, case: Mapping[str, Any]) -> Iterator[Comparison]:
    tolerance = case["tolerance"]
    network = Idefics2Regressor(
        path.name,
        state=load_state_dict(path / "weights.safetensors"),
        sizes=Idefics2Sizes.from_config(case["config"]),
        dtype="float32",
    )
    size = case["preprocessing"]["size"]
    recipe = PictureRecipe(longest=int(size["longest_edge"]), shortest=int(size["shortest_edge"]))
    inputs = load_state_dict(path / "inputs.safetensors")
    ours: dict[str, Any] = {}
    for prefix in ("", "partial_"):
        if f"{prefix}input_ids" in inputs:
            ours |= _looked_at(network, recipe, inputs, prefix)
    expected = load_state_dict(path / "expected.safetensors")
    yield from compare_expected(ours, expected, _with_partial(tolerance))
    structures = json.loads((path / "expected.json").read_text(encoding="utf-8"))
    for name, reference in structures.items():
        if name == "score":
            score = score_of(float(ours["logits"].flatten()[0]), "reference")
            yield compare_close(name, score, reference, absolute=float(tolerance.get(name, _DEFAULT)))
        elif name in _TABLES:
            yield from _TABLES[name](reference, path)
        else:
            raise DataError(f"The case expects {name}, which is not computed here; it has score, {', '.join(_TABLES)}.")


def _with_partial(tolerance: Mapping[str, float | str]) -> dict[str, float | str]:
    """Add what holds for padded clips: the same as for others; masks have no tolerance."""
    partial = {f"partial_{name}": value for name, value in tolerance.items()}
    return {"pixel_attention_mask": "exact", **partial, **tolerance}


def _looked_at(network: Idefics2Regressor, recipe: PictureRecipe, inputs: Tensors, prefix: str) -> dict[str, Any]:
    names = [name for name in inputs if re.fullmatch(rf"{prefix}frame_\d+", name)]
    frames = [inputs[name].numpy() for name in sorted(names, key=lambda name: int(name.rpartition("_")[2]))]
    pixels, mask = recipe(frames)
    (tokens,) = inputs[f"{prefix}input_ids"]
    logits = network(tokens, pixels, mask)
    return {
        f"{prefix}pixel_values": pixels[None],
        f"{prefix}pixel_attention_mask": mask[None],
        f"{prefix}logits": logits[None],
    }


def token_runs(text: str) -> list[list[Any]]:
    """Return the runs of equal kinds of tokens in an expanded text: F boundary, I picture, t any other word."""
    kinds = []
    for piece in re.split(f"({re.escape(FAKE)}|{re.escape(IMAGE)})", text):
        kinds += [_LETTERS[piece]] if piece in _LETTERS else ["t"] * len(piece.split())
    return [[kind, len(list(run))] for kind, run in groupby(kinds)]


def _tokens(rows: list[dict[str, Any]], _: Path) -> Iterator[Comparison]:
    for row in rows:
        pictures, others = int(row["T"]), int(row["other_tokens"])  # how many words precede is given
        text = judge_prompt("{text_prompt} ", " ".join(["word"] * others), pictures)
        runs = token_runs(expanded(text, _LATENTS))
        starts, place = [], 0
        for kind, count in runs:
            starts += [place] if kind == "I" else []
            place += count
        total = {kind: sum(count for each, count in runs if each == kind) for kind in "IFt"}
        ours = {
            "T": pictures,
            "image_tokens": total["I"],
            "fake_tokens": total["F"],
            "other_tokens": total["t"],
            "image_block_starts": starts,
            "text_tail_runs": runs[-_TAIL:],
        }
        yield compare_exact(f"tokens of {pictures} pictures", ours, row)


def _touching(rows: list[dict[str, Any]], _: Path) -> Iterator[Comparison]:
    for row in rows:
        text = expanded(row["text"], int(row["image_seq_len"]))
        ours = {
            "text": row["text"],
            "images": row["text"].count(IMAGE),
            "image_seq_len": row["image_seq_len"],
            "expanded_text": text.replace(FAKE, "F").replace(IMAGE, "I"),
            "runs": token_runs(text),
        }
        yield compare_exact(f"tokens of {row['text']!r}", ours, row)


def _prompts(rows: list[dict[str, Any]], path: Path) -> Iterator[Comparison]:
    # Line ends are part of the text, so it is read as bytes.
    template = checked_template((path / "judge_prompt.txt").read_bytes().decode(), source=path.name)
    for row in rows:
        text = judge_prompt(template, row["caption"], int(row["T"]))
        ours = {
            "caption": row["caption"],
            "T": row["T"],
            "chars": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "image_markers": text.count(IMAGE),
        }
        yield compare_exact(f"prompt of {row['caption']!r} and {row['T']}", ours, row)


def _rounding(rows: list[dict[str, Any]], _: Path) -> Iterator[Comparison]:
    for row in rows:
        score = score_of(row["logit"], "reference")
        yield compare_close(f"score of {row['logit']}", score, row["score"], absolute=_ROUNDED)


_TABLES: Final[dict[str, Callable[[list[dict[str, Any]], Path], Iterator[Comparison]]]] = {
    "tokens_per_T": _tokens,
    "touching_images": _touching,
    "prompt_hash": _prompts,
    "rounding": _rounding,
}
