"""`admit` itself: its commands, imported when they run, and how it ends.

Exit codes: 0 yes, 1 the answer is no, 2 wrong use or configuration, or a policy that
fails, 3 the cluster could not be asked; 70 a bug in admit, 130 interrupted, 141 nobody
reads the output.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import threading
import traceback
from typing import Any, Final

import click

from admit._version import __version__
from admit.cli.output import show_error
from admit.errors import AdmitError, ConfigError

__all__ = ("main", "root")

# In the order in which a newcomer meets them.
COMMANDS: Final = (
    *("review", "dev", "serve", "manifests", "install", "uninstall", "diff", "lint"),
    *("doctor", "backup", "failopen", "disable", "restore", "rescue"),
    *("kinds", "assets"),
)

BUG: Final = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED: Final = 128 + 2  # as a shell sees SIGINT
NOBODY_READS: Final = 128 + 13  # as a shell sees SIGPIPE


class Root(click.Group):
    """Imports a command's file when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the commands' names in reading order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return the command of a name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"admit.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant; of a misspelt one say what is near."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what it raises becomes a message and an exit code."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # Python flushes once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(NOBODY_READS)
        except Exception as error:  # noqa: BLE001 - the rim: a person reads what follows
            if ctx.find_root().meta.get(DEBUG):
                traceback.print_exception(error)
            ctx.exit(_tell(error))


def _tell(error: Exception) -> int:
    """Say what went wrong; return the exit code."""
    if isinstance(error, OSError) and not isinstance(error, AdmitError):
        error = ConfigError(
            error.strerror or str(error), place=str(error.filename or "") or None
        )
    if isinstance(error, AdmitError):
        show_error(error)
        return error.exit_code
    show_error(
        AdmitError(
            f"a bug in admit: {type(error).__name__}: {error}",
            hint="--debug shows where; please report it",
        )
    )
    return BUG


DEBUG: Final = "admit.debug"


def set_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    """Note that tracebacks are wanted."""
    if value:
        ctx.find_root().meta[DEBUG] = True


def _show_version(
    ctx: click.Context,
    _parameter: click.Parameter,
    value: bool,  # noqa: FBT001 - click's
) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"admit {__version__}")
        ctx.exit()


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=set_debug,
    help="Show tracebacks of errors.",
)
def root() -> None:
    """Kubernetes admission webhooks in Python: a policy is a function.

    \b
    Example:
      admit review policies.py -f pod.yaml

    Exit codes: 0 yes, 1 the answer is no (denied), 2 wrong use or configuration, or a
    policy that fails, 3 the cluster could not be asked.
    """  # noqa: D301 - click's mark


def main() -> None:
    """Run the command line and end the process."""
    try:
        root(prog_name="admit")
    except SystemExit as end:
        _leave_hanging_threads(end.code)
        raise


# Seconds that threads of blocking policies get to end; their answer was 504 long ago.
THREADS_SECONDS: Final = 1.0


def _leave_hanging_threads(code: Any) -> None:
    """Let no blocking policy that hangs keep the process: Python would wait for it."""
    for thread in threading.enumerate():
        if thread.name.startswith("admit-blocking"):
            thread.join(THREADS_SECONDS)
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code if isinstance(code, int) else 1)
