"""The application that holds the commands together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from .help import PlainCommand, PlainGroup

if TYPE_CHECKING:
    from collections.abc import Callable


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
    for name, register in _COMMANDS.items():
        if only not in _COMMANDS or only == name:
            register(app)
    return app


def _register_demo(app: typer.Typer) -> None:
    from .demo import demo

    app.command("demo", cls=PlainCommand)(demo)


def _register_run(app: typer.Typer) -> None:
    from .run import RunCommand, run

    app.command("run", cls=RunCommand)(run)


def _register_explain(app: typer.Typer) -> None:
    from .explain import explain

    app.command("explain", cls=PlainCommand)(explain)


def _register_report(app: typer.Typer) -> None:
    from .report import report

    app.command("report", cls=PlainCommand)(report)


def _register_top(app: typer.Typer) -> None:
    from .top import top

    app.command("top", cls=PlainCommand)(top)


def _register_attach(app: typer.Typer) -> None:
    from .attach import attach

    app.command("attach", cls=PlainCommand)(attach)


def _register_baseline(app: typer.Typer) -> None:
    from .baseline import register

    register(app)


# The order is that of the help text.
_COMMANDS: Final[dict[str, Callable[[typer.Typer], None]]] = {
    "demo": _register_demo,
    "run": _register_run,
    "explain": _register_explain,
    "report": _register_report,
    "top": _register_top,
    "attach": _register_attach,
    "baseline": _register_baseline,
}


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
