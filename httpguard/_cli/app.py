"""The application that holds the commands together, and their help."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

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


class _Plain:
    """Parameters whose types are not shown: their metavars say what they take."""

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in found:
            if getattr(param, "is_flag", False):
                param.metavar = ""
            elif param.param_type_name == "argument":
                # Of typer 0.20 and later: its metavar is the name alone.
                param.display_type_rich = lambda ctx: ""  # noqa: ARG005
        return found


class PlainCommand(_Plain, TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] FILE...``, without the braces of a required argument."""
        arguments = [
            param.metavar
            for param in self.get_params(ctx)
            if param.param_type_name == "argument"
        ]
        return [self.options_metavar, *arguments]


class PlainGroup(_Plain, TyperGroup):
    pass
