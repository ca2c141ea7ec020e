"""Commands whose help keeps its examples, and groups whose mistakes are one line with the nearest right name."""

from typing import Any

import click

from anisora.harness.errors import nearest

__all__ = ["Command", "CommandGroup", "with_dashes"]


def with_dashes(token: str) -> str:
    """Return the one spelling of a command or option: ``-`` and ``_`` are the same to users."""
    return token.replace("_", "-")


def _with_marks(text: str | None) -> str | None:
    """Return help with click's marks, which raw docstrings hold as two characters: lines after one are not wrapped."""
    return text and text.replace("\\b", "\b")


class Command(click.Command):
    """A command whose help shows its examples line by line."""

    def __init__(self, name: str | None, *, help: str | None = None, **attributes: Any) -> None:  # noqa: ANN401
        super().__init__(name, help=_with_marks(help), **attributes)


class CommandGroup(click.Group):
    """A group that names the nearest command, and asks for one where there is none."""

    command_class = Command

    def __init__(self, name: str | None = None, *, help: str | None = None, **attributes: Any) -> None:  # noqa: ANN401
        super().__init__(name, help=_with_marks(help), **attributes)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options of the group itself; without a command there is nothing to do."""
        if not args:
            known = ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"Missing command; expected one of {known}.", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name = with_dashes(args[0])
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            guess = nearest(name, known)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise click.UsageError(f"Command {args[0]!r} is not known.{hint}", ctx)
        return super().resolve_command(ctx, [name, *args[1:]])
