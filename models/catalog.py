"""Model adapters by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

_DAMAGE: Final = "anisora.models.damage:Damage"

CATALOG: Final[dict[str, dict[str, str]]] = {
    "models": {
        "damage/blur": _DAMAGE,
        "damage/colour-drift": _DAMAGE,
        "damage/cross-fade": _DAMAGE,
        "damage/flicker": _DAMAGE,
        "damage/flow-warp": _DAMAGE,
        "damage/freeze": _DAMAGE,
        "damage/half-rate": _DAMAGE,
        "damage/jitter": _DAMAGE,
        "damage/jpeg": _DAMAGE,
        "damage/noise": _DAMAGE,
        "damage/outfit-swap": "anisora.models.outfit_swap:OutfitSwap",
        "damage/reverse": _DAMAGE,
        "damage/shuffle": _DAMAGE,
        "damage/slow-pan": _DAMAGE,
        "damage/subtitle": _DAMAGE,
        "ground-truth": "anisora.models.recorded:GroundTruth",
        "recorded": "anisora.models.recorded:Recorded",
    },
    "ledgers": {
        "models": "anisora.models:weights.yaml",
    },
}
