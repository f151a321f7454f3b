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


class PlainCommand(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return [_plain(param) for param in super().get_params(ctx)]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] FILE...``, without the braces of a required argument."""
        arguments = [
            param.metavar or param.name.upper()
            for param in self.get_params(ctx)
            if param.param_type_name == "argument"
        ]
        return [self.options_metavar, *arguments]


class PlainGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return [_plain(param) for param in super().get_params(ctx)]


def _plain(param: Any) -> Any:
    """A parameter whose type is not shown where it tells nothing."""
    if getattr(param, "is_flag", False):
        param.metavar = ""
    elif param.param_type_name == "argument":
        # Of typer 0.20 and later: its metavar is the name alone.
        param.display_type_rich = lambda ctx: ""  # noqa: ARG005
    elif param.metavar is None and hasattr(param, "display_type"):
        param.display_type_rich = lambda ctx: _label(param.display_type(ctx))
    return param


def _label(label: str) -> str:
    """A type as a person reads it: ``<list[a|b]>`` is ``a|b``."""
    label = label.strip("<>")
    if label.startswith("list["):
        label = label[len("list[") : -1]
    words = {"int": "NUMBER", "int range": "NUMBER", "float": "NUMBER", "str": "TEXT"}
    return words.get(label, label)
