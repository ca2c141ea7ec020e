"""The command ``anisora``: a lazy group whose sub-commands are imported when they are called.

User mistakes end as one line on stderr with the exit code of the error; ``--debug`` shows the traceback.
"""

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from anisora.harness.commands.groups import CommandGroup, with_dashes
from anisora.harness.errors import AnisoraError
from anisora.harness.registry import registry

__all__ = ["EXIT_PARTIAL", "main"]

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_PARTIAL: Final = 3
"""A run that finished although some items failed."""
_EXIT_STOPPED: Final = 130


class _LazyGroup(CommandGroup):
    """Finds its commands in the catalogs; command modules import click alone, and the rest when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return registry("commands").names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        commands = registry("commands")
        if cmd_name not in commands:
            return None
        command = commands.get(cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={
        "token_normalize_func": with_dashes,
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
    },
)
@click.version_option(package_name="anisora-harness", message="%(prog)s %(version)s")
def cli() -> None:
    r"""Evaluation-first harness for anime video generation.

    Score a folder of clips:

    \b
    anisora evaluate custom --videos my_clips/

    Every option is also an environment variable, ANISORA_ and its name. Exit codes: 0 done, 1 failed, 2 wrong usage or
    bad input, 3 finished with some items failed.
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or os.environ.get("ANISORA_DEBUG", "") not in ("", "0")
    arguments = [argument for argument in arguments if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character the terminal lacks must not lose a finished run
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_run(arguments, debug=debug))


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="anisora", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        if debug:
            raise
        return _fail(_usage_message(error), EXIT_USAGE)
    except AnisoraError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _fail("Stopped. What is done is kept; the same command goes on from here.", _EXIT_STOPPED)
    except OSError as error:
        if not debug and error.errno == errno.ENAMETOOLONG:
            return _fail(f"Path `{error.filename}` is too long for this file system; choose a shorter one.", EXIT_USAGE)
        if debug or error.errno not in (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES):
            raise
        where = f" `{error.filename}`" if error.filename else ""
        return _fail(
            f"Cannot write{where}: {os.strerror(error.errno or 0)}. What is done is kept; make room and give the "
            "same command again.",
            EXIT_FAILED,
        )
    return result if isinstance(result, int) else 0


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    return f'{message} Run "{context.command_path} --help".'


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    # A file's name may hold anything, also what would move the cursor or colour the terminal.
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
    click.echo(f"anisora: {shown}", err=True)
    return code
