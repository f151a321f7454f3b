"""The application that holds the commands together."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import typer

from .help import PlainCommand, PlainGroup

# The order is that of the help text.
_COMMANDS: Final = ("demo", "run", "explain", "report", "top", "attach", "baseline")


def build(only: str = "") -> typer.Typer:
    """The application, with all commands or only the one that is asked for.

    What the others need is not imported then.
    """
    app = typer.Typer(
        name="httpguard",
        cls=PlainGroup,
        # An error in a command is a bug: an ordinary traceback tells more.
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in (only,) if only in _COMMANDS else _COMMANDS:
        module = import_module(f".{name}", __package__)
        if name == "baseline":
            app.add_typer(module.GROUP, name=name)
        else:
            kind = getattr(module, "Command", PlainCommand)
            app.command(name, cls=kind)(getattr(module, name))
    return app


def _root() -> None:
    """Find the HTTP responses that a Python program never closes."""
    # The help is in `httpguard.cli`. Without this a single command were no command.
