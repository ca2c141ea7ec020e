"""Model adapters and parity handlers by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

_DAMAGE: Final = "anisora.models.damage:Damage"
_COGVIDEOX: Final = "anisora.models.cogvideox.adapter:CogVideoXGenerator"
_RECORDED: Final = "anisora.models.recorded:RecordedSystem"
_WAN: Final = "anisora.models.wan.adapter:WanGenerator"

CATALOG: Final[dict[str, dict[str, str]]] = {
    "models": {
        "anisora-anymask": _WAN,
        "anisora-v1": _COGVIDEOX,
        "anisora-v1-rl": _COGVIDEOX,
        "anisora-v2": _WAN,
        "anisora-v3": _WAN,
        "anisora-v3.1": _WAN,
        "anisora-v3.2": _WAN,
        "cogvideox-5b": _COGVIDEOX,
        "damage/blur": _DAMAGE,
        "damage/colour-drift": _DAMAGE,
        "damage/cross-fade": _DAMAGE,
        "damage/first-frame-copy": _DAMAGE,
        "damage/flicker": _DAMAGE,
        "damage/flow-warp": _DAMAGE,
        "damage/freeze": _DAMAGE,
        "damage/grid": _DAMAGE,
        "damage/half-rate": _DAMAGE,
        "damage/jitter": _DAMAGE,
        "damage/jpeg": _DAMAGE,
        "damage/noise": _DAMAGE,
        "damage/outfit-swap": "anisora.models.outfit_swap:OutfitSwap",
        "damage/reverse": _DAMAGE,
        "damage/saturation": _DAMAGE,
        "damage/shuffle": _DAMAGE,
        "damage/slow-pan": _DAMAGE,
        "damage/subtitle": _DAMAGE,
        "ground-truth": "anisora.models.recorded:GroundTruth",
        "recorded": "anisora.models.recorded:Recorded",
        "recorded/minimax-i2v-01": _RECORDED,
        "recorded/open-sora-1.2": _RECORDED,
        "recorded/open-sora-plan-1.3": _RECORDED,
        "recorded/vidu-1.5": _RECORDED,
        "wan-2.1": _WAN,
    },
    "commands": {
        "convert": "anisora.models.conversion.command:convert",
        "models": "anisora.models.commands:models",
    },
    "parity": {
        "c11_prompt_grammar": "anisora.models.golden.prompt_grammar:handle",
        "gen_condition_tensor": "anisora.models.golden.wan_vae:handle_conditions",
        "gen_flowmatch_schedule": "anisora.models.golden.flowmatch_schedule:handle",
        "gen_frame_ids": "anisora.models.golden.frame_ids:handle",
        "gen_latent_size": "anisora.models.golden.latent_size:handle",
        "gen_loop_v32_two_experts": "anisora.models.golden.wan_loop:handle",
        "gen_loop_v3_any_frame": "anisora.models.golden.wan_loop:handle",
        "gen_oss_search": "anisora.models.golden.oss_search:handle",
        "gen_oss_sigmas": "anisora.models.golden.oss_sigmas:handle",
        "gen_spatial_masks": "anisora.models.golden.spatial_masks:handle",
        "gen_unipc_schedule": "anisora.models.golden.unipc_schedule:handle",
        "gen_v1_loop": "anisora.models.golden.v1_loop:handle",
        "gen_v1_sat_dit": "anisora.models.golden.v1_transformer:handle",
        "gen_v1_schedule": "anisora.models.golden.v1_schedule:handle",
        "gen_v1_slots": "anisora.models.golden.v1_slots:handle",
        "gen_wan21_dit": "anisora.models.golden.wan_transformer:handle",
        "gen_wan22_dit_noclip": "anisora.models.golden.wan_transformer:handle",
        "gen_wan_vae": "anisora.models.golden.wan_vae:handle",
    },
    "ledgers": {
        "models": "anisora.models:weights.yaml",
    },
}
