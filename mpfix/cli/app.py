"""The `mpfix` command: its subcommands, and what becomes of errors and interrupts."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, cast

import typer

from mpfix import __version__
from mpfix.cli import apply, check, console, rule, rules, settings, validate
from mpfix.cli.exit_status import ExitStatus
from mpfix.errors import MpfixError

# typer bundles click or depends on it, by release: this is click's `UsageError` in either
_COMMAND_LINE_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[1])

GARBAGE_THRESHOLD = 50_000
"""New objects after which Python looks for garbage."""

# rich would be imported for every run, to draw boxes around help and errors
app = typer.Typer(
    name="mpfix",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("apply")(apply.apply)
app.command("rule")(rule.rule)
app.command("rules")(rules.rules)
app.command("settings")(settings.settings)
app.command("validate")(validate.validate)


def _print_version(value: bool) -> None:
    if value:
        console.write(f"mpfix {__version__}\n")
        raise typer.Exit


@app.callback()
def mpfix(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version and stop.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Find and repair wrong mixed precision, loss scaling, gradient accumulation and memory use in Keras code."""
    if context.invoked_subcommand is None:
        console.warn(context.get_help())
        raise typer.Exit(ExitStatus.FAILED)


def main() -> None:
    """Run the command line of this process and end it."""
    # modules, tables and syntax trees are many objects that stay: looking for garbage among them costs a short run a
    # twentieth of its time
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; every way it can end becomes an exit status."""
    try:
        return _status(arguments)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED


def _status(arguments: Sequence[str]) -> int:
    try:
        console.prepare()
        result = app(list(arguments), prog_name="mpfix", standalone_mode=False)
        console.flush()
    except typer.Abort:
        return ExitStatus.INTERRUPTED
    except _COMMAND_LINE_ERROR as error:
        console.warn(f"mpfix: {_command_line_message(error)}")
        return ExitStatus.FAILED
    except MpfixError as error:
        console.warn(f"mpfix: {error}")
        return ExitStatus.FAILED
    except Exception as error:
        _report_crash(error, arguments)
        return ExitStatus.FAILED
    return result if isinstance(result, int) else ExitStatus.CLEAN


def _command_line_message(error: Exception) -> str:
    """One sentence for a bad option, in the words of click; without its full stop, as all our messages."""
    message: str = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(message.split()).rstrip(".")


def _report_crash(error: Exception, arguments: Sequence[str]) -> None:
    if {"-v", "--verbose"} & set(arguments):
        console.warn(traceback.format_exc().rstrip())
    detail = " ".join(str(error).split())
    console.warn(f"mpfix: internal error: {type(error).__name__}: {detail} (this is a bug of mpfix; `-v` shows where)")
