"""The anime reward: six dimensions of AniSora's released reward model as one callable."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

from anisora.harness.errors import ConfigError, UnknownNameError
from anisora.reward.character_consistency import CharacterConsistency
from anisora.reward.metric_reward import MetricReward
from anisora.reward.mode import named, read_mode

if TYPE_CHECKING:
    from anisora.harness.features import FeatureStore

__all__ = ["DIMENSIONS", "AnimeReward", "MotionRole"]

DIMENSIONS: Final = (
    "visual_smoothness",
    "visual_motion",
    "visual_appeal",
    "text_video_consistency",
    "image_video_consistency",
    "character_consistency",
)
"""The six metrics, in the order of the authors' table."""
_MOTION: Final = "visual_motion"
_CHARACTER: Final = "character_consistency"

MotionRole = Literal["reported", "higher", "lower"]
"""What becomes of the motion dimension in the total."""
_MOTION_WEIGHTS: Final[Mapping[str, float]] = {"higher": 1.0, "lower": -1.0}


class AnimeReward(MetricReward):
    """The mean of the dimensions, each 0..1; motion is told beside it unless asked into it.

    In the authors' table more motion goes with a lower human score (r = -0.65 over six models), and the ground truth
    itself has 58 of 100; so motion has no direction of its own here: whoever wants it in the total says which way.

    A clip to which one of the dimensions does not apply has no total. For clips without characters leave
    ``character_consistency`` out.

    Example:
        >>> AnimeReward(dimensions=["visual_motion"])
        Traceback (most recent call last):
        anisora.harness.errors.ConfigError: `dimensions` got only visual_motion, which is not in the total; ...
    """

    def __init__(
        self,
        *,
        mode: str = "reference",
        motion: MotionRole = "reported",
        dimensions: Sequence[str] | str = DIMENSIONS,
        gallery: str = "",
        detector: str = "grounding_dino",
        tracker: str = "samurai",
        name: str = "anime-reward",
        features: "FeatureStore | None" = None,
        resident: str = "all",
    ) -> None:
        """Choose what is computed; nothing is decoded or loaded yet.

        Args:
            mode: ``reference``, as released, or ``corrected``, without the oversights of the release
                (docs/reward.md); told in the protocol.
            motion: ``reported``: beside the total. ``higher`` or ``lower``: in the total, with weight 1 or -1.
            dimensions: Names out of DIMENSIONS; one text may hold several, with + between them.
            gallery: File of known characters, from ``anisora reward gallery build``; else ANISORA_GALLERY.
            detector: What finds characters in the conditioning image; see ``CharacterConsistency``.
            tracker: What follows them.
            name: What to call the reward in tables.
            features: The store to use, as for MetricReward.
            resident: ``one`` or ``all``, as for MetricReward: two of the networks take 16.5 GB each.

        Raises:
            ConfigError: There is no such mode, role or policy, no gallery, or nothing is left for the total.
            UnknownNameError: There is no such dimension.
            WeightsMissing: Weight files are not there.
        """
        chosen = read_mode(mode)
        if motion not in get_args(MotionRole):
            raise ConfigError(f"`motion` got {motion!r}; expected one of {', '.join(get_args(MotionRole))}.")
        asked = tuple(dimensions.split("+") if isinstance(dimensions, str) else dimensions)
        for dimension in asked:
            if dimension not in DIMENSIONS:
                raise UnknownNameError("dimension", dimension, DIMENSIONS)
        spelled = {dimension: named(dimension, chosen) for dimension in DIMENSIONS}
        spelled[_CHARACTER] = CharacterConsistency(gallery, chosen, detector, tracker).info.name
        weights = {
            spelled[dimension]: _MOTION_WEIGHTS.get(motion, 0.0) if dimension == _MOTION else 1.0 for dimension in asked
        }
        weighted = {dimension: weight for dimension, weight in weights.items() if weight}
        if not weighted:
            raise ConfigError(
                f"`dimensions` got only {', '.join(asked) or 'none'}, which is not in the total; name another "
                "dimension, or say motion=higher or motion=lower."
            )
        super().__init__(
            weighted,
            reported=[dimension for dimension in weights if dimension not in weighted],
            name=name,
            features=features,
            resident=resident,
        )
