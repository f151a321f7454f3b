"""The application that holds the commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from .baseline import register as register_baseline
from .demo import demo
from .explain import explain
from .help import PlainCommand, PlainGroup
from .report import report
from .run import RunCommand, run
from .top import top


def build() -> typer.Typer:
    """The application, ready to be called."""
    app = typer.Typer(
        name="httpguard",
        cls=PlainGroup,
        # An error in a command is a bug: an ordinary traceback tells more.
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    # The order is that of the help text.
    app.command("demo", cls=PlainCommand)(demo)
    app.command("run", cls=RunCommand)(run)
    app.command("explain", cls=PlainCommand)(explain)
    app.command("report", cls=PlainCommand)(report)
    app.command("top", cls=PlainCommand)(top)
    register_baseline(app)
    return app


def _print_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so.
    """Print the version and end."""
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

    - `httpguard explain dropped`: what a kind of leak means, and how to repair it

    - `httpguard report leaks.jsonl`: which lines leak, out of any number of logs

    - `httpguard top localhost:8765`: a running program, live
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
