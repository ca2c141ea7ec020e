"""The commands and parity handlers of training by name; nothing here is imported until it is used."""

from typing import Final

__all__ = ["CATALOG"]

CATALOG: Final[dict[str, dict[str, str]]] = {
    "commands": {
        "audit": "anisora.training.audit.command:audit",
        "learn": "anisora.training.learn.commands:learn",
        "train": "anisora.training.commands:train",
    },
    "parity": {
        "rl_dance_grpo": "anisora.training.golden.dance_grpo:handle",
        "rl_flow_dpo": "anisora.training.golden.flow_dpo:handle",
        "rl_flow_grpo_step": "anisora.training.golden.flow_grpo_step:handle",
        "rl_gapo": "anisora.training.golden.gapo:handle",
        "rl_group_advantage_ppo": "anisora.training.golden.group_advantage_ppo:handle",
        "rl_videoalign_losses": "anisora.training.golden.videoalign_losses:handle",
        "train_v1_condition": "anisora.training.golden.v1_condition:handle",
        "train_v1_loss": "anisora.training.golden.v1_loss:handle",
        "train_v2_loss": "anisora.training.golden.v2_loss:handle",
    },
}
