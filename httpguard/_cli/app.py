"""The application that holds the commands together."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Final

import typer

from .help import PlainCommand, PlainGroup

# The order is that of the help text.
_COMMANDS: Final = ("demo", "run", "explain", "report", "top", "attach", "baseline")


def build(only: str = "") -> typer.Typer:
    """The application, ready to be called.

    Args:
        only: The one command that is asked for; what the others need is not imported.
            Unless there is no such command.
    """
    app = typer.Typer(
        name="httpguard",
        cls=PlainGroup,
        # An error in a command is a bug: an ordinary traceback tells more.
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in (only,) if only in _COMMANDS else _COMMANDS:
        module = import_module(f".{name}", __package__)
        if name == "baseline":
            app.add_typer(module.GROUP, name=name)
        else:
            kind = getattr(module, "Command", PlainCommand)
            app.command(name, cls=kind)(getattr(module, name))
    return app


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so.
    if wanted:
        from .._model.version import __version__

        typer.echo(f"httpguard {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001  # Its callback has acted on it.
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Find the HTTP responses that a Python program never closes.

    The library does the work: put `import httpguard; httpguard.install()` at the
    start of your program, and each leak is a line in its log. These commands show
    it and help with it. New here? Try `httpguard demo`.

    For example:

    - `httpguard run app.py`: what leaks in a program that stays as it is

    - `httpguard run --fail -m pytest tests`: the same of a test suite, for CI

    - `httpguard report leaks.jsonl`: which lines leak, out of any number of logs

    - `httpguard top localhost:8765`: a running program, live

    - `httpguard attach 4711`: one that runs without httpguard, and hangs now
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
