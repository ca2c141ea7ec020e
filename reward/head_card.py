"""The model card of a fitted head: what it is, what it was fitted on, how good it is and where it ends."""

from dataclasses import asdict
from typing import Any, Final

from anisora.harness.statistics.agreement_bootstrap import AgreementInterval
from anisora.reward.head_fitting import HeadFit
from anisora.reward.head_folder import HeadConfig
from anisora.reward.head_problems import PairQuality, PartQuality

__all__ = ["model_card", "quality_data"]

_CONSTANT: Final = (
    "* **No step made the validation part better: the head says the same of every clip.** The features tell nothing of "
    "these judgements, or there are too few of them."
)


def quality_data(quality: PartQuality) -> dict[str, Any]:
    """Return the quality of one part as plain data."""

    def shares(found: PairQuality) -> dict[str, Any]:
        return {
            "accuracy": {"value": found.strict.without_ties, **asdict(found.accuracy)},
            "accuracy_with_ties": {"value": found.tied.with_ties, **asdict(found.accuracy_with_ties)},
            "pairs": found.strict.pairs,
            "ties": found.strict.tied_by_people + found.strict.tied_by_both,
        }

    return {
        "clips": quality.clips,
        "groups": quality.groups,
        "loss": quality.loss,
        "spearman": quality.spearman,
        "all_pairs": shares(quality.everywhere),
        "pairs_of_one_first_frame": shares(quality.within),
    }


def model_card(config: HeadConfig, fit: HeadFit, *, command: str) -> str:
    """Write the card, in Markdown."""
    data, split = config.data, config.split
    lines = [f"# Fitted head: {config.dimension}", ""]
    if config.untrained:
        lines += [
            f"**UNTRAINED.** The extractor has random weights ({config.untrained}): the head tests the machinery and "
            "says nothing of clips.",
            "",
        ]
    unit = "on the scale of the ratings" if config.kind == "ratings" else "log odds against the mean training clip"
    lines += [
        f"A linear function of frozen features; a score is {unit}. Fitted by `anisora reward fit`; used as",
        "`fitted_head:path=DIR`, by `anisora evaluate` and `anisora.reward`.",
        "",
        "## What it was fitted on",
        f"* Judgements: {data['rows']} {config.kind} of dimension `{config.dimension}` on {data['clips']} clips of "
        f"{data['groups']} groups; file `{data['file']}`, sha256 `{data['sha256']}`.",
        f"* Clips: digest `{data['clips_digest']}` over ids and sha256 of all files; {data['left_out']} left out for "
        "features that are no finite numbers.",
        "* Groups: " + data["group_rule"] + ". No group is in two parts.",
        f"* Split: seed {split['seed']}; {split['groups']['train']} groups to train, {split['groups']['validation']} "
        f"to validate, {split['groups']['test']} to test. {data['dropped_pairs']} judged pairs across parts were "
        "dropped.",
        f"* Command: `{command}`",
        "",
        "## Features",
        *[
            f"* `{used.name}` version {used.version}, {used.preprocess}; weights "
            + (", ".join(f"`{name}` {digest}" for name, digest in used.weights.items()) or "none")
            for used in config.extractors
        ],
        f"* {config.frames} frames from first to last, pooled by {config.pooling} to {config.dimensions} numbers.",
        "",
        "## How",
        f"* Ridge {config.fit['ridge']:g}, L-BFGS; the head of step {fit.steps} was kept, that of the lowest loss on "
        f"the validation part{' (stopped early)' if fit.stopped_early else ''}.",
        *([] if fit.steps else [_CONSTANT]),
        f"* A tie is a difference of at most {fit.tie_threshold:.4g}, fitted to the validation part."
        + ("" if fit.tie_parameter is None else f" Davidson's nu {fit.tie_parameter:.4g}."),
        "",
        "## How good it is",
        "| part | clips | groups | loss | pairs right | with ties | right, of one first frame | Spearman |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *[_quality_row(part, fit.quality[part]) for part in fit.quality],
        "",
        "The test part was never seen. Intervals are 95%: over all pairs a cluster bootstrap over groups (none below "
        "30 of them), over pairs of one first frame and judged pairs a clustered share (none below 6). Pairs that "
        "people call ties count in `with ties` alone.",
        "",
        "## Licence and limits",
        *[f"* Weights `{name}`: {licence}." for used in config.extractors for name, licence in used.licences.items()],
        "* The head is derived from the judgements and carries their terms; the clips are not in it.",
        "* It orders clips like those above. On other systems, resolutions or damages its numbers are not known to "
        "mean anything. A linear head is easy to please: do not train against it without held-out judgements.",
    ]
    return "\n".join(lines) + "\n"


def _quality_row(part: str, quality: PartQuality) -> str:
    cells = [
        part,
        str(quality.clips),
        str(quality.groups),
        f"{quality.loss:.4f}",
        _cell(quality.everywhere.strict.without_ties, quality.everywhere.accuracy),
        _cell(quality.everywhere.tied.with_ties, quality.everywhere.accuracy_with_ties),
        _cell(quality.within.strict.without_ties, quality.within.accuracy),
        "-" if quality.spearman is None else f"{quality.spearman:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def _cell(value: float | None, interval: AgreementInterval) -> str:
    if value is None:
        return "-"
    if interval.low is None or interval.high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
