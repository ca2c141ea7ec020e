"""Whether a clip shows what its prompt says, as the anime reward has it."""

from anisora.harness.protocols import FeatureReader, FeatureRequest, MetricInfo
from anisora.harness.types import FrameSampling, Generation, Score
from anisora.metrics.scoring import unscored
from anisora.reward.mode import frames_of, named, read_mode
from anisora.reward.regressor_score import LICENCE, regressor_score

__all__ = ["TextVideoConsistency"]


class TextVideoConsistency:
    """What a regressor says of the frames and the prompt."""

    def __init__(self, mode: str = "reference") -> None:
        """Choose how much of the prompt is read.

        Args:
            mode: ``reference`` reads 28 word-pieces and looks at the first 144 frames; ``corrected`` reads the whole
                prompt, up to 510 of them, and looks at all of the clip.

        Raises:
            ConfigError: There is no such mode.
        """
        chosen = read_mode(mode)
        self.info = MetricInfo(
            name=named("text_video_consistency", chosen),
            title="Text-video consistency",
            version=1,
            direction="higher",
            value_range=(0.0, 1.0),
            requests=(
                FeatureRequest(extractor="text_video_regressor", sampling=frames_of(chosen)),
                FeatureRequest(
                    extractor=named("text_video_regressor_text", chosen),
                    sampling=FrameSampling(mode="uniform", count=1),
                ),
            ),
            source="AniSora, reward/models/blip_pretrain_text.py, BLIP_Pretrain.inference",
            group="reward",
            needs=frozenset({"prompt"}),
            licence=LICENCE,
            commercial_use=False,
            mode=chosen,
        )

    def score(self, item: Generation, features: FeatureReader) -> Score:
        """Score one clip.

        ``parts["frames"]`` has the score that each frame would have alone, ``parts["word_pieces"]`` how many of the
        prompt's word-pieces were read, and how many it has.

        Returns:
            Value in 0..1, or None where the prompt is empty.
        """
        if not (item.sample.prompt or "").strip():
            return unscored(item, "the prompt is empty, so there is nothing to compare with; write one in the manifest")
        frames, text = self.info.requests
        added = features.get(item, frames.extractor, frames.sampling)["logit"]
        key = features.get(item, text.extractor, text.sampling)
        pieces = {"word_pieces": key["word_pieces"][0].tolist()}
        return regressor_score(item, added, float(key["logit"][0]), parts=pieces)
