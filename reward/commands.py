"""The command group ``reward``; each of its commands, or groups of commands, has a module of its own."""

import click

from anisora.harness.commands.groups import CommandGroup
from anisora.reward.agree_command import agree
from anisora.reward.fit_command import fit

__all__ = ["reward"]


@click.group(cls=CommandGroup)
def reward() -> None:
    r"""Rewards and people: agreement with ratings, heads fitted on them.

    \b
    anisora reward agree --published
    """


for _command in (agree, fit):
    reward.add_command(_command)
