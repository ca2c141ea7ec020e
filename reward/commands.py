"""The command group ``reward``; each of its commands, or groups of commands, has a module of its own."""

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.reward.agree_command import agree
from anisora.reward.fit_command import fit
from anisora.reward.gallery_command import gallery

__all__ = ["reward"]


@click.group(cls=CommandGroup)
def reward() -> None:
    r"""Rewards: agreement with people, heads fitted on their ratings, galleries of known characters.

    \b
    anisora reward agree --published
    """


for _command in (agree, fit, gallery):
    reward.add_command(_command)
