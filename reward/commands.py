"""The command group ``reward``; each of its commands, or groups of commands, has a module of its own."""

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.reward.agree_command import agree
from anisora.reward.constants_command import constants
from anisora.reward.fit_command import fit
from anisora.reward.gallery_command import gallery
from anisora.reward.score_command import score
from anisora.reward.shift_command import shift

__all__ = ["reward"]


@click.group(cls=CommandGroup)
def reward() -> None:
    r"""Rewards: scores of clips, constants, encoders, agreement with people, fitted heads, galleries of characters.

    \b
    anisora reward agree --published
    """


for _command in (agree, constants, fit, gallery, score, shift):
    reward.add_command(_command)
